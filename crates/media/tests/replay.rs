//! Pictures shown from what is kept: to newcomers, of a screen at rest, and after a switch of layers. Real keys,
//! no sockets.

#![allow(clippy::unwrap_used)]
#![allow(clippy::disallowed_methods)] // An engine reads no clock; somebody must.

mod client;

use std::time::{Duration, Instant};

use client::{
    Client, Credentials, Section, VP8, datagrams, is_rtcp, offer, packet, subscribe, vp8_payload,
};
use media::{Command, Engine, Limits};
use protocol::{PeerId, TrackId, TrackSource};

const TRACK: TrackId = TrackId::from_bits(1);
const VIEWER: u32 = 2;
const LAYERS: [u32; 2] = [71, 72];
/// After this a new subscriber's picture is held back no longer.
const SHOWN: Duration = Duration::from_millis(200);
/// Between two pictures: the engine's tick.
const PICTURE: Duration = Duration::from_millis(40);

/// A publisher and one who watches.
struct Room {
    engine: Engine,
    credentials: Credentials,
    began: Instant,
    now: Instant,
    publisher: Client,
    viewer: Option<Client>,
    numbers: [u16; 2],
    key_frame_requests: u64,
}

/// A packet as the viewer has it.
#[derive(Clone, Copy, Debug)]
struct Got {
    number: u16,
    timestamp: u32,
    layer: usize,
    /// When its picture was taken, in milliseconds.
    taken: u32,
}

impl Room {
    fn new(sending: Section) -> Self {
        let began = Instant::now();
        // The viewer says nothing in all the time.
        let limits = Limits {
            consent_time: Duration::from_secs(3_600),
            ..Limits::default()
        };
        let mut engine = client::engine(began, limits);
        let credentials = Credentials::new();
        let publish = vec![client::publish(1, TRACK, TrackSource::Camera)];
        let publisher = Client::connect(&mut engine, began, &credentials, 1, publish, &[sending]);
        Self {
            engine,
            credentials,
            began,
            now: began,
            publisher,
            viewer: None,
            numbers: [100, 200],
            key_frame_requests: 0,
        }
    }

    fn join(&mut self) {
        self.join_with(vec![subscribe(VIEWER, TRACK)], Section::ReceiveVideo);
    }

    fn join_with(&mut self, before: Vec<Command>, section: Section) {
        self.viewer = Some(Client::connect(
            &mut self.engine,
            self.now,
            &self.credentials,
            VIEWER,
            before,
            &[section],
        ));
    }

    /// The viewer takes up the track in a second offer.
    fn subscribe_later(&mut self) {
        let peer = PeerId::from_bits(VIEWER.into());
        let sdp = offer(
            &self.credentials,
            &[Section::ReceiveAudio, Section::ReceiveVideo],
        );
        for command in [subscribe(VIEWER, TRACK), Command::Offer { peer, sdp }] {
            self.engine.handle_command(self.now, command);
        }
    }

    /// The viewer sends something under its keys: a report of nothing.
    fn say_a_word(&mut self) {
        let viewer = self.viewer.as_mut().unwrap();
        let report = [0x80, 201, 0, 1, 0, 0, 0, 9];
        viewer.send_rtcp(&mut self.engine, self.now, &report);
    }

    /// A picture of a layer, taken now.
    fn picture(&mut self, layer: usize, is_key_frame: bool) {
        self.late_picture(layer, is_key_frame, 0);
    }

    /// A picture that was so many milliseconds on its way. Every layer has a clock of its own, and a size by which it
    /// is known.
    fn late_picture(&mut self, layer: usize, is_key_frame: bool, late: u32) {
        let number = self.numbers[layer];
        self.numbers[layer] += 1;
        let taken = self.now.duration_since(self.began).as_millis() as u32 - late;
        let timestamp = (taken * 90).wrapping_add(1_000_000_000 * (layer as u32 + 1));
        let bytes = 100 * (layer + 1);
        let mut payload = vp8_payload(number, true, is_key_frame, bytes);
        payload[bytes - 4..].copy_from_slice(&taken.to_be_bytes());
        let plain = packet(VP8, true, number, timestamp, LAYERS[layer], &payload);
        self.publisher.send(&mut self.engine, self.now, &plain);
    }

    /// A key frame of so many packets of 1,000 bytes.
    fn large_key_frame(&mut self, packets: u16) {
        let timestamp = self.now.duration_since(self.began).as_millis() as u32 * 90;
        for index in 0..packets {
            let number = self.numbers[0];
            self.numbers[0] += 1;
            let payload = vp8_payload(1, index == 0, true, 1_000);
            let is_last = index + 1 == packets;
            let plain = packet(VP8, is_last, number, timestamp, LAYERS[0], &payload);
            self.publisher.send(&mut self.engine, self.now, &plain);
        }
    }

    /// Time passes; what the viewer gets meanwhile.
    fn pass(&mut self, time: Duration) -> Vec<Got> {
        let mut got = self.flush();
        self.now += time;
        self.engine.handle_timeout(self.now);
        got.extend(self.flush());
        got
    }

    fn flush(&mut self) -> Vec<Got> {
        let datagrams = datagrams(&mut self.engine, self.now);
        self.engine.check_invariants();
        self.key_frame_requests = self.engine.statistics().outbound_key_frame_requests;
        let Some(viewer) = &mut self.viewer else {
            return Vec::new();
        };
        let address = viewer.address;
        let its = datagrams.iter().filter(|(to, _)| *to == address);
        its.filter(|(_, datagram)| datagram[0] >> 6 == 2 && !is_rtcp(datagram))
            .map(|(_, datagram)| {
                let plain = viewer.open(datagram).expect("sealed for this viewer");
                Got {
                    number: u16::from_be_bytes([plain[2], plain[3]]),
                    timestamp: u32::from_be_bytes([plain[4], plain[5], plain[6], plain[7]]),
                    layer: usize::from(plain.len() >= 200),
                    taken: u32::from_be_bytes(*plain.last_chunk().unwrap()),
                }
            })
            .collect()
    }
}

fn is_unbroken(got: &[Got]) -> bool {
    got.windows(2).all(|pair| {
        pair[1].number == pair[0].number.wrapping_add(1)
            && pair[1].timestamp.wrapping_sub(pair[0].timestamp) as i32 > 0
    })
}

#[test]
fn a_screen_at_rest_is_shown_to_a_newcomer_without_a_key_frame_for_it_alone() {
    let mut room = Room::new(Section::SendVideo(LAYERS[0]));
    room.picture(0, true);
    room.pass(Duration::from_secs(2));
    room.picture(0, false);
    room.pass(Duration::from_millis(2_500));
    let before = room.key_frame_requests;
    room.join();
    let got = room.pass(SHOWN);
    assert_eq!(got.len(), 2, "{got:?}");
    assert!(is_unbroken(&got), "{got:?}");
    assert_eq!(room.key_frame_requests, before);
    let seconds = got[1].timestamp.wrapping_sub(got[0].timestamp) / 90_000;
    assert_eq!(seconds, 0, "what is late is drawn together");
}

#[test]
fn a_newcomer_who_proves_its_keys_is_shown_the_picture_at_once() {
    let mut room = Room::new(Section::SendVideo(LAYERS[0]));
    room.picture(0, true);
    room.join();
    assert!(room.flush().is_empty(), "its keys may not be installed yet");
    room.say_a_word();
    assert_eq!(room.flush().len(), 1);
}

/// A key frame and what followed in more than a second, which is still kept.
fn many_pictures(room: &mut Room) {
    room.picture(0, true);
    for _ in 0..40 {
        room.pass(PICTURE);
        room.picture(0, false);
    }
}

#[test]
fn a_newcomer_is_shown_the_key_frame_that_was_asked_for_rather_than_many_pictures() {
    let mut room = Room::new(Section::SendVideo(LAYERS[0]));
    many_pictures(&mut room);
    room.join();
    room.pass(Duration::from_millis(20));
    assert_eq!(room.key_frame_requests, 1, "while it connects");
    room.say_a_word();
    assert!(room.pass(Duration::from_millis(100)).is_empty());
    room.picture(0, true);
    assert_eq!(room.flush().len(), 1);
}

#[test]
fn a_newcomer_is_shown_many_pictures_where_no_key_frame_comes() {
    let mut room = Room::new(Section::SendVideo(LAYERS[0]));
    many_pictures(&mut room);
    room.join();
    room.say_a_word();
    assert!(room.pass(Duration::from_millis(20)).is_empty());
    assert_eq!(room.pass(SHOWN).len(), 41);
}

#[test]
fn a_newcomer_who_says_nothing_is_shown_the_picture_a_moment_later() {
    let mut room = Room::new(Section::SendVideo(LAYERS[0]));
    room.picture(0, true);
    room.join();
    assert!(room.pass(Duration::from_millis(24)).is_empty());
    assert_eq!(room.pass(Duration::from_millis(6)).len(), 1);
}

#[test]
fn a_picture_of_a_later_answer_waits_until_that_is_applied_whatever_the_client_says() {
    let mut room = Room::new(Section::SendVideo(LAYERS[0]));
    room.join_with(Vec::new(), Section::ReceiveAudio);
    room.picture(0, true);
    room.pass(PICTURE);
    // The keys are proven by the second word alone: the first answer said nothing of this track.
    room.subscribe_later();
    room.say_a_word();
    room.say_a_word();
    assert!(room.pass(Duration::from_millis(140)).is_empty());
    assert_eq!(room.pass(Duration::from_millis(20)).len(), 1);
}

#[test]
fn a_large_picture_is_shown_in_a_moment_and_not_in_one_burst() {
    let mut room = Room::new(Section::SendVideo(LAYERS[0]));
    room.large_key_frame(100);
    room.join_with(
        vec![subscribe(VIEWER, TRACK)],
        Section::ReceiveVideoWithFeedback,
    );
    assert!(room.pass(Duration::from_millis(5)).is_empty());
    room.say_a_word();
    let mut got = room.flush();
    assert!(!got.is_empty());
    // Three times the first estimate of 1.5 Mbit/s, and 200 ms of it at once; 40 bytes are around each payload.
    for ms in (10..=200).step_by(5) {
        got.extend(room.pass(Duration::from_millis(5)));
        let most = 37_500.0 + 562.5 * f64::from(ms);
        assert!(
            (got.len() * 1_040) as f64 <= most + 1_040.0,
            "{} in {ms} ms",
            got.len()
        );
    }
    assert_eq!(got.len(), 100);
    let is_next = |pair: &[Got]| pair[1].number == pair[0].number.wrapping_add(1);
    assert!(got.windows(2).all(is_next));
}

#[test]
fn a_client_that_tells_nothing_of_arrivals_is_shown_all_at_once() {
    let mut room = Room::new(Section::SendVideo(LAYERS[0]));
    room.large_key_frame(100);
    room.join();
    room.say_a_word();
    assert_eq!(room.flush().len(), 100);
}

#[test]
fn a_screen_at_rest_for_too_long_is_asked_for_a_key_frame_although_it_is_silent() {
    let mut room = Room::new(Section::SendVideo(LAYERS[0]));
    room.picture(0, true);
    room.pass(Duration::from_secs(12));
    let before = room.key_frame_requests;
    room.join();
    assert!(room.pass(SHOWN).is_empty());
    assert!(room.key_frame_requests > before);
    room.picture(0, true);
    assert_eq!(room.pass(PICTURE).len(), 1);
}

#[test]
fn a_layer_that_comes_up_is_switched_to_at_once_by_what_is_kept_of_it() {
    let mut room = Room::new(Section::SendSimulcast(LAYERS));
    room.picture(0, true);
    room.join();
    let mut got = room.pass(SHOWN);
    for _ in 0..10 {
        room.picture(0, false);
        got.extend(room.pass(PICTURE));
    }
    let before = room.key_frame_requests;
    // Its key frame comes before anybody knows that the layer is sent.
    room.picture(0, false);
    room.picture(1, true);
    got.extend(room.flush());
    assert!(got.iter().all(|got| got.layer == 0));
    got.extend(room.pass(PICTURE));
    assert_eq!(got.last().unwrap().layer, 1, "{got:?}");
    for _ in 0..10 {
        room.picture(0, false);
        room.picture(1, false);
        got.extend(room.pass(PICTURE));
    }
    assert!(is_unbroken(&got), "{got:?}");
    assert_eq!(got.iter().filter(|got| got.layer == 1).count(), 11);
    assert_eq!(room.key_frame_requests, before, "none had to be asked for");
    // Both layers' pictures were taken 40 ms apart: so they are told.
    let last = &got[got.len() - 9..];
    let steps = last
        .windows(2)
        .map(|pair| pair[1].timestamp.wrapping_sub(pair[0].timestamp));
    assert!(steps.into_iter().all(|step| step == 3_600), "{last:?}");
}

#[test]
fn after_two_hundred_switches_pictures_are_where_they_were_taken() {
    const JITTER: u32 = 30;
    let mut room = Room::new(Section::SendSimulcast(LAYERS));
    room.pass(Duration::from_secs(1));
    room.picture(0, true);
    room.join();
    let mut got = room.pass(SHOWN);
    let mut late = 0;
    for _ in 0..100 {
        // The upper layer comes for a while and goes again; the lower one then has a key frame. Its last one was too
        // long ago for all that followed to be shown at once.
        for picture in 0..75 {
            late = (late * 7 + 11) % (JITTER + 1);
            room.late_picture(0, picture == 70, late);
            if picture < 52 {
                let also_late = late * 13 % (JITTER + 1);
                room.late_picture(1, picture == 0, also_late);
            }
            got.extend(room.pass(PICTURE));
        }
    }
    assert!(is_unbroken(&got));
    let switches = got.windows(2).filter(|pair| pair[0].layer != pair[1].layer);
    assert_eq!(switches.count(), 200);
    let delay = |got: &Got| got.timestamp.wrapping_sub(got.taken * 90);
    for later in &got[1..] {
        let moved = delay(later).wrapping_sub(delay(&got[1])) as i32 / 90;
        // Without sender reports a clock is known by the earliest packets; what catches up is ahead of its time.
        assert!(moved.unsigned_abs() <= 2 * JITTER, "{moved} ms, {later:?}");
    }
}
