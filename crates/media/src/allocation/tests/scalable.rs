//! What the allocator gives of a single stream with several sizes in it (SVC): to a viewer it is as simulcast is.

use protocol::{ParticipantId, TrackId, TrackSource};

use super::*;
use crate::Limits;
use crate::inbound::Track;
use crate::inbound::track::Publisher;
use crate::link::Description;

/// A camera in one stream.
fn track() -> Track {
    let (id, participant) = (TrackId::from_bits(1), ParticipantId::from_bits(1));
    let (publisher, source) = (Publisher::Here(0), TrackSource::Camera);
    let mut track = Track::new(id, publisher, participant, source, "0".into(), false);
    let description = Description {
        track: id,
        payloads: Vec::new(),
        extensions: Default::default(),
        rids: vec![None],
        clock_rate: 90_000,
    };
    track.take(description, &Limits::default());
    track
}

/// Three seconds of so many sizes, each with twice the bits of the one below, in two temporal layers.
fn send(track: &mut Track, sizes: u8) -> Instant {
    let mut now = test_time::start();
    for frame in 0..90_u32 {
        now += Duration::from_millis(33);
        for spatial in 0..sizes {
            let within = (spatial, (frame % 2) as u8);
            track.layers[0]
                .bitrate
                .on_packet(now, within, 500 << spatial);
        }
        track.note_arrival(0, now, frame * 3_000);
    }
    now
}

#[test]
fn each_size_of_a_stream_is_a_layer_and_takes_those_below_it() {
    let mut track = track();
    track.layers[0].size = Some(size(1280, 720));
    let now = send(&mut track, 3);
    let figures = assign::figures(now, &track);
    assert_eq!(assign::count(&track), 3);
    let sizes = [size(320, 180), size(640, 360), size(1280, 720)];
    for (at, expected) in sizes.into_iter().enumerate() {
        let layer = &figures[at];
        assert_eq!((layer.is_active, layer.size), (true, expected));
        // 121 kbit/s for the lowest.
        let bitrate = 121 * KBIT * ((2 << at) - 1);
        assert!(layer.bitrate.abs_diff(bitrate) < bitrate / 10, "{layer:?}");
        let [half] = layer.lower_rates() else {
            panic!("{layer:?}");
        };
        assert!(half.abs_diff(bitrate / 2) < bitrate / 10, "{layer:?}");
    }
}

#[test]
fn a_stream_of_one_size_is_one_layer() {
    let mut track = track();
    let now = send(&mut track, 1);
    assert_eq!(assign::count(&track), 1);
    let figures = assign::figures(now, &track);
    assert_eq!(figures[0].temporal_layers, 2);
}

#[test]
fn what_nothing_came_of_is_one_layer_of_the_usual_size() {
    let figures = assign::figures(test_time::start(), &track());
    assert_eq!(figures[0].size, size(1280, 720));
    assert_eq!(figures[0].bitrate, 2 * 1280 * 720);
    assert!(!figures[0].is_active && figures[0].lower_rates().is_empty());
}
