//! The codecs that Plenum forwards, and how one is told from another in SDP.

use protocol::TrackKind;

/// A codec with what must agree between sender and receiver.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Codec {
    /// Opus, 48 kHz, two channels (RFC 7587).
    Opus,
    /// Opus packets with earlier ones before them, against loss (RFC 2198).
    Red,
    /// VP8 (RFC 7741).
    Vp8,
    /// VP9 with its profile, 0 to 3 (RFC 9628).
    Vp9 {
        /// `profile-id`.
        profile: u8,
    },
    /// H.264 (RFC 6184).
    H264 {
        /// The profile that `profile-level-id` names.
        profile: H264Profile,
        /// `packetization-mode`: 0 or 1.
        packetization_mode: u8,
    },
    /// AV1 with its profile, 0 to 2 (AV1 RTP specification).
    Av1 {
        /// `profile`.
        profile: u8,
    },
}

/// A profile of H.264 that Plenum forwards. The level is no part of it: `level-asymmetry-allowed`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum H264Profile {
    /// `42e0..`, and whatever RFC 6184 section 8.1 counts as the same.
    ConstrainedBaseline,
    /// `4200..`.
    Baseline,
    /// `4d00..`.
    Main,
    /// `640c..`.
    ConstrainedHigh,
    /// `6400..`.
    High,
}

impl Codec {
    /// Audio or video.
    pub(crate) const fn kind(self) -> TrackKind {
        match self {
            Codec::Opus | Codec::Red => TrackKind::Audio,
            _ => TrackKind::Video,
        }
    }

    /// Ticks of the RTP timestamp per second.
    pub(crate) const fn clock_rate(self) -> u32 {
        match self {
            Codec::Opus | Codec::Red => 48_000,
            _ => 90_000,
        }
    }
}
