//! Which simulcast layer of a track one subscriber gets, which frames of it, and where either may change. It
//! never decides which would be best, and never asks for a key frame itself.

mod within;

pub(crate) use within::Lot;

use self::within::{ALL, Bounds, Within};
use crate::rtp::codec::Frame;
use crate::rtp::codec::dependency::Structure;

/// What to do with a packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Decision {
    /// Forward it.
    Forward,
    /// Forward it: it is the first of another layer, or the first at all or after a pause.
    Switch,
    /// Do not forward it.
    Drop,
}

/// The layer a subscriber gets. Layers count from 0, the lowest; a track without simulcast is layer 0.
#[derive(Clone, Copy, Debug)]
#[repr(C)] // What each packet needs comes first: see `Peer`.
pub(crate) struct LayerSelector {
    target: Option<usize>,
    current: Option<usize>,
    within: Within,
}

impl LayerSelector {
    /// Paused, until a target is set; and then with every frame of it.
    pub(crate) fn new() -> Self {
        Self {
            target: None,
            current: None,
            within: Within::new(),
        }
    }

    /// The layer to go to at its next key frame; the present one is kept until then. `None` pauses at once, and
    /// what comes after a pause begins at a key frame.
    pub(crate) fn set_target(&mut self, target: Option<usize>) {
        self.target = target;
        if target.is_none() {
            self.current = None;
        }
    }

    /// The highest temporal layer to forward of the target; `None` is all of them. Fewer from the next frame on,
    /// more from where the stream allows it, which may take a second. No key frame is needed.
    ///
    /// The layer that is sent until the target's key frame does not get more by it, for what a smaller one may have
    /// would be too much of a larger one. It gets less if it is the larger one, where less is to be sent soon; and
    /// not where more is.
    pub(crate) fn set_temporal(&mut self, highest: Option<u8>) {
        let highest = highest.unwrap_or(ALL.temporal);
        self.within.await_temporal(highest);
        let wanted = self.within.wanted();
        let temporal = match (self.current, self.target) {
            (Some(current), Some(target)) if target < current => wanted.temporal.min(highest),
            (Some(current), Some(target)) if target > current => wanted.temporal,
            _ => highest,
        };
        self.within.want(Bounds { temporal, ..wanted });
    }

    /// The highest spatial layer to forward where one stream has several (VP9, AV1); `None` is all of them. More
    /// from the next key frame on.
    pub(crate) fn set_spatial(&mut self, highest: Option<u8>) {
        self.within.want(Bounds {
            spatial: highest.unwrap_or(ALL.spatial),
            ..self.within.wanted()
        });
    }

    /// What becomes of the frame of a packet that is to be forwarded or switched to.
    pub(crate) fn on_frame(
        &mut self,
        timestamp: u32,
        frame: &Frame,
        structure: Option<&Structure>,
    ) -> Lot {
        self.within.on_packet(timestamp, frame, structure)
    }

    /// What became of the frame of a packet that was sent, if that is still known.
    pub(crate) fn lot(&self, timestamp: u32, frame: &Frame) -> Option<Lot> {
        self.within.lot(timestamp, frame.layers.numbers().0)
    }

    /// What was forwarded is broken off, and begins again at a key frame of the target or below.
    pub(crate) fn start_again(&mut self) {
        self.current = None;
    }

    /// Decide about a packet of `layer`.
    ///
    /// With nothing to see yet, a key frame of a layer below the target is taken as well: publishers bring up
    /// their higher layers late, or never, and a small picture now is better than a black one.
    pub(crate) fn on_packet(&mut self, layer: usize, is_key_frame_start: bool) -> Decision {
        if self.current == Some(layer) {
            return Decision::Forward;
        }
        let Some(target) = self.target else {
            return Decision::Drop;
        };
        let is_wanted = layer == target || (self.current.is_none() && layer < target);
        if !is_wanted || !is_key_frame_start {
            return Decision::Drop;
        }
        self.current = Some(layer);
        self.within.restart(layer == target);
        Decision::Switch
    }

    /// Forward nothing until the next key frame of the target.
    pub(crate) fn pause(&mut self) {
        self.current = None;
    }

    /// The layer of which a key frame is awaited.
    pub(crate) fn wants_key_frame(&self) -> Option<usize> {
        self.target.filter(|_| self.target != self.current)
    }

    /// The layer that should have a key frame: one is awaited of it, or it is forwarded and could go on from one
    /// with more of its spatial layers.
    pub(crate) fn needs_key_frame(&self) -> Option<usize> {
        let is_smaller = self.within.awaits_key_frame();
        self.wants_key_frame()
            .or(self.current.filter(|_| is_smaller))
    }

    /// The highest spatial layer that is being forwarded, where one stream has several; `None`: all of them.
    pub(crate) fn spatial(&self) -> Option<u8> {
        let spatial = self.within.spatial();
        (spatial != ALL.spatial).then_some(spatial)
    }

    /// The layer that is being forwarded.
    pub(crate) fn current(&self) -> Option<usize> {
        self.current
    }

    /// The layer asked for.
    pub(crate) fn target(&self) -> Option<usize> {
        self.target
    }
}

#[cfg(test)]
mod bounds_tests;

#[cfg(test)]
mod tests {
    use super::*;
    use Decision::{Drop, Forward, Switch};

    const KEY: bool = true;
    const DELTA: bool = false;

    fn selector(target: usize) -> LayerSelector {
        let mut selector = LayerSelector::new();
        selector.set_target(Some(target));
        selector
    }

    #[test]
    fn nothing_is_forwarded_without_a_target() {
        let mut selector = LayerSelector::new();
        assert_eq!(selector.on_packet(0, KEY), Drop);
        assert_eq!(
            (selector.current(), selector.wants_key_frame()),
            (None, None)
        );
    }

    #[test]
    fn a_single_layer_begins_at_a_key_frame() {
        let mut selector = selector(0);
        assert_eq!(selector.wants_key_frame(), Some(0));
        assert_eq!(selector.on_packet(0, DELTA), Drop);
        assert_eq!(selector.on_packet(0, KEY), Switch);
        assert_eq!(
            (selector.current(), selector.wants_key_frame()),
            (Some(0), None)
        );
        assert_eq!(selector.on_packet(0, DELTA), Forward);
        assert_eq!(selector.on_packet(0, KEY), Forward);
    }

    #[test]
    fn the_old_layer_is_kept_until_a_key_frame_of_the_new() {
        let mut selector = selector(0);
        assert_eq!(selector.on_packet(0, KEY), Switch);
        selector.set_target(Some(2));
        assert_eq!(selector.wants_key_frame(), Some(2));
        assert_eq!(selector.on_packet(0, DELTA), Forward);
        assert_eq!(selector.on_packet(2, DELTA), Drop);
        assert_eq!(selector.on_packet(1, KEY), Drop);
        assert_eq!(selector.on_packet(0, KEY), Forward);
        assert_eq!(selector.on_packet(2, KEY), Switch);
        assert_eq!(
            (selector.current(), selector.wants_key_frame()),
            (Some(2), None)
        );
        assert_eq!(selector.on_packet(0, KEY), Drop);
        assert_eq!(selector.on_packet(2, DELTA), Forward);
    }

    #[test]
    fn the_way_down_waits_for_a_key_frame_as_well() {
        let mut selector = selector(2);
        assert_eq!(selector.on_packet(2, KEY), Switch);
        selector.set_target(Some(0));
        assert_eq!(selector.on_packet(2, DELTA), Forward);
        assert_eq!(selector.on_packet(0, DELTA), Drop);
        assert_eq!(selector.on_packet(0, KEY), Switch);
        assert_eq!(selector.on_packet(2, KEY), Drop);
    }

    #[test]
    fn a_target_taken_back_leaves_everything_as_it_was() {
        let mut selector = selector(1);
        assert_eq!(selector.on_packet(1, KEY), Switch);
        selector.set_target(Some(2));
        selector.set_target(Some(1));
        assert_eq!(selector.wants_key_frame(), None);
        assert_eq!(selector.on_packet(2, KEY), Drop);
        assert_eq!(selector.on_packet(1, DELTA), Forward);
    }

    #[test]
    fn with_nothing_to_see_a_lower_layer_is_taken_and_the_target_still_wanted() {
        let mut selector = selector(1);
        assert_eq!(selector.on_packet(2, KEY), Drop, "more than was asked for");
        assert_eq!(selector.on_packet(0, DELTA), Drop);
        assert_eq!(selector.on_packet(0, KEY), Switch);
        assert_eq!(
            (selector.current(), selector.wants_key_frame()),
            (Some(0), Some(1))
        );
        assert_eq!(selector.on_packet(1, KEY), Switch);
        assert_eq!(selector.on_packet(0, KEY), Drop);
    }

    #[test]
    fn a_pause_is_at_once_and_ends_at_a_key_frame() {
        let mut selector = selector(0);
        assert_eq!(selector.on_packet(0, KEY), Switch);
        selector.set_target(None);
        assert_eq!(
            (selector.current(), selector.wants_key_frame()),
            (None, None)
        );
        assert_eq!(selector.on_packet(0, KEY), Drop);
        selector.set_target(Some(0));
        assert_eq!(
            (selector.target(), selector.wants_key_frame()),
            (Some(0), Some(0))
        );
        assert_eq!(selector.on_packet(0, DELTA), Drop);
        assert_eq!(selector.on_packet(0, KEY), Switch);
    }
}
