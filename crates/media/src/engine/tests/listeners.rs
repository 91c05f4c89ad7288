//! Many who listen: what becomes of their subscriptions between two packets, and who of them is looked after.

use super::*;

/// Publishers 1 and 2, each with a microphone, and Bob (3), who hears both.
struct Talk {
    engine: Engine,
    now: Instant,
    publishers: [Client; 2],
    bob: Client,
    sequence_number: u16,
}

fn microphone(number: u32) -> TrackId {
    TrackId::from_bits(100 + u64::from(number))
}

impl Talk {
    fn new() -> Self {
        let Conversation { mut engine, now } = Conversation::new();
        let credentials = client::Credentials::new();
        let publishers = [1, 2].map(|number: u32| {
            let publish = Command::Publish {
                peer: PeerId::from_bits(number.into()),
                track: microphone(number),
                mid: "0".into(),
                source: TrackSource::Microphone,
                muted: false,
            };
            let sending = [Section::SendAudio(number)];
            Client::connect(
                &mut engine,
                now,
                &credentials,
                number,
                vec![publish],
                &sending,
            )
        });
        let subscribe = |number| Command::Subscribe {
            peer: PeerId::from_bits(3),
            track: microphone(number),
        };
        let hear = vec![subscribe(1), subscribe(2)];
        let receiving = [Section::ReceiveAudio, Section::ReceiveAudio];
        let bob = Client::connect(&mut engine, now, &credentials, 3, hear, &receiving);
        Self {
            engine,
            now,
            publishers,
            bob,
            sequence_number: 0,
        }
    }

    /// The next packet of a publisher. Gives how many packets of sound Bob got in that turn, who can read them.
    fn speak(&mut self, publisher: usize) -> usize {
        self.sequence_number += 1;
        let ssrc = publisher as u32 + 1;
        let timestamp = u32::from(self.sequence_number) * 960;
        let plain = client::packet(
            client::OPUS,
            false,
            self.sequence_number,
            timestamp,
            ssrc,
            &[1; 80],
        );
        let client = &mut self.publishers[publisher];
        let mut datagram = client.seal(&plain);
        self.engine
            .handle_datagram(self.now, client.address, None, &mut datagram);
        let mut got = 0;
        self.engine.flush(self.now, |transmit| {
            got += usize::from(
                transmit.to == self.bob.address && self.bob.open(transmit.contents).is_ok(),
            );
        });
        self.engine.check_invariants();
        got
    }

    fn tick(&mut self) {
        self.now += TICK;
        self.engine.handle_timeout(self.now);
        self.engine.flush(self.now, |_| {});
    }

    fn is_bob_resting(&self) -> bool {
        let place = self.engine.peer_places[&self.bob.peer];
        self.engine.resting.get(place).copied().unwrap_or_default()
    }
}

#[test]
fn who_hears_two_gets_both_and_each_once() {
    let mut talk = Talk::new();
    talk.tick();
    for _ in 0..3 {
        assert_eq!((talk.speak(0), talk.speak(1)), (1, 1));
    }
}

#[test]
fn a_subscription_that_has_moved_among_the_others_is_found_and_known_from_then_on() {
    let mut talk = Talk::new();
    talk.tick();
    talk.speak(1);
    let unsubscribe = Command::Unsubscribe {
        peer: talk.bob.peer,
        track: microphone(1),
    };
    talk.engine.handle_command(talk.now, unsubscribe);
    let place = |talk: &Talk| {
        let track = talk.engine.track_places[&microphone(2)];
        talk.engine.tracks[track].subscribers[0].outbound
    };
    assert_eq!(place(&talk), 1);
    assert_eq!((talk.speak(1), talk.speak(0)), (1, 0));
    assert_eq!(place(&talk), 0);
    assert_eq!(talk.speak(1), 1);
}

#[test]
fn a_subscription_that_ends_within_a_turn_gets_nothing_of_it() {
    let mut talk = Talk::new();
    talk.tick();
    let plain = client::packet(client::OPUS, false, 1, 960, 1, &[1; 80]);
    let mut datagram = talk.publishers[0].seal(&plain);
    let from = talk.publishers[0].address;
    talk.engine
        .handle_datagram(talk.now, from, None, &mut datagram);
    let unsubscribe = Command::Unsubscribe {
        peer: talk.bob.peer,
        track: microphone(1),
    };
    talk.engine.handle_command(talk.now, unsubscribe);
    let mut sent = 0;
    talk.engine.flush(talk.now, |_| sent += 1);
    assert_eq!(sent, 0);
    assert_eq!(talk.speak(1), 1);
}

#[test]
fn who_only_hears_rests_until_something_becomes_of_them() {
    let mut talk = Talk::new();
    // Once it was their turn, and once more to see that nothing is due.
    for _ in 0..TICKS_OF_REST + 2 {
        talk.tick();
    }
    assert!(talk.is_bob_resting());
    talk.speak(0);
    assert!(talk.is_bob_resting(), "to be spoken to changes nothing");
    let address = talk.bob.address;
    let mut report = talk.bob.seal_rtcp(&[0x80, 201, 0, 1, 0, 0, 0, 9]);
    talk.engine
        .handle_datagram(talk.now, address, None, &mut report);
    assert!(!talk.is_bob_resting(), "a report came");
    for _ in 0..TICKS_OF_REST {
        talk.tick();
    }
    assert!(talk.is_bob_resting());
    let unpublish = Command::Unpublish {
        peer: PeerId::from_bits(1),
        track: microphone(1),
    };
    talk.engine.handle_command(talk.now, unpublish);
    assert!(!talk.is_bob_resting(), "a command came");
}
