//! Peers of which nothing is due before long: how often what their paths carry is weighed.

use super::*;
use crate::Reason;

const KEY_FRAME: &[u8] = &[0x10, 0x10, 0x02, 0x00, 0x9d, 0x01, 0x2a, 1, 2, 3];

/// A publisher of one track, and Bob, who gets it and tells what his path carries.
struct Talk {
    engine: Engine,
    now: Instant,
    publisher: Client,
    bob: PeerId,
}

impl Talk {
    fn new(source: TrackSource, sending: Section, receiving: Section) -> Self {
        let Conversation { mut engine, now } = Conversation::new();
        let credentials = client::Credentials::new();
        let (track, mid) = (CAMERA, "0".to_owned());
        let publish = Command::Publish {
            peer: ALICE,
            track,
            mid,
            source,
            muted: false,
        };
        let subscribe = Command::Subscribe { peer: BOB, track };
        let mut connect = |number, command, section| {
            let before = vec![command];
            Client::connect(&mut engine, now, &credentials, number, before, &[section])
        };
        let publisher = connect(1, publish, sending);
        let bob = connect(2, subscribe, receiving).peer;
        Self {
            engine,
            now,
            publisher,
            bob,
        }
    }

    fn bob(&mut self) -> &mut Peer {
        let place = self.engine.peer_places[&self.bob];
        &mut self.engine.peers[place]
    }

    fn tick(&mut self) {
        self.now += TICK;
        let now = self.now;
        self.bob().bandwidth.on_receiver_estimate(now, 1_000_000);
        self.engine.handle_timeout(now);
        self.engine.flush(now, |_| {});
    }

    /// How often Bob's subscription is weighed in a second in which nothing else happens.
    fn weighed(&mut self) -> usize {
        // Until he rests, and on to his turn.
        for _ in 0..TICKS {
            self.tick();
        }
        let place = self.engine.peer_places[&self.bob];
        assert!(self.engine.peers[place].is_at_rest(&self.engine.tracks));
        let mut weighed = 0;
        for _ in 0..TICKS {
            // It is never a reason for what flows.
            self.bob().outbound[0].allotment.reason = Reason::Muted;
            self.tick();
            let reason = self.bob().outbound[0].allotment.reason;
            weighed += usize::from(reason != Reason::Muted);
        }
        weighed
    }
}

#[test]
fn what_the_path_of_a_viewer_at_rest_carries_is_weighed_five_times_a_second() {
    let receiving = Section::ReceiveVideoWithFeedback;
    let mut talk = Talk::new(TrackSource::Camera, Section::SendVideo(7), receiving);
    // The client can take pictures by then.
    for _ in 0..TICKS {
        talk.tick();
    }
    let plain = client::packet(client::VP8, true, 1, 3_000, 7, KEY_FRAME);
    let mut datagram = talk.publisher.seal(&plain);
    let from = talk.publisher.address;
    talk.engine
        .handle_datagram(talk.now, from, None, &mut datagram);
    talk.tick();
    assert_eq!(talk.weighed(), TICKS / TICKS_OF_REST);
}

#[test]
fn of_whoever_only_hears_nothing_is_weighed_but_once_a_second() {
    let sending = Section::SendAudio(7);
    let mut talk = Talk::new(TrackSource::Microphone, sending, Section::ReceiveAudio);
    assert_eq!(talk.weighed(), 1);
}
