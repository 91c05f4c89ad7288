//! Thousands of commands that nobody would think of, from seeds: after each one the invariants hold,
//! every client knows the room as it is, and at the end nothing is left.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use protocol::record::Write;
use protocol::{
    Identity, LayerWanted, ParticipantId, Publish, Resume, RoomId, RoomName, RoomSettings,
    SessionId, StateUpdate, Timestamp, TrackId, TrackSource, Viewport,
};
use signaling::{ApiRequest, Command, Effect, Limits, MediaEvent, Permissions, Request, RoomRef};

use crate::world::{Joining, World, backend, person, student};

const TABS: [&str; 6] = ["anna", "ben", "cleo", "anna's other tab", "ghost", "tutor"];
const KEYS: [&str; 4] = ["one", "two", "three", "four"];
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

    fn key(&mut self) -> &'static str {
        KEYS[self.below(KEYS.len())]
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
        kept_rooms: 3,
        waiting_per_room: 2,
        scheduled_per_room: 2,
        bans_per_room: 2,
        host_grace: Duration::from_secs(10),
        presence_batched_above: 2,
        ..Limits::default()
    }
}

fn joining(seed: &mut Seed, world: &World, tab: &str) -> Joining {
    let identity = tab.strip_suffix("'s other tab").unwrap_or(tab);
    let permissions = Permissions {
        publish: !seed.once_in(12),
        subscribe: !seed.once_in(12),
        publish_data: true,
        // Sometimes the token grants nothing: the owner is the owner all the same.
        moderate: identity == "tutor" && !seed.once_in(4),
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
    match seed.below(22) {
        16.. => lead(seed, world, tab, track),
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
        12 if muted => drop(world.ask(
            tab,
            Request::SetViewport {
                viewports: vec![Viewport {
                    track_id: track,
                    width: 640,
                    height: 360,
                    visible: track.bits().is_multiple_of(2),
                }],
            },
        )),
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

/// Somebody of those inside or outside, or somebody who never was.
fn anybody(seed: &mut Seed, world: &World) -> ParticipantId {
    let mut all = vec![ParticipantId::from_bits(u64::MAX)];
    for room in [crate::world::ROOM, "other"] {
        if let Some(room) = world.rooms.room(&RoomName(room.into())) {
            all.extend(room.participants.iter().map(|of| of.id));
            all.extend(room.waiting.iter().map(|of| of.id));
        }
    }
    *seed.of(&all)
}

/// What hosts and moderators ask for, and what others are refused.
fn lead(seed: &mut Seed, world: &mut World, tab: &str, track: TrackId) {
    let start = world.start(seed.key());
    let participant = anybody(seed, world);
    let participants = vec![participant, anybody(seed, world)];
    let request = match seed.below(14) {
        0 => Request::OpenLobby(start),
        1..=3 => Request::GoLive(start),
        4 => Request::EndSession { session: None },
        5 => Request::EndSession {
            session: Some(any_session(seed, world)),
        },
        6 | 7 => Request::Admit { participants },
        8 => Request::Deny { participants },
        9 => Request::Remove {
            participant,
            ban: seed.once_in(3),
        },
        10 => Request::SetLocked {
            locked: seed.once_in(3),
        },
        11 => Request::HandOver { participant },
        12 => Request::AskToUnmute { track },
        _ => Request::LowerHand { participant },
    };
    world.ask(tab, request);
}

/// A session that was, or one that never was.
fn any_session(seed: &mut Seed, world: &World) -> SessionId {
    let mut all: Vec<SessionId> = world.store.sessions.keys().copied().collect();
    all.push(SessionId::from_bits(u64::MAX / 2));
    *seed.of(&all)
}

/// What is asked over HTTP, by whoever may and whoever may not.
fn ask_over_http(seed: &mut Seed, world: &mut World) {
    let callers = [backend(), person("tutor"), person("anna"), backend()];
    let caller = seed.of(&callers).clone();
    let room = RoomRef::Name(RoomName(seed.of(&["class", "other", "tutor"]).to_string()));
    let start = world.start(seed.key());
    let fresh_room = RoomId::from_bits(world.draw());
    let participant = anybody(seed, world);
    let identity = Identity(seed.of(&TABS).to_string());
    let settings = RoomSettings {
        title: seed.of(&["", "A title"]).to_string(),
        lobby: seed.once_in(2),
        locked: seed.once_in(4),
        max_participants: seed.once_in(3).then_some(3),
    };
    let request = match seed.below(20) {
        0 => ApiRequest::CreateRoom {
            name: RoomName(seed.of(&["class", "other"]).to_string()),
            owner: seed.once_in(2).then(|| Identity("tutor".into())),
            settings,
            fresh_room,
        },
        1 => ApiRequest::MyRoom { fresh_room },
        2 => ApiRequest::GetRoom(room),
        3 | 4 => ApiRequest::UpdateRoom { room, settings },
        5 if seed.once_in(3) => ApiRequest::DeleteRoom(room),
        6 => ApiRequest::OpenLobby(room, start),
        7 | 8 => ApiRequest::GoLive(room, start),
        9 => ApiRequest::EndSession {
            room,
            session: None,
        },
        10 => ApiRequest::ScheduleSession {
            room,
            start,
            title: "Planned".into(),
            scheduled_for: Timestamp(world.now.0 + seed.next() % 7_200_000),
        },
        11 => ApiRequest::CancelSession {
            room,
            session: any_session(seed, world),
        },
        12 => ApiRequest::Participants(room),
        13..=15 => ApiRequest::UpdateParticipant {
            room,
            participant,
            name: seed.once_in(3).then(|| "Renamed".into()),
            permissions: seed.once_in(2).then(|| Permissions {
                publish: seed.once_in(2),
                subscribe: !seed.once_in(3),
                publish_data: !seed.once_in(3),
                moderate: seed.once_in(2),
                hidden: false,
            }),
        },
        16 => ApiRequest::MuteTrack {
            room,
            track: any_track(seed, world),
        },
        17 => ApiRequest::RemoveParticipant { room, participant },
        18 if seed.once_in(2) => ApiRequest::Ban { room, identity },
        _ => ApiRequest::Unban { room, identity },
    };
    drop(world.api(&caller, request));
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
        8 if !tracks.is_empty() => {
            let (track, wanted) = (*seed.of(&tracks), seed.once_in(2));
            let layers = vec![LayerWanted { rid: None, wanted }];
            world.report(MediaEvent::LayersWanted { track, layers });
        }
        9.. if !tracks.is_empty() => {
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
    if !number.is_multiple_of(3) {
        world.own_room("tutor", crate::world::ROOM);
    }
    for _ in 0..commands {
        let tab = *seed.of(&TABS);
        let is_open = world.clients.get(tab).is_some_and(|client| client.is_open);
        let connection = world.clients.get(tab).map(|client| client.connection);
        let has_joined =
            connection.is_some_and(|connection| world.rooms.participant_of(connection).is_some());
        match seed.below(48) {
            47 if seed.once_in(10) => {
                numbers.clear();
                world.restart();
            }
            40.. => ask_over_http(&mut seed, &mut world),
            0 | 1 if is_open => drop(world.lose(tab)),
            2 => drop(world.pass(seed.next() % 8_000)),
            // Also while the old connection is open: its loss has not been noticed.
            3 => {
                numbers.remove(tab);
                world.join_as(joining(&mut seed, &world, tab));
            }
            4..=12 => report(&mut seed, &mut world),
            13 if is_open => drop(world.ask(tab, Request::Leave)),
            14 if is_open => lead(&mut seed, &mut world, tab, TrackId::from_bits(u64::MAX)),
            _ if has_joined => ask(&mut seed, &mut world, tab, &mut numbers),
            _ => drop(world.join_as(joining(&mut seed, &world, tab))),
        }
    }
    world
}

#[test]
fn whatever_happens_every_client_knows_the_room_as_it_is_and_nothing_is_left_at_the_end() {
    for number in 0..60 {
        let mut world = live_through(number, 1_000);
        for connection in world.open_connections() {
            let has_joined = world.rooms.participant_of(connection).is_some();
            let request = Request::Leave;
            let command = match number % 2 {
                0 if has_joined => Command::Request {
                    connection,
                    request_id: None,
                    request,
                },
                _ => {
                    world.client_of(connection).is_open = false;
                    Command::Disconnected { connection }
                }
            };
            world.handle(command);
        }
        world.pass(15_000);
        world.pass(10_000);
        // What is planned, and begun by nobody, is cancelled.
        world.pass(10_800_000);
        assert!(
            world.rooms.is_empty(),
            "seed {number} leaves something behind"
        );
        let counts = world.rooms.counts();
        let nothing = signaling::Counts {
            kept_rooms: counts.kept_rooms,
            go_live_conflicts: counts.go_live_conflicts,
            ..signaling::Counts::default()
        };
        assert_eq!((counts, world.rooms.stuck()), (nothing, 0));
        assert!(world.media.peers.is_empty() && world.rooms.poll_timeout().is_none());
    }
}

#[test]
fn chance_meets_every_way_in_which_a_session_ends_and_whatever_follows_from_it() {
    let mut reasons = BTreeSet::new();
    let mut told = BTreeSet::new();
    let expected = ["Cancelled", "Empty", "Ended", "HostAbsent", "RoomDeleted"].map(str::to_owned);
    let kinds = [
        "presence",
        "room_updated",
        "waiting",
        "waiting_list",
        "unmute_asked",
        "done",
        "joined",
        "resumed",
        "goodbye",
        "layers_wanted",
    ];
    for number in 0..300 {
        // Some of it is rare: as many worlds as it takes.
        let has_all = |told: &BTreeSet<String>| kinds.iter().all(|kind| told.contains(*kind));
        if reasons.len() == expected.len() && has_all(&told) {
            break;
        }
        for effect in live_through(number, 1_000).transcript {
            match effect {
                Effect::Write(Write::SessionChanged(session)) => {
                    reasons.extend(session.end_reason.map(|reason| format!("{reason:?}")));
                }
                Effect::Send { message, .. } | Effect::Acknowledge { message, .. } => {
                    let message = serde_json::to_value(message).expect("JSON");
                    let kind = match &message["change"] {
                        serde_json::Value::Object(change) => &change["type"],
                        _ => &message["type"],
                    };
                    told.insert(kind.as_str().expect("a type").to_owned());
                }
                _ => {}
            }
        }
    }
    assert_eq!(reasons, expected.into());
    for kind in kinds {
        assert!(told.contains(kind), "{kind} was told to nobody");
    }
}

#[test]
fn the_same_commands_have_the_same_effects() {
    let (once, again) = (live_through(7, 1_000), live_through(7, 1_000));
    assert!(once.transcript.len() > 1_000, "much happened");
    assert!(once.transcript == again.transcript);
}
