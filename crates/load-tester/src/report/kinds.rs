//! Sound and pictures told apart: what a listener hears, and what a decoder sees.

use serde::{Deserialize, Serialize};

use crate::measurements::Kinds;

/// The packets of sound, which are in `delivery` as well.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Sound {
    /// Packets that should have come.
    pub offered: u64,
    /// Different packets that came.
    pub delivered: u64,
    /// Packets that never came.
    pub lost: u64,
    /// Milliseconds from a packet's sending to its receipt: half of them took no longer.
    pub delay_p50_ms: Option<f64>,
    /// 99 of 100 took no longer.
    pub delay_p99_ms: Option<f64>,
    /// None took longer.
    pub delay_max_ms: Option<f64>,
}

/// Frames of video, counted once for each receiver.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Pictures {
    /// Every packet came, and all that the frame builds on.
    pub whole: u64,
    /// Some of it came, and a decoder could not show it: a packet was missing, or what it builds on.
    pub broken: u64,
}

impl Sound {
    pub(super) fn of(kinds: &Kinds) -> Self {
        let delay = &kinds.sound_delay_us;
        let milliseconds = |us: u64| (!delay.is_empty()).then_some(us as f64 / 1e3);
        Self {
            offered: kinds.sound.offered,
            delivered: kinds.sound.delivered,
            lost: kinds.sound.lost,
            delay_p50_ms: milliseconds(delay.value_at_quantile(0.5)),
            delay_p99_ms: milliseconds(delay.value_at_quantile(0.99)),
            delay_max_ms: milliseconds(delay.max()),
        }
    }
}

impl Pictures {
    pub(super) fn of(kinds: &Kinds) -> Self {
        Self {
            whole: kinds.whole_frames,
            broken: kinds.broken_frames,
        }
    }
}
