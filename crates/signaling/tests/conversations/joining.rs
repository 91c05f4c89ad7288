//! Entering a room, and going for good.

use protocol::{
    Change, ErrorCode, Joined, MediaType, RoomId, RoomInfo, RoomName, RoomSettings, RoomState,
    ServerMessage, SessionInfo, SessionState, StateUpdate, TrackSource,
};
use signaling::{Command, Effect, Permissions, Request};

use crate::expected::{assert_goodbye, assert_refused, track};
use crate::world::{EVERYTHING, Joining, ROOM, START, World, student};

/// The session that began by itself, as it is written down.
fn live_session(world: &World) -> SessionInfo {
    let session = world.store.sessions.values().last();
    SessionInfo {
        id: session.expect("a session that was written down").id,
        state: SessionState::Live,
        title: String::new(),
        scheduled_for: None,
        live_at: Some(START),
        ended_at: None,
        end_reason: None,
    }
}

#[test]
fn the_first_to_join_opens_the_room_and_is_told_it() {
    let mut world = World::new();
    let effects = world.join("anna");
    let anna = world.participant("anna");
    assert_eq!(anna.joined_at, START);
    let joined = Joined {
        room: RoomInfo {
            id: RoomId::from_bits(2),
            name: RoomName(ROOM.into()),
            state: RoomState::Live,
            settings: RoomSettings::default(),
            session: Some(live_session(&world)),
            host: None,
        },
        participant_id: anna.id,
        participants: vec![anna],
        live: vec![],
        last_change: 1,
        resume_token: "secret 4".into(),
        rejoined: false,
        ping_interval_ms: 5_000,
        ping_timeout_ms: 15_000,
    };
    assert_eq!(
        effects,
        [
            Effect::RoomOpened {
                room: RoomId::from_bits(2),
                name: RoomName(ROOM.into())
            },
            world.acknowledged("anna", ServerMessage::Joined(Box::new(joined))),
        ]
    );
}

#[test]
fn b1_one_message_gives_the_whole_state_of_the_room_with_its_broadcasts() {
    let mut world = World::new();
    world.join_live("anna", TrackSource::Camera);
    world.pass(2_000);
    let effects = world.join("ben");
    let (anna, ben) = (world.participant("anna"), world.participant("ben"));
    assert_eq!(
        anna.tracks,
        [track(world.track("anna", "0"), TrackSource::Camera, START)]
    );
    let joined = Joined {
        room: RoomInfo {
            id: world.room_id(),
            name: RoomName(ROOM.into()),
            state: RoomState::Live,
            settings: RoomSettings::default(),
            session: Some(live_session(&world)),
            host: None,
        },
        participant_id: ben.id,
        participants: vec![anna, ben.clone()],
        live: vec![world.live("anna", START, MediaType::Video)],
        last_change: 4,
        resume_token: world.clients["ben"].resume_token.clone(),
        rejoined: false,
        ping_interval_ms: 5_000,
        ping_timeout_ms: 15_000,
    };
    assert_eq!(
        effects,
        [
            world.told(&["anna"], 4, Change::ParticipantJoined { participant: ben }),
            world.acknowledged("ben", ServerMessage::Joined(Box::new(joined))),
        ]
    );
}

#[test]
fn c1_the_newcomer_learns_of_everyone_and_everyone_of_the_newcomer() {
    let mut world = World::new();
    world.join("anna");
    world.join("ben");
    let effects = world.join("cleo");
    let [
        announced,
        Effect::Acknowledge {
            message: ServerMessage::Joined(joined),
            ..
        },
    ] = &effects[..]
    else {
        panic!("an announcement and the room, not {effects:#?}");
    };
    let cleo = world.participant("cleo");
    assert_eq!(
        joined.participants,
        [
            world.participant("anna"),
            world.participant("ben"),
            cleo.clone()
        ]
    );
    assert_eq!(
        *announced,
        world.told(
            &["anna", "ben"],
            3,
            Change::ParticipantJoined { participant: cleo }
        )
    );
}

#[test]
fn c2_role_and_name_are_the_tokens_and_states_are_those_at_the_start() {
    let mut world = World::new();
    world.join("anna");
    let permissions = Permissions {
        moderate: true,
        ..EVERYTHING
    };
    let state = StateUpdate {
        camera: Some(true),
        microphone: None,
        hand_raised: None,
    };
    world.join_as(Joining {
        role: "tutor".into(),
        permissions,
        state,
        ..student("tom")
    });
    let tom = world.participant("tom");
    assert_eq!(
        (tom.name.as_str(), tom.role.0.as_str()),
        ("Name of tom", "tutor")
    );
    assert!(tom.moderator && tom.camera && !tom.microphone && !tom.hand_raised);
}

#[test]
fn c2_a_change_of_state_reaches_all_and_only_when_something_changes() {
    let mut world = World::new();
    world.join("anna");
    world.join("ben");
    let raise = StateUpdate {
        hand_raised: Some(true),
        ..StateUpdate::default()
    };
    let effects = world.ask("ben", Request::UpdateState(raise));
    let ben = world.participant("ben");
    assert!(ben.hand_raised);
    assert_eq!(
        effects,
        [world.told(
            &["anna", "ben"],
            3,
            Change::ParticipantUpdated { participant: ben }
        )]
    );
    assert_eq!(world.ask("ben", Request::UpdateState(raise)), []);
    assert_eq!(
        world.ask("ben", Request::UpdateState(StateUpdate::default())),
        []
    );
}

#[test]
fn whoever_leaves_is_gone_at_once_with_their_tracks() {
    let mut world = World::new();
    world.join_live("anna", TrackSource::Camera);
    world.join("ben");
    let (connection, peer) = (world.connection("anna"), world.peer("anna"));
    let effects = world.ask("anna", Request::Leave);
    let participant_id = world.id("anna");
    assert_eq!(
        effects[..2],
        [
            world.media(signaling::MediaEffect::ClosePeer { peer }),
            world.told(&["ben"], 5, Change::ParticipantLeft { participant_id }),
        ]
    );
    assert!(matches!(effects[2], Effect::Acknowledge { .. }));
    assert_goodbye(&effects[2..], connection, ErrorCode::Left, false);
}

#[test]
fn a_room_is_closed_behind_the_last_and_nothing_is_left() {
    let mut world = World::new();
    world.join_live("anna", TrackSource::Camera);
    world.join_and_offer("ben");
    let room = world.room_id();
    world.ask("anna", Request::Leave);
    let (connection, peer) = (world.connection("ben"), world.peer("ben"));
    let effects = world.ask("ben", Request::Leave);
    assert_eq!(
        effects[0],
        Effect::Media {
            room,
            effect: signaling::MediaEffect::ClosePeer { peer }
        }
    );
    assert_goodbye(&effects[1..3], connection, ErrorCode::Left, false);
    assert_eq!(effects[3..], [Effect::RoomClosed { room }]);
    assert!(world.rooms.is_empty());
    assert_eq!(world.rooms.counts(), signaling::Counts::default());
    world.join("anna");
    assert_ne!(
        world.room_id(),
        room,
        "a room that opens again is another one"
    );
}

#[test]
fn the_same_identity_in_two_rooms_is_two_participants() {
    let mut world = World::new();
    world.join("anna");
    world.join_as(Joining {
        room: "other".into(),
        identity: "anna".into(),
        ..student("anna elsewhere")
    });
    assert_ne!(world.id("anna"), world.id("anna elsewhere"));
    assert_eq!(world.rooms.counts().rooms, 2);
}

#[test]
fn a_connection_that_has_not_joined_is_refused_and_may_join_then() {
    let mut world = World::new();
    let name = "x".repeat(300);
    world.join_as(Joining {
        name,
        ..student("anna")
    });
    let effects = world.ask("anna", Request::LiveStatus);
    assert_refused(&world, &effects, "anna", ErrorCode::NotJoined);
    world.join_again_on("anna", "anna");
    assert_eq!(world.rooms.counts().participants, 1);
}

#[test]
fn a_second_join_on_one_connection_is_refused_and_changes_nothing() {
    let mut world = World::new();
    world.join("anna");
    let (connection, id) = (world.connection("anna"), world.id("anna"));
    let effects = world.join_again_on("anna", "ben");
    assert_refused(&world, &effects, "anna", ErrorCode::AlreadyJoined);
    assert_eq!(
        world
            .rooms
            .participant_of(connection)
            .map(|(_, participant)| participant),
        Some(id)
    );
    assert_eq!(world.rooms.counts().participants, 1);
}

#[test]
fn a_hidden_participant_sees_all_and_is_seen_by_none() {
    let mut world = World::new();
    world.join("anna");
    let hidden = Permissions {
        hidden: true,
        ..EVERYTHING
    };
    let effects = world.join_as(Joining {
        permissions: hidden,
        ..student("ghost")
    });
    let [
        Effect::Acknowledge {
            to,
            message: ServerMessage::Joined(joined),
        },
    ] = &effects[..]
    else {
        panic!("the room for the hidden one and a word to nobody, not {effects:#?}");
    };
    assert_eq!(*to, world.connection("ghost"));
    assert_eq!(joined.participants.len(), 2, "themselves they do see");
    assert_eq!(joined.last_change, 1);

    let raise = StateUpdate {
        hand_raised: Some(true),
        ..StateUpdate::default()
    };
    assert_eq!(world.ask("ghost", Request::UpdateState(raise)), []);
    let effects = world.publish("ghost", "0", TrackSource::Camera);
    assert_refused(&world, &effects, "ghost", ErrorCode::NotPermitted);

    let effects = world.join("ben");
    let [
        announced,
        Effect::Acknowledge {
            message: ServerMessage::Joined(joined),
            ..
        },
    ] = &effects[..]
    else {
        panic!("an announcement and the room, not {effects:#?}");
    };
    assert_eq!(
        joined.participants,
        [world.participant("anna"), world.participant("ben")]
    );
    let participant = world.participant("ben");
    assert_eq!(
        *announced,
        world.told(
            &["anna", "ghost"],
            2,
            Change::ParticipantJoined { participant }
        )
    );

    assert_eq!(world.lose("ghost"), []);
    assert_eq!(world.pass(15_000), []);
    assert_eq!(world.rooms.counts().participants, 2);
}

#[test]
fn a_token_that_hides_makes_another_participant() {
    let mut world = World::new();
    world.join("anna");
    world.join("ben");
    let (before, connection) = (world.id("ben"), world.connection("ben"));
    let permissions = Permissions {
        hidden: true,
        ..EVERYTHING
    };
    let effects = world.join_as(Joining {
        identity: "ben".into(),
        permissions,
        ..student("ben hidden")
    });
    assert_goodbye(&effects[..2], connection, ErrorCode::TakenOver, false);
    assert_eq!(
        effects[2],
        world.told(
            &["anna"],
            3,
            Change::ParticipantLeft {
                participant_id: before
            }
        )
    );
    let [
        Effect::Acknowledge {
            message: ServerMessage::Joined(joined),
            ..
        },
    ] = &effects[3..]
    else {
        panic!("the room, not {effects:#?}");
    };
    assert!(!joined.rejoined && joined.participant_id != before);
}

#[test]
fn a_stopping_server_tells_everybody_and_lets_nobody_in() {
    let mut world = World::new();
    world.join_live("anna", TrackSource::Camera);
    world.join("ben");
    world.join("cleo");
    world.lose("ben");
    let room = world.room_id();
    let effects = world.stop();
    let [
        Effect::Send {
            to,
            message: ServerMessage::Goodbye(goodbye),
        },
        rest @ ..,
    ] = &effects[..]
    else {
        panic!("a goodbye, not {effects:#?}");
    };
    assert_eq!(*to, [world.connection("anna"), world.connection("cleo")]);
    assert_eq!(
        (goodbye.code, goodbye.reconnect),
        (ErrorCode::ServerStopping, true)
    );
    assert_eq!(
        rest,
        [
            Effect::Close {
                connection: world.connection("anna")
            },
            Effect::Close {
                connection: world.connection("cleo")
            },
            Effect::RoomClosed { room },
        ]
    );
    assert!(world.rooms.is_empty() && world.rooms.poll_timeout().is_none());
    let effects = world.join("dora");
    assert_goodbye(
        &effects,
        world.connection("dora"),
        ErrorCode::ServerStopping,
        true,
    );
    assert_eq!(world.handle(Command::Stop), []);
}
