//! What one subscription could be given, from the least to what it asks for: each step is a layer, with all of its
//! frames or with fewer. It divides nothing.

use super::{Allotment, Demand, LayerFigures, MAX_LAYERS, Reason, Shown, desire};
use crate::inbound::TEMPORAL;

/// Of the lowest layer every frame rate, of each other one the whole and the half.
const MAX_STEPS: usize = TEMPORAL + 2 * (MAX_LAYERS - 1);

/// Fewer frames have to save a tenth: what is measured is never the same twice.
const SAVED: (u64, u64) = (9, 10);

/// A layer, and how many of its frames.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Step {
    pub(super) layer: usize,
    /// The highest temporal layer; `None` is every frame.
    pub(super) temporal: Option<u8>,
    /// Bits per second.
    pub(super) rate: u64,
}

impl Step {
    /// The place of a layer with so many frames in the order of what a viewer would rather have.
    pub(super) fn rank(layer: usize, temporal: Option<u8>) -> (usize, u8) {
        (layer, temporal.unwrap_or(u8::MAX))
    }

    fn own_rank(&self) -> (usize, u8) {
        Self::rank(self.layer, self.temporal)
    }

    /// Whether it is more than what was given before.
    pub(super) fn is_above(&self, held: Allotment) -> bool {
        held.target
            .is_none_or(|layer| self.own_rank() > Self::rank(layer, held.temporal))
    }
}

/// What a subscription could be given.
#[derive(Clone, Copy, Debug)]
pub(super) struct Choice {
    /// Of layers that are sent and not larger than desired, lowest first; or of what there is instead.
    steps: [Step; MAX_STEPS],
    count: usize,
    /// The step with every frame of the lowest of these layers.
    whole: usize,
    desired: Option<usize>,
    /// The reason, if it gets the best of them.
    reason: Reason,
}

impl Choice {
    pub(super) fn of(demand: &Demand) -> Self {
        let nothing = |reason| Self {
            steps: [Step::default(); MAX_STEPS],
            count: 0,
            whole: 0,
            desired: None,
            reason,
        };
        let layers = &demand.layers[..demand.count];
        if demand.is_muted {
            return nothing(Reason::Muted);
        }
        if demand.shown == Shown::Hidden {
            return nothing(Reason::Hidden);
        }
        let Some(top) = layers.len().checked_sub(1) else {
            return nothing(Reason::Waiting);
        };
        let desired = match demand.shown {
            Shown::At(viewport) => desire::layer_for(viewport, layers),
            Shown::Unknown | Shown::Hidden => top,
        };
        let mut choice = Self {
            desired: Some(desired),
            ..nothing(Reason::LayerIdle)
        };
        for (layer, figures) in (0..=desired)
            .zip(layers)
            .filter(|(_, layer)| layer.is_active)
        {
            choice.push(layer, figures);
        }
        if choice.count == 0 {
            // Too large is better than nothing. Where nothing is sent yet, wait for the right one.
            let larger = (desired..=top).find(|layer| layers[*layer].is_active);
            let layer = larger.unwrap_or(desired);
            choice.push(layer, &layers[layer]);
        }
        choice.reason = match choice.best().map(|step| step.layer) {
            _ if top == 0 => Reason::OnlyOne,
            best if best != Some(desired) || !layers[desired].is_active => Reason::LayerIdle,
            best if best == Some(top) => Reason::Largest,
            _ => Reason::Viewport,
        };
        if demand.is_cut {
            choice.count = choice.whole + 1;
            choice.reason = Reason::Overload;
        }
        choice
    }

    /// Add a layer: of the lowest every frame rate, of the others the half and the whole.
    fn push(&mut self, layer: usize, figures: &LayerFigures) {
        let lower = figures.lower_rates();
        let is_first = self.count == 0;
        let lowest = match is_first {
            true => 0,
            false => lower.len().saturating_sub(1),
        };
        let (part, of) = SAVED;
        let whole = figures.bitrate;
        for (temporal, &rate) in (0_u8..).zip(lower).skip(lowest) {
            if rate * of <= whole * part {
                let temporal = Some(temporal);
                self.push_step(Step {
                    layer,
                    temporal,
                    rate,
                });
            }
        }
        if is_first {
            self.whole = self.count;
        }
        self.push_step(Step {
            layer,
            temporal: None,
            rate: whole,
        });
    }

    fn push_step(&mut self, step: Step) {
        self.steps[self.count] = step;
        self.count += 1;
    }

    pub(super) fn steps(&self) -> &[Step] {
        &self.steps[..self.count]
    }

    /// The best step.
    pub(super) fn best(&self) -> Option<Step> {
        self.steps().last().copied()
    }

    /// The step with every frame of the lowest layer.
    pub(super) fn whole(&self) -> Option<Step> {
        self.steps().get(self.whole).copied()
    }

    /// How many of the steps are not above what is given.
    pub(super) fn position(&self, given: Allotment) -> usize {
        let steps = self.steps().iter();
        steps.take_while(|step| !step.is_above(given)).count()
    }

    pub(super) fn allotment(&self, step: Option<Step>) -> Allotment {
        let reason = match step == self.best() {
            true => self.reason,
            false => Reason::Bandwidth,
        };
        Allotment {
            target: step.map(|step| step.layer),
            temporal: step.and_then(|step| step.temporal),
            desired: self.desired,
            reason,
        }
    }
}
