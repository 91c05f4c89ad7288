//! The measurements of a run that never was, without a fault: tests of the report plant theirs in it.

use std::time::Duration;

use super::super::Machine;
use crate::measurements::{
    Delivery, Generator, Join, Kinds, Measurements, PacketBytes, Process, Second, histogram,
};

pub(super) fn machine() -> Machine {
    Machine {
        cpu: Some("AMD EPYC".to_owned()),
        cores: Some(2),
        memory_bytes: Some(8_000_000_000),
        kernel: Some("Linux 6.18.0".to_owned()),
    }
}

/// 10,000 packets of 1,000 bytes in 2 s to 10 subscribers, each after 1 ms but the slowest.
pub(super) fn clean() -> Measurements {
    let mut delay_us = histogram();
    delay_us.record_n(1_000, 9_950).unwrap();
    delay_us.record_n(4_000, 49).unwrap();
    delay_us.record(8_000).unwrap();
    let mut lag_us = histogram();
    lag_us.record_n(50, 999).unwrap();
    lag_us.record(400).unwrap();
    let second = |at| Second {
        at,
        packets: 5_000,
        bytes: 5_000_000,
        delay_p50_us: 1_000,
        delay_p99_us: 1_000,
        server_cpu_seconds: Some(0.0175),
        server_rss_bytes: Some(8_200_000),
        server_descriptors: Some(21),
        participants: 11,
    };
    let join = |first_packet: Option<u64>| Join {
        joined: Some(Duration::from_millis(12)),
        connected: Some(Duration::from_millis(40)),
        first_packet: first_packet.map(Duration::from_millis),
        first_key_frame: first_packet.map(|ms| Duration::from_millis(ms + 5)),
    };
    let mut joins = vec![join(None)];
    joins.extend([join(Some(45)); 10]);
    Measurements {
        scenario: "fanout".to_owned(),
        settings: [("subscribers", "10"), ("media", "video")]
            .map(|(name, value)| (name.to_owned(), value.to_owned()))
            .to_vec(),
        server: "Plenum 0.1.0".to_owned(),
        url: "http://127.0.0.1:8080".to_owned(),
        srtp_profiles: vec!["AEAD_AES_128_GCM".to_owned()],
        counted: Duration::from_secs(2),
        interrupted: false,
        joins,
        failures: Vec::new(),
        failure_count: 0,
        delivery: Delivery {
            offered: 10_000,
            delivered: 10_000,
            delivered_bytes: 10_000_000,
            ..Delivery::default()
        },
        delay_us,
        kinds: kinds(),
        seconds: vec![second(1.0), second(2.0)],
        generator: Generator {
            lag_us,
            packet_interval: Duration::from_micros(3_500),
            cpu_seconds: 0.05,
            socket_drops: 0,
            threads: 2,
        },
        packet_bytes: vec![PacketBytes {
            kind: "video".to_owned(),
            smallest: 300,
            largest: 1_100,
        }],
        process: Some(Process {
            cpu_seconds: 0.035,
            rss_idle_bytes: 8_000_000,
            rss_peak_bytes: 8_300_000,
            rss_bytes: 8_210_000,
        }),
        steps: Vec::new(),
    }
}

/// A fifth of the packets was sound.
fn kinds() -> Kinds {
    let mut sound_delay_us = histogram();
    sound_delay_us.record_n(500, 2_000).unwrap();
    Kinds {
        sound: Delivery {
            offered: 2_000,
            delivered: 2_000,
            ..Delivery::default()
        },
        sound_delay_us,
        whole_frames: 900,
        broken_frames: 0,
    }
}
