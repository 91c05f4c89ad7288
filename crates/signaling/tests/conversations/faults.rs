//! A room in which something was found to be wrong is closed, and nothing else is.

use protocol::record::Write;
use protocol::{
    EndReason, ErrorCode, Identity, RoomState, ServerMessage, SessionState, TrackSource,
};
use signaling::{ApiReply, ApiRequest, Effect};

use crate::world::{ROOM, World, class, person, student};

/// Two rooms with media in them, the first somebody's own and live, with one who waits, and one away.
fn two_rooms() -> World {
    let mut world = World::new();
    world.own_room("host", ROOM);
    let ApiReply::Room(room) = world.api_ok(&person("host"), ApiRequest::GetRoom(class())) else {
        panic!("a room")
    };
    let mut settings = room.record.settings;
    settings.lobby = true;
    let room = class();
    world.api_ok(&person("host"), ApiRequest::UpdateRoom { room, settings });
    world.join("host");
    world.go_live("host", "a key");
    world.publish("host", "0", TrackSource::Camera);
    world.offer("host", 1);
    world.join("guest");
    world.join("lost");
    world.lose("lost");
    for tab in ["ann", "ben"] {
        let mut joining = student(tab);
        joining.room = "other".into();
        world.join_as(joining);
    }
    world
}

#[test]
fn a_faulty_room_is_closed_with_all_that_was_in_it_and_the_others_go_on() {
    let mut world = two_rooms();
    let (room, now) = (world.room_id(), world.now);
    let effects = world.rooms.close_faulty(now, room);
    let ended = effects.iter().find_map(|effect| match effect {
        Effect::Write(Write::SessionChanged(session)) => Some((session.state, session.end_reason)),
        _ => None,
    });
    assert_eq!(
        ended,
        Some((SessionState::Ended, Some(EndReason::ServerLost)))
    );
    // Everything that must hold between commands is checked here, and what is written against it.
    let effects = world.perform(effects);
    let told = effects.iter().find_map(|effect| match effect {
        Effect::Send {
            to,
            message: ServerMessage::Goodbye(goodbye),
        } => Some((to.len(), goodbye.code, goodbye.reconnect)),
        _ => None,
    });
    assert_eq!(told, Some((2, ErrorCode::Internal, true)));
    let counts = world.rooms.counts();
    assert_eq!(
        (
            counts.rooms,
            counts.participants,
            counts.waiting,
            counts.away
        ),
        (1, 2, 0, 0)
    );
    assert!(world.clients["ann"].is_open && !world.clients["host"].is_open);
}

#[test]
fn a_room_that_stays_can_be_used_again_at_once_after_a_fault() {
    let mut world = two_rooms();
    let (room, now) = (world.room_id(), world.now);
    let effects = world.rooms.close_faulty(now, room);
    world.perform(effects);
    world.join("host");
    world.go_live("host", "another key");
    assert_eq!(world.room_id(), room);
    let ApiReply::Room(details) = world.api_ok(&person("host"), ApiRequest::GetRoom(class()))
    else {
        panic!("a room")
    };
    assert_eq!(details.info.state, RoomState::Live);
    assert_eq!(details.record.owner, Some(Identity("host".into())));
}

#[test]
fn a_room_that_is_nobodys_is_gone_after_a_fault_and_made_anew_by_the_next_join() {
    let mut world = World::new();
    world.join_live("ann", TrackSource::Camera);
    let (room, now) = (world.room_id(), world.now);
    let effects = world.rooms.close_faulty(now, room);
    assert!(effects.contains(&Effect::RoomClosed { room }));
    world.perform(effects);
    assert!(world.rooms.is_empty());
    assert!(world.rooms.close_faulty(now, room).is_empty(), "only once");
    world.join("ann");
    assert_ne!(world.room_id(), room);
}
