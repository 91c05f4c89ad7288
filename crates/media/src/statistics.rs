//! What the engine counts. Plain numbers, written by the engine's thread alone, copied out now and then.

use std::ops::AddAssign;

/// Counters and gauges of one engine. Counters only grow.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Statistics {
    /// Peers whose ICE and DTLS are not done.
    pub peers_connecting: u64,
    /// Peers whose media may flow.
    pub peers_connected: u64,
    /// Published tracks.
    pub tracks: u64,
    /// Tracks of other engines' publishers, whose packets come from there.
    pub relayed_tracks: u64,
    /// Subscriptions that have a media section.
    pub subscriptions: u64,
    /// RTP packets received and accepted.
    pub inbound_packets: u64,
    /// Their bytes, decrypted, headers included.
    pub inbound_bytes: u64,
    /// RTP packets sent, retransmissions included.
    pub outbound_packets: u64,
    /// Their bytes before encryption, headers included.
    pub outbound_bytes: u64,
    /// Sequence numbers that subscribers asked for again.
    pub inbound_nacks: u64,
    /// Sequence numbers asked of publishers again.
    pub outbound_nacks: u64,
    /// Key-frame requests (PLI or FIR) from subscribers.
    pub inbound_key_frame_requests: u64,
    /// Key-frame requests (PLI) to publishers.
    pub outbound_key_frame_requests: u64,
    /// Packets sent again to subscribers.
    pub outbound_retransmissions: u64,
    /// Packets received again from publishers that were missing.
    pub inbound_retransmissions: u64,
    /// Packets passed on to other engines, counted once for each.
    pub relayed_packets: u64,
    /// Data-channel messages relayed, counted once for each receiver.
    pub data_messages: u64,
    /// The paths to subscribers.
    pub paths: PathStatistics,
    /// Packets of video that one subscriber was not sent because there was more to do than could be done.
    pub overload_packets: u64,
    /// The frames they were of.
    pub overload_frames: u64,
    /// Datagrams and packets dropped, by reason.
    pub dropped: [u64; DropReason::ALL.len()],
}

/// What is known of the paths to subscribers, and what was done about it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct PathStatistics {
    /// Subscribers of whose paths there is an estimate: a gauge.
    pub estimated: u64,
    /// What these paths carry together, in bits per second: a gauge.
    pub estimated_bps: u64,
    /// Probes that were begun.
    pub probes: u64,
    /// Packets sent again only to probe a path.
    pub probe_packets: u64,
    /// Video packets that waited for room.
    pub paced_packets: u64,
    /// Pictures broken off because a path did not carry them in time; they went on at a key frame.
    pub pictures_broken_off: u64,
}

impl AddAssign for PathStatistics {
    fn add_assign(&mut self, other: Self) {
        self.estimated += other.estimated;
        self.estimated_bps += other.estimated_bps;
        self.probes += other.probes;
        self.probe_packets += other.probe_packets;
        self.paced_packets += other.paced_packets;
        self.pictures_broken_off += other.pictures_broken_off;
    }
}

impl Statistics {
    pub(crate) fn drop_for(&mut self, reason: DropReason) {
        self.dropped[reason as usize] += 1;
    }

    /// How many were dropped for this reason.
    pub fn dropped_for(&self, reason: DropReason) -> u64 {
        self.dropped[reason as usize]
    }
}

macro_rules! reasons {
    ($($(#[doc = $doc:literal])+ $name:ident $label:literal;)*) => {
        /// Why something was dropped: a label of `plenum_dropped_total`.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub enum DropReason { $($(#[doc = $doc])+ $name,)* }

        impl DropReason {
            /// Every reason, in the order of `Statistics::dropped`.
            pub const ALL: &[DropReason] = &[$(DropReason::$name,)*];

            /// The label.
            pub const fn as_str(self) -> &'static str {
                match self { $(DropReason::$name => $label,)* }
            }
        }
    };
}

reasons! {
    /// From an address that no peer has proven, and not a STUN request.
    UnknownAddress "unknown_address";
    /// Neither STUN, DTLS, RTP nor RTCP, or broken.
    Malformed "malformed";
    /// A STUN request with a wrong or missing username or integrity.
    StunUnauthorized "stun_unauthorized";
    /// DTLS from an address that ICE has not validated for that peer.
    DtlsUnvalidated "dtls_unvalidated";
    /// A DTLS record that could not be used, or too much handshake.
    DtlsFailed "dtls_failed";
    /// Media before the handshake was done.
    NotConnected "not_connected";
    /// SRTP that does not open: wrong key, damaged.
    SrtpAuthentication "srtp_authentication";
    /// SRTP already seen, or older than the replay window.
    SrtpReplay "srtp_replay";
    /// RTP of no published track.
    UnknownSsrc "unknown_ssrc";
    /// RED whose blocks do not add up (RFC 2198).
    RedMalformed "red_malformed";
    /// Sound that is not among the loudest of its room: held back, as it should be.
    Unheard "unheard";
    /// RTP over the rate of a publisher.
    InboundRate "inbound_rate";
    /// RTCP over the rate of a peer.
    RtcpRate "rtcp_rate";
    /// RTCP that cannot be read.
    RtcpMalformed "rtcp_malformed";
    /// A retransmission refused: too often, too late, or no longer cached.
    RetransmissionRefused "retransmission_refused";
    /// Video that a subscriber's path did not carry in time.
    PathFull "path_full";
    /// A data message without permission, too large, or to a receiver that is too slow.
    Data "data";
    /// A panic while serving a peer; the peer is ended.
    Panic "panic";
    /// A packet for another engine that does not keep up, or of a track that is no longer relayed there.
    Link "link";
    /// A command for a peer or a track that is gone.
    StaleCommand "stale_command";
}
