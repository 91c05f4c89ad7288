//! What is written reads back; what cannot be used is refused.

use super::*;
use crate::command_line::{Codec, Video};
use crate::crowd::Local;

fn local() -> Local {
    Local {
        ufrag: "load1".into(),
        password: "0123456789012345678901".into(),
        fingerprint: ["AB"; 32].join(":"),
        address: "192.0.2.7:5000".parse().unwrap(),
    }
}

fn sections(simulcast: bool) -> Vec<Section> {
    let video = PublishSpec::Video(Video {
        bitrate: 1,
        packet_bytes: 1_100,
        frames_per_second: 30,
        key_frame_interval: std::time::Duration::from_secs(1),
        codec: Codec::H264,
        simulcast,
    });
    let purposes = [
        Purpose::Send(PublishSpec::Audio, Layer::of(&PublishSpec::Audio)),
        Purpose::Send(video, Layer::of(&video)),
        Purpose::ReceiveVideo,
    ];
    let numbered = purposes.into_iter().enumerate();
    numbered
        .map(|(mid, purpose)| Section {
            mid: mid.to_string(),
            purpose,
        })
        .collect()
}

#[test]
fn an_offer_reads_back_as_what_it_says() {
    let read = Description::read(&offer(&local(), 1, &sections(true), false)).unwrap();
    assert_eq!(
        (read.ufrag.as_str(), read.setup.as_str()),
        ("load1", "actpass")
    );
    assert_eq!(read.fingerprint, [0xab; 32]);
    assert_eq!(read.addresses, [local().address]);
    assert_eq!(read.sections.len(), 3);
    assert_eq!(
        read.sections[0].payload_type(Payload::Opus),
        Some((111, None))
    );
    assert_eq!(
        read.sections[1].payload_type(Payload::H264),
        Some((102, Some(103)))
    );
    assert_eq!(read.sections[1].rids, ["q", "h", "f"]);
    assert_eq!(
        read.sections[2].payload_type(Payload::Vp8),
        Some((96, Some(97)))
    );
    assert_eq!(read.sections[2].extensions.transport_cc, None);
}

#[test]
fn feedback_is_offered_where_it_is_wanted() {
    let read = Description::read(&offer(&local(), 1, &sections(false), true)).unwrap();
    assert!(
        read.sections
            .iter()
            .all(|one| one.extensions.transport_cc == Some(3))
    );
}

#[test]
fn an_answer_keeps_the_numbers_of_the_offer_and_the_places_of_what_is_refused() {
    let text = offer(&local(), 1, &sections(false), false).replace("m=audio 9", "m=audio 0");
    let read = Description::read(&text).unwrap();
    let answered = Description::read(&answer(&local(), 1, &read, false)).unwrap();
    assert_eq!(answered.setup, "active");
    let used: Vec<bool> = answered.sections.iter().map(|one| one.is_used).collect();
    assert_eq!(used, [false, true, true]);
    assert_eq!(
        answered.sections[1].payload_types,
        read.sections[1].payload_types
    );
    assert_eq!(answered.sections[1].extensions, read.sections[1].extensions);
}

#[test]
fn a_description_without_what_is_needed_is_refused_with_a_sentence() {
    let whole = offer(&local(), 1, &sections(false), false);
    for (gone, named) in [("a=ice-pwd", "a=ice-pwd"), ("a=fingerprint", "SHA-256")] {
        let lines = whole.lines().filter(|line| !line.starts_with(gone));
        let text = lines.collect::<Vec<_>>().join("\r\n");
        let error = Description::read(&text).unwrap().remote(true).unwrap_err();
        assert!(error.to_string().contains(named), "{error}");
    }
    assert!(Description::read("").is_err());
    assert!(Description::read("m=video").is_err());
}
