//! Everything that a stranger can make grow in the media plane, how far, and why that far.

use std::time::Duration;

/// The limits of the media plane. Each refusal is counted in `Statistics`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Bytes of an SDP offer. Chromium 156 writes 3 KiB for each section: 64 sections have 184 KiB.
    pub sdp_bytes: usize,
    /// Media sections of an offer.
    pub media_sections: usize,
    /// `a=ssrc` lines of an offer.
    pub ssrc_lines: usize,
    /// Candidates of an offer: they are passed over, but must be read.
    pub candidates: usize,
    /// Tracks that one peer may receive.
    pub subscriptions: usize,
    /// Time for ICE and DTLS, from the first offer.
    pub connect_time: Duration,
    /// Bytes of DTLS records a peer may send before its handshake is done; `rtc-dtls` alone would keep 2 MB.
    pub handshake_bytes: usize,
    /// Without a valid STUN request or a decrypted packet for this long, a peer is ended (RFC 7675).
    pub consent_time: Duration,
    /// A publisher's bytes per second.
    pub inbound_bytes_per_second: u64,
    /// A publisher's RTP packets per second.
    pub inbound_packets_per_second: u32,
    /// A peer's RTCP packets per second.
    pub rtcp_packets_per_second: u32,
    /// Between two key-frame requests for one layer: an encoder asked more often sends nothing else.
    pub key_frame_interval: Duration,
    /// Times one packet is sent again to one subscriber.
    pub retransmissions_of_one_packet: u8,
    /// Packets kept of each inbound layer to answer NACKs, at most: those of the last second.
    pub cached_packets: usize,
    /// Packets of the SRTP replay window.
    pub replay_window: usize,
    /// Data channels of a peer.
    pub data_channels: usize,
    /// Bytes of a data-channel message.
    pub data_message_bytes: usize,
    /// Bytes that wait for a slow receiver of data; beyond it messages to that receiver are dropped.
    pub data_buffered_bytes: usize,
    /// Tracks of sound that are forwarded of a room at once: the loudest. Nobody follows more voices, and among so
    /// many there is always one that has been silent for long, so that nobody's first word waits.
    pub audible_tracks: usize,
    /// SSRCs that one peer may send on, RTX included.
    pub inbound_ssrcs: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            sdp_bytes: 256 * 1024,
            media_sections: 64,
            ssrc_lines: 64,
            candidates: 64,
            subscriptions: 200,
            connect_time: Duration::from_secs(10),
            handshake_bytes: 64 * 1024,
            consent_time: Duration::from_secs(30),
            inbound_bytes_per_second: 20_000_000 / 8,
            inbound_packets_per_second: 5_000,
            rtcp_packets_per_second: 500,
            key_frame_interval: Duration::from_millis(500),
            retransmissions_of_one_packet: 5,
            cached_packets: 512,
            replay_window: 1_024,
            data_channels: 32,
            data_message_bytes: 64 * 1024,
            data_buffered_bytes: 1024 * 1024,
            audible_tracks: 16,
            inbound_ssrcs: 64,
        }
    }
}
