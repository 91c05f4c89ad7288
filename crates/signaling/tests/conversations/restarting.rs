//! A server that begins with what another one wrote down: nothing is stuck, and nothing is forgotten that
//! was promised. And the log of commands from which a fault can be seen again.

use protocol::record::{SessionRecord, Stored, Write};
use protocol::{EndReason, ErrorCode, RoomState, SessionState, Timestamp, TrackSource};
use signaling::{Limits, Recorded, Rooms};

use crate::expected::assert_refused;
use crate::world::{ROOM, START, World, done, live_room, person, session};

#[test]
fn e9_after_a_kill_the_room_is_idle_and_the_host_goes_live_again_at_once() {
    let (mut world, room) = live_room();
    world.join("anna");
    let lost = session(&world);
    world.pass(60_000);
    world.restart();
    assert_eq!(world.info().state, RoomState::Idle);
    world.join("host");
    assert_eq!(world.room_id(), room);
    let again = done(&world.go_live("host", "first key"), 0);
    assert_eq!(
        (again.id, again.end_reason),
        (lost.id, Some(EndReason::ServerLost)),
        "the same key, the same session"
    );
    let next = done(&world.go_live("host", "next key"), 0);
    assert_eq!(next.state, SessionState::Live);
    assert_eq!(world.store.sessions.len(), 2);
}

#[test]
fn e2_a_session_that_is_stuck_in_the_store_is_ended_before_anything_else() {
    let (mut world, _) = live_room();
    let stuck = session(&world);
    let store = world.store.clone();
    let mut stored = world.store.recover(world.now);
    // A store that did not end it.
    stored.sessions = vec![stuck.clone()];
    for asks_at_once in [true, false] {
        let mut rooms = Rooms::restore(Limits::default(), stored.clone());
        rooms.check_invariants();
        assert_eq!(rooms.poll_timeout(), Some(Timestamp(0)));
        let effects = if asks_at_once {
            let start = world.start("another key");
            rooms.handle(
                world.now,
                signaling::Command::Api(Box::new(signaling::ApiCommand {
                    asker: signaling::AskerId(1),
                    caller: person("host"),
                    request: signaling::ApiRequest::GoLive(crate::world::class(), start),
                })),
            )
        } else {
            rooms.handle_timeout(world.now)
        };
        let ended = SessionRecord {
            state: SessionState::Ended,
            ended_at: Some(world.now),
            end_reason: Some(EndReason::ServerLost),
            ..stuck.clone()
        };
        assert_eq!(
            effects[0],
            signaling::Effect::Write(Write::SessionChanged(ended))
        );
        assert_eq!(effects.len(), if asks_at_once { 3 } else { 1 });
        rooms.check_invariants();
    }
    assert!(store.sessions[&stuck.id].state.is_running());
}

#[test]
fn a_room_that_nobody_is_in_any_more_and_that_does_not_stay_is_closed() {
    let mut world = World::new();
    world.join_live("anna", TrackSource::Camera);
    let room = world.room_id();
    world.restart();
    world.pass(0);
    let at = START;
    assert_eq!(world.written, [Write::RoomClosed { room, at }]);
    assert!(world.rooms.is_empty());
    world.join("anna");
    assert_ne!(world.room_id(), room);
}

#[test]
fn what_is_planned_is_still_planned_after_a_restart() {
    let (mut world, _) = live_room();
    world.end_session("host");
    let start = world.start("plan");
    let request = signaling::ApiRequest::ScheduleSession {
        room: crate::world::class(),
        start,
        title: "Planned".into(),
        scheduled_for: Timestamp(world.now.0 + 3_600_000),
    };
    world.api_ok(&person("host"), request);
    world.restart();
    assert_eq!(world.info().state, RoomState::Scheduled);
    world.join("host");
    let begun = done(&world.go_live("host", "key"), 0);
    assert_eq!(begun.title, "Planned");
}

#[test]
fn a_clean_stop_ends_what_runs_and_keeps_what_stays() {
    let (mut world, room) = live_room();
    world.join("anna");
    world.pass(2_000);
    world.stop();
    let ended = session(&world);
    assert_eq!(ended.end_reason, Some(EndReason::ServerStopped));
    assert_eq!(world.store.attending(room).len(), 0);
    assert_eq!(world.store.rooms[&room].closed_at, None);
    world.has_stopped = false;
    world.restart();
    assert_eq!(world.info().state, RoomState::Idle);
}

#[test]
fn a_stopping_server_answers_http_with_a_refusal() {
    let (mut world, _) = live_room();
    world.stop();
    let request = signaling::ApiRequest::GetRoom(crate::world::class());
    let (result, _) = world.api(&person("host"), request);
    assert_eq!(result.expect_err("a refusal").code, ErrorCode::Unavailable);
}

#[test]
fn the_recent_commands_of_a_room_lead_to_the_same_room_again_and_tell_no_secret() {
    let mut world = World::new();
    world.join_live("anna", TrackSource::Microphone);
    world.join("ben");
    world.lose("ben");
    world.pass(5_000);
    let resume = Some(world.resume("ben"));
    world.join_as(crate::world::Joining {
        resume,
        ..crate::world::student("ben")
    });
    world.join("cleo");
    world.lose("cleo");
    world.pass(15_000);
    let effects = world.end_session("ben");
    assert_refused(&world, &effects, "ben", ErrorCode::NotPermitted);

    let recorded = world.rooms.recent_commands(world.room_id());
    let lines: Vec<String> = recorded
        .iter()
        .map(|recorded| serde_json::to_string(recorded).expect("JSON"))
        .collect();
    assert!(lines.iter().all(|line| !line.contains("secret")));
    assert!(lines.iter().any(|line| line.contains("\"command\":null")));

    let mut again = Rooms::restore(Limits::default(), Stored::default());
    for line in lines {
        let Recorded { at, command } = serde_json::from_str(&line).expect("what was written");
        match command {
            Some(command) => again.handle(at, command),
            None => again.handle_timeout(at),
        };
        again.check_invariants();
    }
    let name = protocol::RoomName(ROOM.into());
    assert_eq!(again.room(&name), world.rooms.room(&name));
}

#[test]
fn a_room_remembers_so_many_commands_and_no_more() {
    let mut world = World::new();
    world.join("anna");
    for _ in 0..300 {
        world.ask("anna", signaling::Request::LiveStatus);
    }
    assert_eq!(world.rooms.recent_commands(world.room_id()).len(), 256);
    assert!(!world.rooms.log_head(world.room_id()).is_whole);
}

#[test]
fn a_log_is_whole_if_it_begins_with_its_room() {
    let (mut world, room) = live_room();
    assert!(world.rooms.log_head(room).is_whole);
    // It is empty, and what was before is no longer remembered.
    world.end_session("host");
    world.join("host");
    assert!(!world.rooms.log_head(room).is_whole);
    world.restart();
    world.join("host");
    assert!(!world.rooms.log_head(room).is_whole);
    assert!(!world.rooms.recent_commands(room).is_empty());
}
