//! To which layer a bound of temporal layers applies, where another than the one that is sent is awaited.

use super::*;
use crate::codec::Codec;

/// A viewer of simulcast layers in VP8, each with two temporal layers.
struct Viewer {
    selector: LayerSelector,
    picture: u16,
}

const HALF: Option<u8> = Some(0);
const WHOLE: Option<u8> = None;

impl Viewer {
    /// One who gets a layer with so many of its frames.
    fn of(target: usize, temporal: Option<u8>) -> Self {
        let mut viewer = Self {
            selector: LayerSelector::new(),
            picture: 0,
        };
        viewer.allot(target, temporal);
        assert!(viewer.key_frame(target));
        viewer
    }

    /// As the allocation has it, which says the same again and again.
    fn allot(&mut self, target: usize, temporal: Option<u8>) {
        for _ in 0..3 {
            self.selector.set_target(Some(target));
            self.selector.set_temporal(temporal);
        }
    }

    fn key_frame(&mut self, layer: usize) -> bool {
        self.frame(layer, 0, true)
    }

    /// Whether a frame goes out. Each of the upper temporal layer leans on the lower one alone: it can begin anywhere.
    fn frame(&mut self, layer: usize, temporal: u8, is_key: bool) -> bool {
        self.picture += 1;
        let [high, low] = self.picture.to_be_bytes();
        let layers = temporal << 6 | temporal << 5;
        let payload = [0x90, 0xe0, 0x80 | high, low, 0, layers, u8::from(!is_key)];
        let frame = Frame::read(Codec::Vp8, &payload, None, None);
        let timestamp = u32::from(self.picture) * 3_000;
        self.selector.on_packet(layer, frame.starts_key_frame) != Decision::Drop
            && self.selector.on_frame(timestamp, &frame, None) != Lot::Dropped
    }

    /// Which frames of a layer go out: of the lower temporal layer, and of the upper one.
    fn gets(&mut self, layer: usize) -> [bool; 2] {
        let pairs = [0; 4].map(|_| [0, 1].map(|temporal| self.frame(layer, temporal, false)));
        assert!(pairs.iter().all(|pair| *pair == pairs[0]), "{pairs:?}");
        pairs[0]
    }
}

#[test]
fn on_the_way_down_the_larger_layer_gets_no_more_frames_until_the_switch() {
    for target in [1, 0] {
        let mut viewer = Viewer::of(2, HALF);
        assert_eq!(viewer.gets(2), [true, false]);
        viewer.allot(target, WHOLE);
        assert_eq!(viewer.gets(2), [true, false]);
        assert!(viewer.key_frame(target));
        assert_eq!(viewer.gets(target), [true, true]);
    }
}

#[test]
fn on_the_way_down_the_larger_layer_gets_fewer_frames_at_once() {
    let mut viewer = Viewer::of(2, WHOLE);
    viewer.allot(1, HALF);
    assert_eq!(viewer.gets(2), [true, false]);
    viewer.allot(0, WHOLE);
    assert_eq!(viewer.gets(2), [true, false], "further down");
    viewer.allot(2, WHOLE);
    assert_eq!(viewer.gets(2), [true, true], "it is to stay after all");
}

#[test]
fn on_the_way_up_the_smaller_layer_stays_as_it_is_until_the_switch() {
    for (before, after) in [(WHOLE, HALF), (HALF, WHOLE), (WHOLE, WHOLE), (HALF, HALF)] {
        let mut viewer = Viewer::of(0, before);
        viewer.allot(1, after);
        assert_eq!(viewer.gets(0), [true, before == WHOLE]);
        assert!(viewer.key_frame(1));
        assert_eq!(viewer.gets(1), [true, after == WHOLE]);
    }
}

#[test]
fn of_the_layer_that_is_sent_a_bound_holds_at_once_and_after_the_next_switch_too() {
    let mut viewer = Viewer::of(1, WHOLE);
    viewer.allot(1, HALF);
    assert_eq!(viewer.gets(1), [true, false]);
    viewer.selector.start_again();
    assert!(viewer.key_frame(1));
    assert_eq!(viewer.gets(1), [true, false]);
}

#[test]
fn whoever_begins_with_a_smaller_layer_than_was_allotted_gets_all_of_it() {
    let mut viewer = Viewer {
        selector: LayerSelector::new(),
        picture: 0,
    };
    viewer.allot(1, HALF);
    assert!(viewer.key_frame(0));
    assert_eq!(viewer.gets(0), [true, true]);
    viewer.allot(1, HALF);
    assert_eq!(viewer.gets(0), [true, true]);
    assert!(viewer.key_frame(1));
    assert_eq!(viewer.gets(1), [true, false]);
}

#[test]
fn a_selector_is_no_larger_for_it() {
    assert_eq!(size_of::<LayerSelector>(), 136);
}
