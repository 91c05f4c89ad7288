//! Two engines with a link between them, as two workers of one server.

use super::viewports::{SIMULCAST, SIMULCAST_MID, show, wanted_layers};
use super::*;
use crate::link::Batch;
use crate::rtp::writer::{Header, write_header};

const CAROL: PeerId = PeerId::from_bits(3);
const HERE: u8 = 3;
const THERE: u8 = 4;
/// Of the fixture.
const VP8: u8 = 96;
const OPUS: u8 = 111;
const CAMERA_SSRC: u32 = 2_352_772_611;
const MICROPHONE_SSRC: u32 = 1_682_400_865;
const KEY_FRAME: &[u8] = &[0x10, 0x10, 0x02, 0x00, 0x9d, 0x01, 0x2a, 1, 2, 3];
const DELTA_FRAME: &[u8] = &[0x10, 0x11, 0x02, 0x00, 0x9d, 0x01, 0x2a, 1, 2, 3];

/// Alice on one engine, Bob and Carol on the other, who want Alice's tracks.
pub(super) struct Pair {
    pub(super) alice: Conversation,
    pub(super) others: Conversation,
}

impl Pair {
    pub(super) fn new() -> Self {
        let mut pair = Self {
            alice: Conversation::on(HERE),
            others: Conversation::on(THERE),
        };
        pair.alice.open(ALICE);
        publish(&mut pair.alice);
        for peer in [BOB, CAROL] {
            pair.others.open(peer);
        }
        pair
    }

    /// Both of Alice's tracks cross, and Bob and Carol have subscribed and sections for them.
    pub(super) fn crossing() -> Self {
        let mut pair = Self::new();
        pair.alice.offer(ALICE, PUBLISHING);
        pair.cross();
        for peer in [BOB, CAROL] {
            let (_, sections, _) = pair.others.offer(peer, RECEIVING);
            assert_eq!(sections.len(), 2);
        }
        pair.pass_on();
        pair
    }

    pub(super) fn cross(&mut self) {
        for (track, source) in [
            (MICROPHONE, TrackSource::Microphone),
            (CAMERA, TrackSource::Camera),
        ] {
            assert_eq!(self.others.tell(opened(track, source)), []);
            let to = THERE;
            assert_eq!(self.alice.tell(Command::Relay { track, to }), []);
            for peer in [BOB, CAROL] {
                let _ = self.others.tell(Command::Subscribe { peer, track });
            }
        }
    }

    /// What each has for the other, until both are silent. Gives how many batches went to the others.
    pub(super) fn pass_on(&mut self) -> usize {
        let mut passed = 0;
        for _ in 0..4 {
            for batch in self.alice.batches(THERE) {
                passed += 1;
                self.others
                    .engine
                    .handle_batch(self.others.now, &batch, |_| {});
            }
            for batch in self.others.batches(HERE) {
                self.alice
                    .engine
                    .handle_batch(self.alice.now, &batch, |_| {});
            }
            self.alice.events();
            self.others.events();
        }
        passed
    }

    /// Alice's camera sends.
    pub(super) fn camera(&mut self, number: u16, payload: &[u8]) -> Vec<u8> {
        self.alice.media(VP8, CAMERA_SSRC, number, payload)
    }

    fn microphone(&mut self, number: u16) -> Vec<u8> {
        self.alice.media(OPUS, MICROPHONE_SSRC, number, &[0xfc, 1])
    }

    /// What the other engine has kept of a track's only layer.
    fn kept(&self, track: TrackId, number: u64) -> Option<&[u8]> {
        let engine = &self.others.engine;
        let layers = &engine.tracks[engine.track_places[&track]].layers;
        layers.first()?.cache.get(number)
    }

    fn requests(&self) -> u64 {
        self.alice.engine.statistics().outbound_key_frame_requests
    }
}

impl Conversation {
    pub(super) fn media(
        &mut self,
        payload_type: u8,
        ssrc: u32,
        number: u16,
        payload: &[u8],
    ) -> Vec<u8> {
        let header = Header {
            marker: true,
            payload_type,
            sequence_number: number,
            timestamp: u32::from(number) * 3_000,
            ssrc,
        };
        let mut packet = Vec::new();
        write_header(&mut packet, &header, &[]);
        packet.extend_from_slice(payload);
        let place = self.engine.peer_places[&ALICE];
        self.engine.router(self.now).route(place, &packet).unwrap();
        packet
    }

    fn batches(&mut self, expected: u8) -> Vec<Batch> {
        let mut batches = Vec::new();
        self.engine.flush_links(|to, batch| {
            assert_eq!(to, expected);
            batches.push(batch);
            Ok(())
        });
        batches
    }
}

fn opened(track: TrackId, source: TrackSource) -> Command {
    Command::OpenRelayedTrack {
        track,
        participant: ParticipantId::from_bits(1),
        source,
        muted: false,
        from: HERE,
    }
}

/// The number that the layer gives the fixture's first packets.
fn extended(number: u16) -> u64 {
    let mut unwrapper = crate::rtp::sequence::Unwrapper::default();
    unwrapper.unwrap(number)
}

#[test]
fn each_packet_crosses_once_for_all_subscribers_with_a_batch_for_a_turn() {
    let mut pair = Pair::crossing();
    let sent: Vec<_> = (0..20)
        .map(|number| (pair.microphone(number), pair.camera(number, DELTA_FRAME)))
        .collect();
    assert_eq!(pair.pass_on(), 1);
    for (number, (sound, picture)) in (0..).zip(&sent) {
        assert_eq!(pair.kept(MICROPHONE, extended(number)), Some(&sound[..]));
        assert_eq!(pair.kept(CAMERA, extended(number)), Some(&picture[..]));
    }
    let (here, there) = (
        pair.alice.engine.statistics(),
        pair.others.engine.statistics(),
    );
    assert_eq!((here.tracks, here.relayed_tracks), (2, 0));
    assert_eq!((there.tracks, there.relayed_tracks), (0, 2));
    assert_eq!((here.relayed_packets, there.inbound_packets), (40, 0));
    assert_eq!(pair.others.dropped(DropReason::Link), 0);
}

#[test]
fn what_a_relayed_layer_takes_is_measured_on_the_other_engine_as_on_its_own() {
    let mut pair = Pair::crossing();
    for number in 0..100 {
        for talk in [&mut pair.alice, &mut pair.others] {
            talk.now += TICK;
        }
        // In two temporal layers: TID and Y after an extension byte (RFC 7741 section 4.2).
        let layer = (number % 2) as u8;
        pair.camera(number, &[0x90, 0x20, layer << 6 | layer << 5, 0x01, 9, 9]);
        pair.pass_on();
    }
    let rates = [&pair.alice, &pair.others].map(|talk| {
        let track = &talk.engine.tracks[talk.engine.track_places[&CAMERA]];
        let bitrate = &track.layers[0].bitrate;
        (bitrate.within(0, 0), bitrate.bits_per_second())
    });
    // Each packet has 18 bytes, and of 25 in a window 12 or 13 are of the lower layer.
    let (lower, all) = rates[0];
    assert!(lower.is_some_and(|lower| lower.abs_diff(3_600) < 200));
    assert_eq!(all, Some(7_200));
    assert_eq!(rates[0], rates[1]);
}

#[test]
fn a_relay_may_begin_before_the_other_engine_expects_it_and_before_the_offer() {
    let mut pair = Pair::new();
    let (track, to) = (CAMERA, THERE);
    pair.alice.tell(Command::Relay { track, to });
    pair.alice.offer(ALICE, PUBLISHING);
    let key = pair.camera(7, KEY_FRAME);
    pair.pass_on();
    assert_eq!(pair.others.dropped(DropReason::Link), 2, "told, and sent");
    pair.others.tell(opened(CAMERA, TrackSource::Camera));
    pair.pass_on();
    assert_eq!(pair.kept(CAMERA, extended(7)), Some(&key[..]));
    let delta = pair.camera(8, DELTA_FRAME);
    pair.pass_on();
    assert_eq!(pair.kept(CAMERA, extended(8)), Some(&delta[..]));
}

#[test]
fn the_present_picture_crosses_when_a_relay_begins_and_newcomers_ask_for_none() {
    let mut pair = Pair::new();
    pair.alice.offer(ALICE, PUBLISHING);
    pair.camera(1, DELTA_FRAME);
    let key = pair.camera(2, KEY_FRAME);
    let delta = pair.camera(3, DELTA_FRAME);
    pair.cross();
    pair.pass_on();
    assert_eq!(pair.kept(CAMERA, extended(1)), None);
    assert_eq!(pair.kept(CAMERA, extended(2)), Some(&key[..]));
    assert_eq!(pair.kept(CAMERA, extended(3)), Some(&delta[..]));
    let before = pair.requests();
    pair.others.offer(BOB, RECEIVING);
    pair.pass_on();
    assert_eq!(pair.requests(), before);
}

#[test]
fn key_frames_wanted_on_both_engines_are_one_request_to_the_publisher() {
    let mut pair = Pair::crossing();
    pair.camera(1, DELTA_FRAME);
    pair.pass_on();
    assert_eq!(pair.requests(), 1, "two newcomers wanted it");
    let want = |talk: &mut Conversation| {
        let index = talk.engine.track_places[&CAMERA];
        talk.engine.tracks[index].layers[0].key_frames.want();
    };
    for _ in 0..3 {
        want(&mut pair.alice);
        want(&mut pair.others);
        pair.others.pass(Duration::from_millis(20));
        pair.alice.pass(Duration::from_millis(20));
        pair.pass_on();
    }
    assert_eq!(pair.requests(), 1);
    pair.others.pass(Duration::from_millis(500));
    pair.alice.pass(Duration::from_millis(500));
    pair.pass_on();
    assert_eq!(pair.requests(), 2);
    pair.camera(2, KEY_FRAME);
    pair.pass_on();
    for talk in [&mut pair.others, &mut pair.alice] {
        talk.pass(Duration::from_secs(1));
    }
    pair.camera(3, DELTA_FRAME);
    pair.pass_on();
    assert_eq!(pair.requests(), 2, "everybody has it");
}

#[test]
fn a_track_that_ends_at_either_side_leaves_nothing() {
    let mut pair = Pair::crossing();
    pair.alice.tell(Command::ClosePeer { peer: ALICE });
    for track in [MICROPHONE, CAMERA] {
        pair.others.tell(Command::CloseRelayedTrack { track });
    }
    let there = pair.others.engine.statistics();
    assert_eq!((there.relayed_tracks, there.subscriptions), (0, 0));
    assert_eq!(pair.others.dropped(DropReason::StaleCommand), 0);

    let mut pair = Pair::crossing();
    for track in [MICROPHONE, CAMERA] {
        for peer in [BOB, CAROL] {
            pair.others.tell(Command::Unsubscribe { peer, track });
        }
        pair.others.tell(Command::CloseRelayedTrack { track });
        let to = THERE;
        pair.alice.tell(Command::StopRelay { track, to });
    }
    pair.camera(1, KEY_FRAME);
    assert_eq!(pair.alice.batches(THERE).len(), 0);
    assert_eq!(pair.others.engine.tracks.len(), 0);
    // And it may begin again.
    pair.cross();
    pair.pass_on();
    assert!(pair.kept(CAMERA, extended(1)).is_some());
}

#[test]
fn an_engine_that_does_not_keep_up_loses_pictures_and_no_sound() {
    let mut pair = Pair::crossing();
    pair.camera(1, KEY_FRAME);
    pair.pass_on();
    let before = pair.requests();
    let sent: Vec<_> = (2..12)
        .map(|number| {
            pair.camera(number, DELTA_FRAME);
            let sound = pair.microphone(number);
            pair.alice.engine.flush_links(|_, batch| Err(batch));
            sound
        })
        .collect();
    assert_eq!(pair.alice.dropped(DropReason::Link), 10);
    let time = Duration::from_secs(1);
    (pair.alice.now, pair.others.now) = (pair.alice.now + time, pair.others.now + time);
    let delta = pair.camera(12, DELTA_FRAME);
    pair.pass_on();
    for (number, sound) in (2..).zip(&sent) {
        assert_eq!(pair.kept(MICROPHONE, extended(number)), Some(&sound[..]));
    }
    assert_eq!(pair.kept(CAMERA, extended(11)), None);
    assert_eq!(pair.kept(CAMERA, extended(12)), Some(&delta[..]));
    assert_eq!(pair.requests(), before + 1, "what is lost is lost");
}

#[test]
fn what_waits_for_an_engine_that_takes_nothing_is_bounded() {
    let mut pair = Pair::crossing();
    for number in 0..4_000 {
        pair.microphone(number);
        pair.alice.engine.flush_links(|_, batch| Err(batch));
    }
    let batches = pair.alice.batches(THERE);
    assert!(batches[0].bytes() < 40_000, "{}", batches[0].bytes());
    assert!(pair.alice.dropped(DropReason::Link) > 2_000);
}

#[test]
fn a_new_offer_is_told_to_the_other_engine() {
    let mut pair = Pair::crossing();
    let renumbered = PUBLISHING
        .replace("a=rtpmap:96 VP8", "a=rtpmap:50 VP8")
        .replace("UDP/TLS/RTP/SAVPF 96 ", "UDP/TLS/RTP/SAVPF 50 ");
    pair.alice.offer(ALICE, &renumbered);
    let packet = pair.alice.media(50, CAMERA_SSRC, 1, KEY_FRAME);
    pair.pass_on();
    assert_eq!(pair.kept(CAMERA, extended(1)), Some(&packet[..]));
}

#[test]
fn a_panic_over_a_relayed_packet_ends_its_track_alone() {
    let mut pair = Pair::crossing();
    let index = pair.others.engine.track_places[&CAMERA];
    // Planted: a subscriber that is nowhere.
    let nowhere = pair.others.engine.tracks[index].wanted_by.len() + 70;
    pair.others.engine.tracks[index].wanted_by.push(nowhere);
    pair.camera(1, KEY_FRAME);
    pair.alice.offer(ALICE, PUBLISHING);
    for batch in pair.alice.batches(THERE) {
        pair.others
            .engine
            .handle_batch(pair.others.now, &batch, |_| {});
    }
    assert_eq!(pair.others.dropped(DropReason::Panic), 1);
    let there = pair.others.engine.statistics();
    assert_eq!((there.relayed_tracks, there.subscriptions), (1, 2));
    pair.others.events();
}

/// Alice publishes three layers on one engine, and Bob, on the other, has a section for them.
fn simulcast() -> Pair {
    let mut pair = Pair {
        alice: Conversation::on(HERE),
        others: Conversation::on(THERE),
    };
    pair.alice.open(ALICE);
    pair.others.open(BOB);
    pair.alice.tell(Command::Publish {
        peer: ALICE,
        track: CAMERA,
        mid: SIMULCAST_MID.into(),
        source: TrackSource::Camera,
        muted: false,
    });
    pair.alice.offer(ALICE, SIMULCAST);
    pair.others.tell(opened(CAMERA, TrackSource::Camera));
    let (track, to) = (CAMERA, THERE);
    pair.alice.tell(Command::Relay { track, to });
    pair.others.tell(Command::Subscribe { peer: BOB, track });
    pair.others.offer(BOB, RECEIVING);
    pair.pass_on();
    pair
}

/// How many layers Alice is told to send, in so many seconds.
fn wanted(pair: &mut Pair, seconds: u64) -> Vec<usize> {
    let mut counts = Vec::new();
    for _ in 0..seconds * TICKS as u64 {
        pair.others.pass(TICK);
        pair.alice.pass(TICK);
        counts.extend(pair.alice.events().into_iter().filter_map(wanted_layers));
        pair.pass_on();
    }
    counts
}

#[test]
fn a_publisher_is_asked_for_as_much_as_somebody_on_another_engine_shows() {
    let mut pair = simulcast();
    assert_eq!(wanted(&mut pair, 2), [0; 0], "all of it, as before");
    show(&mut pair.others, 160, 90, true);
    assert_eq!(wanted(&mut pair, 4), [1]);
    show(&mut pair.others, 600, 340, true);
    assert_eq!(wanted(&mut pair, 1), [2], "at once");
}

#[test]
fn a_publisher_is_asked_for_a_picture_as_soon_as_somebody_on_another_engine_may_want_it() {
    let mut pair = simulcast();
    show(&mut pair.others, 600, 340, false);
    assert_eq!(wanted(&mut pair, 4), [0]);
    let (peer, track) = (BOB, CAMERA);
    pair.others.tell(Command::Unsubscribe { peer, track });
    assert_eq!(wanted(&mut pair, 2), [0; 0]);
    pair.others.tell(Command::Subscribe { peer, track });
    assert_eq!(wanted(&mut pair, 1), [3], "whoever comes may want it");
}

#[test]
fn the_last_viewer_on_another_engine_leaves_nothing_wanted() {
    let mut pair = simulcast();
    assert_eq!(wanted(&mut pair, 2), [0; 0]);
    let (track, to) = (CAMERA, THERE);
    pair.others.tell(Command::CloseRelayedTrack { track });
    pair.alice.tell(Command::StopRelay { track, to });
    assert_eq!(wanted(&mut pair, 4), [0]);
    pair.alice.tell(Command::Relay { track, to });
    assert_eq!(wanted(&mut pair, 1), [3]);
}
