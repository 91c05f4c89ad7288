//! The section `[limits]`: whatever a stranger can make grow, as keys, and handed on to whoever keeps each
//! limit. It keeps none itself.

use std::time::Duration;

use serde::{Deserialize, Serialize};

macro_rules! limits {
    ($($name:ident: $type:ty = $default:expr;)*) => {
        /// The keys of `[limits]`; `config/plenum.toml` says what each is for.
        #[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
        #[serde(deny_unknown_fields, default)]
        pub(crate) struct Limits {
            $(pub(crate) $name: $type,)*
        }

        impl Default for Limits {
            fn default() -> Self {
                Self { $($name: $default,)* }
            }
        }

        impl Limits {
            /// A limit of 0 would refuse everything, or divide by it.
            pub(super) fn check(&self) -> Result<(), String> {
                $(if self.$name == 0 {
                    return Err(concat!("limits.", stringify!($name), " is 0, but must be at least 1").into());
                })*
                if self.ping_interval_ms >= self.ping_timeout_ms {
                    return Err("limits.ping_interval_ms must be below limits.ping_timeout_ms".into());
                }
                Ok(())
            }
        }
    };
}

limits! {
    // HTTP
    http_body_bytes: usize = 1024 * 1024;
    http_header_ms: u64 = 10_000;
    connections: usize = 20_000;
    connections_per_address: usize = 256;
    joins_per_address_per_second: u32 = 20;
    requests_per_address_per_second: u32 = 100;
    live_subscribers: usize = 1_000;
    // WebSocket
    message_bytes: usize = 320 * 1024;
    outbox_bytes: usize = 1024 * 1024;
    outbox_messages: usize = 512;
    authentication_ms: u64 = 5_000;
    messages_per_second: u32 = 50;
    messages_burst: u32 = 200;
    // Signaling
    rooms: usize = 10_000;
    kept_rooms: usize = 100_000;
    participants: usize = 10_000;
    participants_per_room: usize = 1_000;
    waiting_per_room: usize = 500;
    scheduled_per_room: usize = 100;
    bans_per_room: usize = 1_000;
    presence_batched_above: usize = 100;
    presence_interval_ms: u64 = 100;
    tracks_per_participant: usize = 8;
    subscriptions_per_participant: usize = 200;
    unanswered_offers: usize = 16;
    logged_changes: usize = 1_024;
    name_bytes: usize = 256;
    url_bytes: usize = 2_048;
    mid_bytes: usize = 64;
    key_bytes: usize = 64;
    title_bytes: usize = 256;
    away_ms: u64 = 15_000;
    host_grace_ms: u64 = 300_000;
    ping_interval_ms: u64 = 5_000;
    ping_timeout_ms: u64 = 15_000;
    // Store
    waiting_commands: usize = 50_000;
    // Media
    sdp_bytes: usize = 256 * 1024;
    media_sections: usize = 64;
    ssrc_lines: usize = 64;
    candidates: usize = 64;
    inbound_ssrcs: usize = 64;
    audible_tracks: usize = 16;
    connect_ms: u64 = 10_000;
    handshake_bytes: usize = 64 * 1024;
    consent_ms: u64 = 30_000;
    inbound_bytes_per_second: u64 = 2_500_000;
    inbound_packets_per_second: u32 = 5_000;
    rtcp_packets_per_second: u32 = 500;
    key_frame_interval_ms: u64 = 500;
    retransmissions_of_one_packet: u8 = 5;
    cached_packets: usize = 512;
    replay_window: usize = 1_024;
    data_channels: usize = 32;
    data_message_bytes: usize = 64 * 1024;
    data_buffered_bytes: usize = 1024 * 1024;
    link_bytes: usize = 8 * 1024 * 1024;
}

impl Limits {
    /// What `Rooms` keeps to.
    pub(crate) fn signaling(&self) -> signaling::Limits {
        signaling::Limits {
            rooms: self.rooms,
            kept_rooms: self.kept_rooms,
            participants: self.participants,
            participants_per_room: self.participants_per_room,
            waiting_per_room: self.waiting_per_room,
            scheduled_per_room: self.scheduled_per_room,
            bans_per_room: self.bans_per_room,
            tracks_per_participant: self.tracks_per_participant,
            subscriptions_per_participant: self.subscriptions_per_participant,
            unanswered_offers: self.unanswered_offers,
            logged_changes: self.logged_changes,
            name_bytes: self.name_bytes,
            url_bytes: self.url_bytes,
            mid_bytes: self.mid_bytes,
            key_bytes: self.key_bytes,
            title_bytes: self.title_bytes,
            away_time: Duration::from_millis(self.away_ms),
            host_grace: Duration::from_millis(self.host_grace_ms),
            ping_interval: Duration::from_millis(self.ping_interval_ms),
            ping_timeout: Duration::from_millis(self.ping_timeout_ms),
            presence_batched_above: self.presence_batched_above,
            presence_interval: Duration::from_millis(self.presence_interval_ms),
        }
    }

    /// What an engine keeps.
    pub(crate) fn media(&self) -> media::Limits {
        #[expect(
            clippy::needless_update,
            reason = "a limit without a key yet has its default"
        )]
        media::Limits {
            sdp_bytes: self.sdp_bytes,
            media_sections: self.media_sections,
            ssrc_lines: self.ssrc_lines,
            candidates: self.candidates,
            subscriptions: self.subscriptions_per_participant,
            connect_time: Duration::from_millis(self.connect_ms),
            handshake_bytes: self.handshake_bytes,
            consent_time: Duration::from_millis(self.consent_ms),
            inbound_bytes_per_second: self.inbound_bytes_per_second,
            inbound_packets_per_second: self.inbound_packets_per_second,
            rtcp_packets_per_second: self.rtcp_packets_per_second,
            key_frame_interval: Duration::from_millis(self.key_frame_interval_ms),
            retransmissions_of_one_packet: self.retransmissions_of_one_packet,
            cached_packets: self.cached_packets,
            replay_window: self.replay_window,
            data_channels: self.data_channels,
            data_message_bytes: self.data_message_bytes,
            data_buffered_bytes: self.data_buffered_bytes,
            inbound_ssrcs: self.inbound_ssrcs,
            audible_tracks: self.audible_tracks,
            ..media::Limits::default()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_defaults_here_are_those_of_whoever_keeps_the_limits() {
        assert_eq!(Limits::default().signaling(), signaling::Limits::default());
        assert_eq!(Limits::default().media(), media::Limits::default());
    }

    #[test]
    fn every_limit_of_signaling_and_media_is_a_key() {
        let keys = toml::Table::try_from(Limits::default()).unwrap();
        let kept = format!(
            "{:?}{:?}",
            signaling::Limits::default(),
            media::Limits::default()
        );
        let fields = kept
            .split(['{', ','])
            .filter_map(|part| part.split_once(": "))
            .map(|(name, _)| name.trim());
        for field in fields {
            let key = match field {
                "subscriptions" => "subscriptions_per_participant".into(),
                "key_frame_interval" => "key_frame_interval_ms".into(),
                "ping_interval" | "ping_timeout" | "presence_interval" | "host_grace" => {
                    format!("{field}_ms")
                }
                _ => field.replace("_time", "_ms"),
            };
            assert!(keys.contains_key(&key), "{field} should be limits.{key}");
        }
    }

    #[test]
    fn a_limit_of_zero_is_refused_by_name() {
        let refusal = Limits {
            rooms: 0,
            ..Limits::default()
        }
        .check()
        .unwrap_err();
        assert!(refusal.contains("limits.rooms"), "{refusal}");
    }
}
