//! Which layer of each track a peer gets: it divides the peer's estimate between its subscriptions. A pure
//! function of figures, with a memory only for not changing its mind too often; it knows no packets.
//!
//! Audio comes first and is never withheld. Then everything that is seen gets its lowest layer. What is left
//! raises the speaker and shared screens, then what is shown largest, each to the smallest layer that fills its
//! place on the viewer's page.
//!
//! Where a stream has temporal layers, each size of it can be had with fewer frames, and what does not fit is tried in
//! this order: all frames, half of them, then the next smaller size with all frames, half of them, and so on. Of the
//! smallest size, and of a stream that has but one, a quarter follows. Half as many frames of the same picture are
//! hardly noticed where nothing moves fast, and need no key frame to begin or to end; a smaller picture is noticed
//! whatever it shows, and a quarter is no movement any more. A stream with spatial layers (SVC) is one with so many
//! sizes, as simulcast is.

use std::cmp::Reverse;
use std::time::{Duration, Instant};

use crate::inbound::TEMPORAL;

pub(crate) mod assign;
mod choice;
mod desire;
mod explain;
#[cfg(test)]
mod tests;

use self::choice::{Choice, Step};
pub(crate) use self::desire::{Size, sizes};
pub(crate) use self::explain::explain;
pub use self::explain::{ForwardedTrack, Forwarding, LayerReport};

/// Layers of a track: simulcast has three in every client there is; one more is harmless.
pub(crate) const MAX_LAYERS: usize = 4;

/// With an estimate, which changes by itself, the peer is looked at so often: as peers at rest are looked after.
const INTERVAL: Duration = Duration::from_millis(200);
/// Without one, or with nothing that depends on it, nothing changes that does not say so; this is for what forgot to.
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
    /// How many layers there are: simulcast's, or the spatial ones of a single stream.
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
    /// How many temporal layers it has, if that is known; each has about half of the frames that those up to it have.
    pub(crate) temporal_layers: usize,
    /// Bits per second up to each temporal layer, but the highest.
    pub(crate) lower: [u64; TEMPORAL - 1],
    pub(crate) size: Size,
}

impl LayerFigures {
    /// Bits per second up to each temporal layer, but the highest: lowest first.
    pub(crate) fn lower_rates(&self) -> &[u64] {
        let lower = self.temporal_layers.saturating_sub(1);
        &self.lower[..lower.min(self.lower.len())]
    }
}

/// What a subscription is given.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Allotment {
    /// `None`: nothing.
    pub(crate) target: Option<usize>,
    /// The highest temporal layer of it; `None` is every frame.
    pub(crate) temporal: Option<u8>,
    /// The layer that would fill its place on the page, whether it is sent, or fits, or not.
    pub(crate) desired: Option<usize>,
    pub(crate) reason: Reason,
}

impl Default for Allotment {
    fn default() -> Self {
        Self {
            target: None,
            temporal: None,
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
    /// The track has one layer, and all of it is given.
    OnlyOne,
    /// The largest layer, for it is shown so large, or the viewer never said how large.
    Largest,
    /// A smaller layer fills its place on the viewer's page.
    Viewport,
    /// A larger one, or all its frames, would not fit into the estimate.
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
    /// Whether to look again. `estimate`: the peer's, if what it gets depends on that.
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
            choice.position(demand.held) > choice.position(*of)
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

/// Give everything its least, and then raise in the order of importance what fits: first to every frame of the
/// lowest layer, then to what is asked for. Without `may_rise` what bandwidth has lowered stays low.
fn divide(estimate: u64, demands: &[Demand], choices: &[Choice], may_rise: bool) -> Vec<Allotment> {
    let least = |choice: &Choice| choice.steps().first().copied();
    let mut given: Vec<Option<Step>> = choices.iter().map(least).collect();
    let mut spent: u64 = given.iter().flatten().map(|step| step.rate).sum();
    let rising_limit = (estimate as f64 * RISING_SHARE) as u64;
    let mut order: Vec<usize> = (0..demands.len())
        .filter(|index| choices[*index].steps().len() > 1)
        .collect();
    order.sort_by_key(|index| Reverse(importance(&demands[*index])));
    for goal in [Choice::whole, Choice::best] {
        for &index in &order {
            let (held, choice) = (demands[index].held, &choices[index]);
            let (Some(goal), Some(low)) = (goal(choice), given[index]) else {
                continue;
            };
            let fits = |step: &&Step| {
                let is_raised = step.is_above(held);
                let is_kept_low = is_raised && held.reason == Reason::Bandwidth && !may_rise;
                let limit = if is_raised { rising_limit } else { estimate };
                !is_kept_low && (spent + step.rate).saturating_sub(low.rate) <= limit
            };
            let steps = choice.steps().iter().rev();
            let mut above = steps
                .skip_while(|step| **step != goal)
                .take_while(|step| **step != low);
            if let Some(&step) = above.find(fits) {
                spent = (spent + step.rate).saturating_sub(low.rate);
                given[index] = Some(step);
            }
        }
    }
    let allotments = choices.iter().zip(given);
    allotments
        .map(|(choice, step)| choice.allotment(step))
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
    /// Of every frame of the lowest layer.
    pub(crate) lowest: u64,
    /// What is asked for, of what is sent.
    pub(crate) best: u64,
}

/// `None`: it gets nothing.
pub(crate) fn cost(demand: &Demand) -> Option<Cost> {
    let choice = Choice::of(demand);
    Some(Cost {
        lowest: choice.whole()?.rate,
        best: choice.best()?.rate,
    })
}
