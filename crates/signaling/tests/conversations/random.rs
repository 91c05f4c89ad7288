//! Thousands of commands that nobody would think of, from seeds: after each one the invariants hold,
//! every client knows the room as it is, and at the end nothing is left.

use std::collections::BTreeMap;

use protocol::{Publish, Resume, StateUpdate, TrackId, TrackSource};
use signaling::{Command, Limits, MediaEvent, Permissions, Request};

use crate::world::{Joining, World, student};

const TABS: [&str; 6] = ["anna", "ben", "cleo", "anna's other tab", "ghost", "tutor"];
const SOURCES: [TrackSource; 4] = [
    TrackSource::Camera,
    TrackSource::Microphone,
    TrackSource::Screen,
    TrackSource::ScreenAudio,
];

/// SplitMix64: enough to choose from.
struct Seed(u64);

impl Seed {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut bits = self.0;
        bits = (bits ^ (bits >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        bits = (bits ^ (bits >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        bits ^ (bits >> 31)
    }

    fn below(&mut self, limit: usize) -> usize {
        usize::try_from(self.next() % limit as u64).expect("below a usize")
    }

    /// Once in so many times.
    fn once_in(&mut self, times: usize) -> bool {
        self.below(times) == 0
    }

    fn of<'a, T>(&mut self, choices: &'a [T]) -> &'a T {
        &choices[self.below(choices.len())]
    }
}

/// Limits so small that each is met often.
fn small() -> Limits {
    Limits {
        rooms: 2,
        participants: 5,
        participants_per_room: 4,
        tracks_per_participant: 2,
        subscriptions_per_participant: 3,
        unanswered_offers: 3,
        logged_changes: 6,
        ..Limits::default()
    }
}

fn joining(seed: &mut Seed, world: &World, tab: &str) -> Joining {
    let identity = tab.strip_suffix("'s other tab").unwrap_or(tab);
    let permissions = Permissions {
        publish: !seed.once_in(12),
        subscribe: !seed.once_in(12),
        publish_data: true,
        moderate: identity == "tutor",
        hidden: identity == "ghost" && !seed.once_in(8),
    };
    let resume = world
        .clients
        .contains_key(tab)
        .then(|| match seed.below(6) {
            0 => None,
            1 => Some(Resume {
                token: "wrong".into(),
                ..world.resume(tab)
            }),
            2 => Some(world.refresh(tab)),
            _ => Some(world.resume(tab)),
        });
    Joining {
        identity: identity.into(),
        room: if seed.once_in(10) {
            "other"
        } else {
            crate::world::ROOM
        }
        .into(),
        name: if seed.once_in(6) {
            "Another".into()
        } else {
            format!("Name of {identity}")
        },
        permissions,
        resume: resume.flatten(),
        state: state(seed),
        subscribe_automatically: !seed.once_in(6),
        ..student(tab)
    }
}

fn state(seed: &mut Seed) -> StateUpdate {
    let mut maybe = || [None, Some(true), Some(false)][seed.below(3)];
    StateUpdate {
        camera: maybe(),
        microphone: maybe(),
        hand_raised: maybe(),
    }
}

/// A track that exists, or one that never did.
fn any_track(seed: &mut Seed, world: &World) -> TrackId {
    let mut tracks = world.media.tracks();
    tracks.push(TrackId::from_bits(u64::MAX));
    *seed.of(&tracks)
}

fn ask(seed: &mut Seed, world: &mut World, tab: &str, numbers: &mut BTreeMap<String, u32>) {
    let track = any_track(seed, world);
    let muted = !seed.once_in(3);
    match seed.below(16) {
        0..=4 => {
            let mid = seed.of(&["0", "1", "2"]).to_string();
            let source = *seed.of(&SOURCES);
            world.publish_as(
                tab,
                Publish {
                    mid,
                    source,
                    muted: !muted,
                },
            );
        }
        5..=8 => {
            let number = numbers.entry(tab.into()).or_insert(1);
            *number += u32::from(seed.once_in(6));
            let number = number.saturating_sub(u32::from(seed.once_in(20)));
            world.offer(tab, number);
        }
        9 => drop(world.unpublish(tab, track)),
        10 => drop(world.mute(tab, track, muted)),
        11 => drop(world.ask(tab, Request::UpdateState(state(seed)))),
        12 | 13 => drop(world.ask(
            tab,
            Request::SetSubscription {
                track,
                subscribed: !muted,
            },
        )),
        14 => drop(world.ask(tab, Request::LiveStatus)),
        _ if seed.once_in(4) => drop(world.ask(tab, Request::Leave)),
        _ => {}
    }
}

fn report(seed: &mut Seed, world: &mut World) {
    let peers: Vec<_> = world
        .media
        .peers
        .iter()
        .map(|(peer, books)| (*peer, books.unanswered))
        .collect();
    if peers.is_empty() {
        return;
    }
    let (peer, unanswered) = *seed.of(&peers);
    let reason = "because".to_string();
    let tracks = world.media.tracks();
    match seed.below(12) {
        0..=4 if unanswered > 0 && seed.once_in(5) => {
            world.report(MediaEvent::OfferRefused { peer, reason });
        }
        0..=4 if unanswered > 0 => {
            world.report(MediaEvent::Answered {
                peer,
                sdp: "answer".into(),
                sections: vec![],
            });
        }
        5 => drop(world.report(MediaEvent::SectionsRequired {
            peer,
            audio: 1,
            video: 0,
        })),
        6 if seed.once_in(2) => drop(world.report(MediaEvent::PeerEnded { peer, reason })),
        7 if !tracks.is_empty() => {
            let track = *seed.of(&tracks);
            world.report(MediaEvent::PublicationRefused { track, reason });
        }
        8.. if !tracks.is_empty() => {
            let level =
                (!seed.once_in(3)).then(|| u8::try_from(seed.below(100)).expect("below 100"));
            let track = *seed.of(&tracks);
            world.report(MediaEvent::Speaking { track, level });
        }
        _ => {}
    }
}

fn live_through(number: u64, commands: usize) -> World {
    let mut seed = Seed(number);
    let mut world = World::with(small());
    let mut numbers = BTreeMap::new();
    for _ in 0..commands {
        let tab = *seed.of(&TABS);
        let is_open = world.clients.get(tab).is_some_and(|client| client.is_open);
        let connection = world.clients.get(tab).map(|client| client.connection);
        let has_joined =
            connection.is_some_and(|connection| world.rooms.participant_of(connection).is_some());
        match seed.below(40) {
            0 | 1 if is_open => drop(world.lose(tab)),
            2 => drop(world.pass(seed.next() % 8_000)),
            // Also while the old connection is open: its loss has not been noticed.
            3 => {
                numbers.remove(tab);
                world.join_as(joining(&mut seed, &world, tab));
            }
            4..=12 => report(&mut seed, &mut world),
            _ if has_joined => ask(&mut seed, &mut world, tab, &mut numbers),
            _ => drop(world.join_as(joining(&mut seed, &world, tab))),
        }
    }
    world
}

#[test]
fn whatever_happens_every_client_knows_the_room_as_it_is_and_nothing_is_left_at_the_end() {
    for number in 0..20 {
        let mut world = live_through(number, 1_000);
        for connection in world.open_connections() {
            let has_joined = world.rooms.participant_of(connection).is_some();
            let request = Request::Leave;
            world.handle(match number % 2 {
                0 if has_joined => Command::Request {
                    connection,
                    request_id: None,
                    request,
                },
                _ => Command::Disconnected { connection },
            });
        }
        world.pass(15_000);
        assert!(
            world.rooms.is_empty(),
            "seed {number} leaves something behind"
        );
        assert_eq!(world.rooms.counts(), signaling::Counts::default());
        assert!(world.media.peers.is_empty() && world.rooms.poll_timeout().is_none());
    }
}

#[test]
fn the_same_commands_have_the_same_effects() {
    let (once, again) = (live_through(7, 1_000), live_through(7, 1_000));
    assert!(once.transcript.len() > 1_000, "much happened");
    assert!(once.transcript == again.transcript);
}
