//! Which layer of each track a peer gets: it divides the peer's estimate between its subscriptions. A pure
//! function of figures, with a memory only for not changing its mind too often; it knows no packets.
//!
//! Audio comes first and is never withheld. Then everything that is seen gets its lowest layer. What is left
//! raises the speaker and shared screens, then what is shown largest, each to the smallest layer that fills its
//! place on the viewer's page.

use std::cmp::Reverse;
use std::time::{Duration, Instant};

pub(crate) mod assign;
mod desire;
mod explain;
#[cfg(test)]
mod tests;

pub(crate) use self::desire::{Size, sizes};
pub(crate) use self::explain::explain;
pub use self::explain::{ForwardedTrack, Forwarding, LayerReport};

/// Layers of a track: simulcast has three in every client there is; one more is harmless.
pub(crate) const MAX_LAYERS: usize = 4;

/// With an estimate, which changes by itself, the peer is looked at so often.
const INTERVAL: Duration = Duration::from_millis(250);
/// Without one nothing changes that does not say so; this is for what forgot to.
const IDLE_INTERVAL: Duration = Duration::from_secs(1);
/// A layer is raised only into this share of the estimate: its noise (9 % either way) must not lower it again.
const RISING_SHARE: f64 = 0.83;
/// Of what a rise takes, so much is sought on the path: nobody probes for a few hundredths.
const SOUGHT: f64 = 1.15;
/// There must have been room for so long,
const ROOM_FOR: Duration = Duration::from_secs(1);
/// and nothing must have been lowered for so long.
const AFTER_FALL: Duration = Duration::from_secs(5);

/// One subscription, as far as its share depends on it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Demand {
    pub(crate) is_muted: bool,
    /// Whoever publishes it is speaking.
    pub(crate) is_speaking: bool,
    /// It shows a screen.
    pub(crate) is_screen: bool,
    /// The worker has more to do than it can, and saves on this.
    pub(crate) is_cut: bool,
    pub(crate) shown: Shown,
    /// How many layers there are.
    pub(crate) count: usize,
    /// Lowest first.
    pub(crate) layers: [LayerFigures; MAX_LAYERS],
    /// What it was given before.
    pub(crate) held: Allotment,
}

/// How large a viewer shows a track.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Shown {
    /// The viewer never said.
    Unknown,
    /// No part of it can be seen.
    Hidden,
    /// In pixels of the display.
    At(Size),
}

/// What is known of a layer.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct LayerFigures {
    /// The publisher sends it.
    pub(crate) is_active: bool,
    /// Bits per second.
    pub(crate) bitrate: u64,
    pub(crate) size: Size,
}

/// What a subscription is given.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Allotment {
    /// `None`: nothing.
    pub(crate) target: Option<usize>,
    /// The layer that would fill its place on the page, whether it is sent, or fits, or not.
    pub(crate) desired: Option<usize>,
    pub(crate) reason: Reason,
}

impl Default for Allotment {
    fn default() -> Self {
        Self {
            target: None,
            desired: None,
            reason: Reason::Waiting,
        }
    }
}

/// Why a subscription gets what it gets.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Reason {
    /// Nothing was decided yet, or the publisher has not said what it sends.
    Waiting,
    /// The track has one layer.
    OnlyOne,
    /// The largest layer, for it is shown so large, or the viewer never said how large.
    Largest,
    /// A smaller layer fills its place on the viewer's page.
    Viewport,
    /// A larger one would not fit into the estimate.
    Bandwidth,
    /// The server has more to do than it can.
    Overload,
    /// The publisher does not send the layer that would be right.
    LayerIdle,
    /// The viewer shows nothing of it.
    Hidden,
    /// The track is muted.
    Muted,
}

impl Reason {
    /// As the HTTP API has it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Reason::Waiting => "waiting",
            Reason::OnlyOne => "only_one",
            Reason::Largest => "largest",
            Reason::Viewport => "viewport",
            Reason::Bandwidth => "bandwidth",
            Reason::Overload => "overload",
            Reason::LayerIdle => "layer_idle",
            Reason::Hidden => "hidden",
            Reason::Muted => "muted",
        }
    }
}

/// The memory of one peer's allocation.
#[derive(Debug, Default)]
pub(crate) struct Allocator {
    /// Something changed on which it depends.
    pub(crate) is_dirty: bool,
    looked: Option<Instant>,
    /// Since when something could be raised.
    room_since: Option<Instant>,
    last_fall: Option<Instant>,
}

impl Allocator {
    /// Whether to look again.
    pub(crate) fn is_due(&self, now: Instant, estimate: Option<u64>) -> bool {
        let interval = match estimate {
            Some(_) => INTERVAL,
            None => IDLE_INTERVAL,
        };
        let is_old = |looked: Instant| now.saturating_duration_since(looked) >= interval;
        self.is_dirty || self.looked.is_none_or(is_old)
    }

    /// Divide an estimate (bits per second; `None`: there is no limit). One allotment for each demand.
    pub(crate) fn allocate(
        &mut self,
        now: Instant,
        estimate: Option<u64>,
        demands: &[Demand],
    ) -> Vec<Allotment> {
        self.is_dirty = false;
        self.looked = Some(now);
        let choices: Vec<Choice> = demands.iter().map(Choice::of).collect();
        let Some(estimate) = estimate else {
            let best = choices.iter().map(|choice| choice.allotment(choice.best()));
            return best.collect();
        };
        let kept = divide(estimate, demands, &choices, false);
        let raised = divide(estimate, demands, &choices, true);
        let is_lowered = |(demand, choice): (&Demand, &Choice), of: &Allotment| {
            choice.position(demand.held.target) > choice.position(of.target)
        };
        if demands
            .iter()
            .zip(&choices)
            .zip(&kept)
            .any(|(of, kept)| kept.reason == Reason::Bandwidth && is_lowered(of, kept))
        {
            self.last_fall = Some(now);
        }
        if raised == kept {
            self.room_since = None;
            return kept;
        }
        let room_since = *self.room_since.get_or_insert(now);
        let has_calmed = |fall: Instant| now.saturating_duration_since(fall) >= AFTER_FALL;
        if now.saturating_duration_since(room_since) >= ROOM_FOR
            && self.last_fall.is_none_or(has_calmed)
        {
            self.room_since = None;
            return raised;
        }
        kept
    }
}

/// What the path would have to carry for all that is asked for to be given, in bits per second. It is a little more
/// than a layer is raised into: what just suffices is not sought for.
pub(crate) fn wanted_bps(demands: &[Demand]) -> u64 {
    let costs = demands.iter().filter_map(cost);
    let sum: u64 = costs.map(|cost| cost.best).sum();
    (sum as f64 / RISING_SHARE * SOUGHT) as u64
}

/// What a subscription could be given.
#[derive(Clone, Copy, Debug)]
struct Choice {
    /// Layers that are sent and not larger than desired, lowest first; or what there is instead.
    layers: [usize; MAX_LAYERS],
    count: usize,
    desired: Option<usize>,
    /// The reason, if it gets the best of them.
    reason: Reason,
}

impl Choice {
    fn of(demand: &Demand) -> Self {
        let nothing = |reason| Self {
            layers: [0; MAX_LAYERS],
            count: 0,
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
        for (layer, _) in (0..=desired)
            .zip(layers)
            .filter(|(_, layer)| layer.is_active)
        {
            choice.push(layer);
        }
        if choice.count == 0 {
            // Too large is better than nothing. Where nothing is sent yet, wait for the right one.
            let larger = (desired..=top).find(|layer| layers[*layer].is_active);
            choice.push(larger.unwrap_or(desired));
        }
        choice.reason = match choice.best() {
            _ if top == 0 => Reason::OnlyOne,
            best if best != Some(desired) || !layers[desired].is_active => Reason::LayerIdle,
            best if best == Some(top) => Reason::Largest,
            _ => Reason::Viewport,
        };
        if demand.is_cut {
            choice.count = 1;
            choice.reason = Reason::Overload;
        }
        choice
    }

    fn push(&mut self, layer: usize) {
        self.layers[self.count] = layer;
        self.count += 1;
    }

    fn layers(&self) -> &[usize] {
        &self.layers[..self.count]
    }

    fn best(&self) -> Option<usize> {
        self.layers().last().copied()
    }

    /// How many of the layers are not above this one.
    fn position(&self, target: Option<usize>) -> usize {
        let is_within = |layer: &&usize| target.is_some_and(|target| **layer <= target);
        self.layers().iter().take_while(is_within).count()
    }

    fn allotment(&self, target: Option<usize>) -> Allotment {
        let reason = match target == self.best() {
            true => self.reason,
            false => Reason::Bandwidth,
        };
        Allotment {
            target,
            desired: self.desired,
            reason,
        }
    }
}

/// Give everything its lowest layer, and then raise in the order of importance what fits. Without `may_rise`
/// what bandwidth has lowered stays low.
fn divide(estimate: u64, demands: &[Demand], choices: &[Choice], may_rise: bool) -> Vec<Allotment> {
    let rate = |index: usize, layer: usize| demands[index].layers[layer].bitrate;
    let lowest = |index: usize| choices[index].layers().first().copied();
    let indices = 0..demands.len();
    let lowest_rates = indices
        .clone()
        .filter_map(|index| Some(rate(index, lowest(index)?)));
    let mut spent: u64 = lowest_rates.sum();
    let mut targets: Vec<Option<usize>> = indices.clone().map(lowest).collect();
    let rising_limit = (estimate as f64 * RISING_SHARE) as u64;
    let mut order: Vec<usize> = indices.filter(|index| choices[*index].count > 1).collect();
    order.sort_by_key(|index| Reverse(importance(&demands[*index])));
    for index in order {
        let (held, choice) = (demands[index].held, &choices[index]);
        let Some(low) = lowest(index) else { continue };
        let fits = |layer: &&usize| {
            let is_raised = held.target.is_none_or(|held| **layer > held);
            let is_kept_low = is_raised && held.reason == Reason::Bandwidth && !may_rise;
            let limit = if is_raised { rising_limit } else { estimate };
            let sum = (spent + rate(index, **layer)).saturating_sub(rate(index, low));
            !is_kept_low && sum <= limit
        };
        if let Some(&layer) = choice.layers().iter().rev().find(fits)
            && layer != low
        {
            spent = (spent + rate(index, layer)).saturating_sub(rate(index, low));
            targets[index] = Some(layer);
        }
    }
    let allotments = choices.iter().zip(targets);
    allotments
        .map(|(choice, target)| choice.allotment(target))
        .collect()
}

/// How much a viewer would miss a video. The larger is the more important: the speaker and shared screens, then what is
/// shown largest.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Importance {
    pub(crate) is_foremost: bool,
    /// Pixels of the display, or of the layer that is wanted where the viewer never said.
    pub(crate) area: u32,
}

/// Of a subscription, for its share of a path and of a worker's time.
pub(crate) fn importance(demand: &Demand) -> Importance {
    let layers = &demand.layers[..demand.count];
    Importance {
        is_foremost: demand.is_speaking || demand.is_screen,
        area: match demand.shown {
            Shown::At(size) => size.area(),
            Shown::Hidden => 0,
            Shown::Unknown => layers.last().map_or(0, |layer| layer.size.area()),
        },
    }
}

/// What a subscription takes, in bits per second.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Cost {
    /// The least that shows anything.
    pub(crate) lowest: u64,
    /// What is asked for, of what is sent.
    pub(crate) best: u64,
}

/// `None`: it gets nothing.
pub(crate) fn cost(demand: &Demand) -> Option<Cost> {
    let choice = Choice::of(demand);
    let rate = |layer: usize| demand.layers[layer].bitrate;
    Some(Cost {
        lowest: rate(*choice.layers().first()?),
        best: rate(choice.best()?),
    })
}
