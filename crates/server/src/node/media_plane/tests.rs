//! Conversations: an effect of a room in, the exact commands to the workers out.

use protocol::{ParticipantId, TrackSource};

use super::*;

const ROOM: RoomId = RoomId::from_bits(7);
const ANN: PeerId = PeerId::from_bits(1);
const BEN: PeerId = PeerId::from_bits(2);
const CAT: PeerId = PeerId::from_bits(3);
const DAN: PeerId = PeerId::from_bits(4);
const CAMERA: TrackId = TrackId::from_bits(11);

struct Conversation(MediaPlane);

impl Conversation {
    /// A room on two workers of two peers each, with Ann and Ben on the first, Cat and Dan on the second.
    fn spread() -> Self {
        let mut talk = Self(MediaPlane::new(2, 2));
        assert_eq!(talk.0.open_room(ROOM, |_| 0), 0);
        for peer in [ANN, BEN, CAT, DAN] {
            talk.open(peer);
        }
        let places = [ANN, BEN, CAT, DAN].map(|peer| talk.0.worker_of(peer));
        assert_eq!(places, [Some(0), Some(0), Some(1), Some(1)]);
        talk
    }

    fn ask(&mut self, effect: MediaEffect) -> Commands {
        let commands = self.0.carry_out(ROOM, effect, |_| 0);
        self.0.relays.check_invariants();
        commands
    }

    fn open(&mut self, peer: PeerId) -> Commands {
        self.ask(MediaEffect::OpenPeer {
            peer,
            participant: ParticipantId::from_bits(peer.bits()),
            publishes_data: true,
        })
    }

    fn publish(&mut self, peer: PeerId, track: TrackId) {
        let effect = MediaEffect::Publish {
            peer,
            track,
            mid: "0".into(),
            source: TrackSource::Camera,
            muted: false,
        };
        let commands = self.ask(effect);
        assert!(matches!(&commands[..], [(_, Command::Publish { .. })]));
    }

    fn subscribe(&mut self, peer: PeerId) -> Commands {
        let track = CAMERA;
        self.ask(MediaEffect::Subscribe { peer, track })
    }

    fn unsubscribe(&mut self, peer: PeerId) -> Commands {
        let track = CAMERA;
        self.ask(MediaEffect::Unsubscribe { peer, track })
    }
}

fn subscribed(peer: PeerId) -> Command {
    let track = CAMERA;
    Command::Subscribe { peer, track }
}

fn relay() -> (Worker, Command) {
    let track = CAMERA;
    (0, Command::Relay { track, to: 1 })
}

fn stop() -> (Worker, Command) {
    let track = CAMERA;
    (0, Command::StopRelay { track, to: 1 })
}

fn open() -> (Worker, Command) {
    let open = Command::OpenRelayedTrack {
        track: CAMERA,
        participant: ParticipantId::from_bits(ANN.bits()),
        source: TrackSource::Camera,
        muted: false,
        from: 0,
    };
    (1, open)
}

fn closed() -> (Worker, Command) {
    (1, Command::CloseRelayedTrack { track: CAMERA })
}

#[test]
fn a_track_crosses_once_from_the_first_who_wants_it_to_the_last() {
    let mut talk = Conversation::spread();
    talk.publish(ANN, CAMERA);
    assert_eq!(talk.subscribe(BEN), [(0, subscribed(BEN))]);
    assert_eq!(talk.subscribe(CAT), [open(), relay(), (1, subscribed(CAT))]);
    assert_eq!(talk.subscribe(DAN), [(1, subscribed(DAN))]);
    let unsubscribed = |peer| {
        let track = CAMERA;
        (1, Command::Unsubscribe { peer, track })
    };
    assert_eq!(talk.unsubscribe(CAT), [unsubscribed(CAT)]);
    assert_eq!(talk.unsubscribe(DAN), [unsubscribed(DAN), stop(), closed()]);
    assert_eq!(talk.subscribe(DAN), [open(), relay(), (1, subscribed(DAN))]);
}

#[test]
fn the_last_subscriber_who_leaves_ends_the_crossing() {
    let mut talk = Conversation::spread();
    talk.publish(ANN, CAMERA);
    talk.subscribe(CAT);
    talk.subscribe(DAN);
    let close = |peer| (1, Command::ClosePeer { peer });
    assert_eq!(talk.0.peer_ended(DAN), []);
    let commands = talk.ask(MediaEffect::ClosePeer { peer: CAT });
    assert_eq!(commands[..3], [close(CAT), stop(), closed()]);
    // What comes too late is for nobody.
    assert_eq!(talk.ask(MediaEffect::ClosePeer { peer: CAT }), []);
    assert_eq!(talk.unsubscribe(DAN), []);
}

#[test]
fn a_track_that_ends_ends_on_every_worker() {
    let mut talk = Conversation::spread();
    let unpublish = |peer| {
        let track = CAMERA;
        Command::Unpublish { peer, track }
    };
    talk.publish(ANN, CAMERA);
    talk.subscribe(CAT);
    let (peer, track) = (ANN, CAMERA);
    let commands = talk.ask(MediaEffect::Unpublish { peer, track });
    assert_eq!(commands, [(0, unpublish(ANN)), closed()]);
    assert_eq!(talk.subscribe(DAN), [(1, subscribed(DAN))]);

    talk.publish(ANN, CAMERA);
    talk.subscribe(CAT);
    assert_eq!(talk.0.track_ended(CAMERA), [closed()]);
    talk.publish(ANN, CAMERA);
    talk.subscribe(CAT);
    assert_eq!(talk.0.peer_ended(ANN), [closed()]);
    assert_eq!(talk.0.peer_ended(ANN), []);
}

#[test]
fn muting_is_told_to_every_worker_that_has_the_track() {
    let mut talk = Conversation::spread();
    talk.publish(ANN, CAMERA);
    let (track, muted) = (CAMERA, true);
    let mute = |worker| (worker, Command::SetMuted { track, muted });
    assert_eq!(talk.ask(MediaEffect::SetMuted { track, muted }), [mute(0)]);
    let commands = talk.subscribe(CAT);
    let is_muted =
        |command: &Command| matches!(command, Command::OpenRelayedTrack { muted: true, .. });
    assert!(is_muted(&commands[0].1), "{commands:?}");
    let commands = talk.ask(MediaEffect::SetMuted { track, muted });
    assert_eq!(commands, [mute(0), mute(1)]);
}

#[test]
fn workers_of_one_room_know_each_other_for_its_data() {
    let mut talk = Conversation(MediaPlane::new(3, 1));
    talk.0.open_room(ROOM, |_| 0);
    let know = |worker: Worker, workers: &[u8]| {
        let command = Command::SetDataWorkers {
            data_group: ROOM.bits(),
            workers: workers.to_vec(),
        };
        (worker, command)
    };
    assert_eq!(talk.open(ANN).len(), 1);
    assert_eq!(talk.open(BEN)[1..], [know(0, &[1]), know(1, &[0])]);
    let third = [know(0, &[1, 2]), know(1, &[0, 2]), know(2, &[0, 1])];
    assert_eq!(talk.open(CAT)[1..], third);
    let left = [know(0, &[2]), know(2, &[0]), know(1, &[])];
    assert_eq!(talk.0.peer_ended(BEN), left);
    assert_eq!(talk.0.peer_ended(CAT), [know(0, &[]), know(2, &[])]);
    assert_eq!(talk.0.peer_ended(ANN), []);
}
