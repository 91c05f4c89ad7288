//! Going live and ending: asked for often, done once; and the room is what its sessions are.

use protocol::record::{SessionRecord, Write};
use protocol::{
    Change, EndReason, ErrorCode, HostInfo, Identity, RoomId, RoomState, ServerMessage,
    SessionInfo, SessionState, Timestamp,
};
use signaling::{ApiReply, ApiRequest, Effect, Request};

use crate::expected::{assert_goodbye, assert_refused};
use crate::world::{
    REQUEST, ROOM, START, World, backend, class, done, live_room, own_room, person, session,
    student, tutor,
};

fn live(session: &SessionRecord) -> SessionInfo {
    SessionInfo {
        id: session.id,
        state: SessionState::Live,
        title: session.title.clone(),
        scheduled_for: session.scheduled_for,
        live_at: session.live_at,
        ended_at: None,
        end_reason: None,
    }
}

#[test]
fn e1_a_room_with_an_owner_is_idle_until_its_host_goes_live() {
    let (mut world, room) = own_room();
    assert_eq!(world.room_id(), room);
    let joined = world.clients["host"].view.clone().expect("the room");
    assert_eq!(joined.room.state, RoomState::Idle);
    let host = HostInfo {
        identity: Identity("host".into()),
        present: true,
    };
    assert_eq!((joined.room.session, joined.room.host), (None, Some(host)));
    world.pass(3_000);

    let effects = world.go_live("host", "a key");
    let session = session(&world);
    let at = Timestamp(START.0 + 3_000);
    assert_eq!(
        (session.room, session.state, session.live_at, session.host),
        (
            room,
            SessionState::Live,
            Some(at),
            Some(Identity("host".into()))
        )
    );
    let info = world.clients["host"].view.clone().expect("the room").room;
    assert_eq!(info.state, RoomState::Live);
    let message = ServerMessage::Done {
        request_id: REQUEST,
        session: info.session.clone(),
    };
    assert_eq!(
        effects,
        [
            world.acknowledged("host", message),
            world.told(&["host"], 2, Change::RoomUpdated { room: info }),
        ]
    );
    let [
        Write::SessionCreated(created),
        Write::AttendanceOpened(attendance),
    ] = &world.written[..]
    else {
        panic!("the session and who is in it, not {:#?}", world.written);
    };
    assert_eq!(created.id, session.id);
    assert_eq!(
        (
            attendance.session,
            attendance.participant,
            attendance.joined_at
        ),
        (session.id, world.id("host"), at)
    );
}

#[test]
fn e1_the_lobby_comes_before_going_live_and_is_the_same_session() {
    let (mut world, _) = own_room();
    let effects = world.open_lobby("host", "lobby");
    let lobby = done(&effects, 0);
    assert_eq!((lobby.state, lobby.live_at), (SessionState::Lobby, None));
    assert_eq!(world.info().state, RoomState::Lobby);
    assert!(matches!(world.written[..], [Write::SessionCreated(_)]));
    let effects = world.go_live("host", "live");
    let live = done(&effects, 0);
    assert_eq!((live.id, live.state), (lobby.id, SessionState::Live));
    assert!(matches!(
        world.written[..],
        [Write::SessionChanged(_), Write::AttendanceOpened(_)]
    ));
    let effects = world.open_lobby("host", "once more");
    assert_eq!(done(&effects, 0), live, "what is live stays live");
}

#[test]
fn e2_a_double_click_on_go_live_gives_one_session() {
    let (mut world, _) = own_room();
    let first = done(&world.go_live("host", "click"), 0);
    world.pass(5);
    let effects = world.go_live("host", "click");
    assert_eq!(done(&effects, 0), first);
    assert_eq!(effects.len(), 1, "and nothing else happens");
    assert_eq!((world.written.len(), world.store.sessions.len()), (0, 1));
    assert_eq!(world.rooms.counts().go_live_conflicts, 0);
}

#[test]
fn e2_two_tabs_that_go_live_get_one_session() {
    let (mut world, _) = own_room();
    let first = done(&world.go_live("host", "one tab"), 0);
    let (result, effects) = {
        let start = world.start("other tab");
        world.api(&person("host"), ApiRequest::GoLive(class(), start))
    };
    let Ok(ApiReply::Session(second)) = result else {
        panic!("a session, not {result:?}");
    };
    assert_eq!((live(&second), effects), (first, vec![]));
    assert_eq!(world.store.sessions.len(), 1);
    assert_eq!(world.rooms.counts().go_live_conflicts, 1);
}

#[test]
fn e2_a_retry_after_the_end_gives_the_session_that_ended_and_no_second_one() {
    let (mut world, _) = own_room();
    let first = done(&world.go_live("host", "click"), 0);
    done(&world.go_live("host", "other click"), 0);
    world.end_session("host");
    world.join("host");
    for key in ["click", "other click"] {
        let again = done(&world.go_live("host", key), 0);
        assert_eq!((again.id, again.state), (first.id, SessionState::Ended));
        assert_eq!(again.end_reason, Some(EndReason::Ended));
    }
    assert_eq!(world.info().state, RoomState::Idle);
    let next = done(&world.go_live("host", "a new click"), 0);
    assert_ne!(next.id, first.id);
}

#[test]
fn e2_a_hundred_requests_to_go_live_give_one_session_and_a_hundred_equal_answers() {
    let mut world = World::new();
    world.own_room("host", ROOM);
    let mut answers = Vec::new();
    for number in 0..100 {
        let start = world.start(&format!("request {number}"));
        answers.push(world.api_ok(&person("host"), ApiRequest::GoLive(class(), start)));
    }
    assert_eq!(world.store.sessions.len(), 1);
    assert_eq!(answers[0], ApiReply::Session(session(&world)));
    assert!(answers.iter().all(|answer| *answer == answers[0]));
}

#[test]
fn e3_ending_is_for_all_and_the_room_can_be_used_again_at_once() {
    let (mut world, room) = live_room();
    world.join("anna");
    world.join("ben");
    world.publish("anna", "0", protocol::TrackSource::Camera);
    world.offer("anna", 1);
    world.lose("ben");
    world.pass(4_000);
    let (peer, track) = (world.peer("anna"), world.track("anna", "0"));
    let running = session(&world);
    let effects = world.end_session("host");
    let at = Timestamp(START.0 + 4_000);
    let ended = SessionRecord {
        state: SessionState::Ended,
        ended_at: Some(at),
        end_reason: Some(EndReason::Ended),
        ..running
    };
    let closed = |tab: &str, at| Write::AttendanceClosed {
        session: ended.id,
        participant: world.id(tab),
        at,
    };
    assert_eq!(
        world.written,
        [
            Write::TrackUnpublished { track, at },
            closed("host", at),
            closed("anna", at),
            closed("ben", START),
            Write::SessionChanged(ended.clone()),
        ]
    );
    assert_eq!(done(&effects, 0).state, SessionState::Ended);
    let code = ErrorCode::SessionEnded;
    assert_goodbye(&effects[1..3], world.connection("host"), code, false);
    let media = signaling::MediaEffect::ClosePeer { peer };
    assert_eq!(
        effects[3],
        Effect::Media {
            room,
            effect: media
        }
    );
    assert_goodbye(&effects[4..6], world.connection("anna"), code, false);
    assert_eq!(effects[6..], [Effect::RoomClosed { room }]);
    assert!(world.rooms.is_empty(), "but for the room that stays");

    world.join("host");
    assert_eq!(world.room_id(), room);
    let next = done(&world.go_live("host", "next"), 0);
    assert_ne!(next.id, ended.id);
}

#[test]
fn ending_what_is_over_says_how_it_ended() {
    let (mut world, _) = live_room();
    let id = session(&world).id;
    world.end_session("host");
    world.join("host");
    world.pass(1_000);
    for session in [None, Some(id)] {
        let effects = world.ask("host", Request::EndSession { session });
        let ended = done(&effects, 0);
        assert_eq!((ended.id, ended.ended_at), (id, Some(START)));
        assert_eq!((effects.len(), world.written.len()), (1, 0));
    }
    let session = Some(protocol::SessionId::from_bits(77));
    let effects = world.ask("host", Request::EndSession { session });
    assert_refused(&world, &effects, "host", ErrorCode::SessionNotFound);
}

#[test]
fn ending_where_nothing_ever_was_is_refused() {
    let (mut world, _) = own_room();
    let effects = world.end_session("host");
    assert_refused(&world, &effects, "host", ErrorCode::SessionNotFound);
}

#[test]
fn only_who_leads_or_moderates_begins_and_ends_sessions() {
    let (mut world, _) = live_room();
    world.join("anna");
    let effects = world.go_live("anna", "key");
    assert_refused(&world, &effects, "anna", ErrorCode::NotPermitted);
    let effects = world.open_lobby("anna", "key");
    assert_refused(&world, &effects, "anna", ErrorCode::NotPermitted);
    let effects = world.end_session("anna");
    assert_refused(&world, &effects, "anna", ErrorCode::NotPermitted);
    world.join_as(tutor("tom"));
    done(&world.end_session("tom"), 0);
    assert_eq!(session(&world).state, SessionState::Ended);
}

#[test]
fn a_key_that_is_none_or_too_long_is_refused() {
    let (mut world, _) = own_room();
    let effects = world.go_live("host", "");
    assert_refused(&world, &effects, "host", ErrorCode::InvalidRequest);
    let effects = world.go_live("host", &"x".repeat(65));
    assert_refused(&world, &effects, "host", ErrorCode::TextTooLong);
    let effects = world.go_live("host", "a\0");
    assert_refused(&world, &effects, "host", ErrorCode::TextInvalid);
    done(&world.go_live("host", &"x".repeat(64)), 0);
}

#[test]
fn the_session_of_a_room_that_is_nobodys_runs_from_the_first_to_the_last() {
    let mut world = World::new();
    world.join("anna");
    assert!(matches!(
        world.written[..],
        [
            Write::RoomCreated(_),
            Write::SessionCreated(_),
            Write::AttendanceOpened(_)
        ]
    ));
    world.join("ben");
    assert!(matches!(world.written[..], [Write::AttendanceOpened(_)]));
    world.ask("anna", Request::Leave);
    world.ask("ben", Request::Leave);
    let [
        Write::AttendanceClosed { .. },
        Write::SessionChanged(session),
        Write::RoomClosed { .. },
    ] = &world.written[..]
    else {
        panic!("everything ends, not {:#?}", world.written);
    };
    assert_eq!(session.end_reason, Some(EndReason::Empty));
}

#[test]
fn nobody_begins_the_session_of_a_room_that_is_nobodys() {
    let mut world = World::new();
    world.join_as(tutor("tom"));
    let running = done(&world.go_live("tom", "key"), 0);
    assert_eq!(running, live(&session(&world)), "it runs already");
    let name = protocol::RoomName("empty".into());
    let create = ApiRequest::CreateRoom {
        name: name.clone(),
        owner: None,
        settings: Default::default(),
        fresh_room: RoomId::from_bits(900),
    };
    world.api_ok(&backend(), create);
    let (room, start) = (signaling::RoomRef::Name(name), world.start("key"));
    let (result, _) = world.api(&backend(), ApiRequest::GoLive(room, start));
    let error = result.expect_err("a refusal");
    assert_eq!(error.code, ErrorCode::SessionState);
}

#[test]
fn a_moderator_ends_a_room_that_is_nobodys_for_all() {
    let mut world = World::new();
    world.join_as(tutor("tom"));
    world.join_as(student("anna"));
    done(&world.end_session("tom"), 0);
    assert!(world.rooms.is_empty());
    assert_eq!(world.open_connections(), []);
    world.join("anna");
    assert_eq!(world.info().state, RoomState::Live, "and it begins anew");
}

/// Plans a session for this many minutes from now.
fn schedule(world: &mut World, key: &str, minutes: u64) -> SessionRecord {
    let start = world.start(key);
    let request = ApiRequest::ScheduleSession {
        room: class(),
        start,
        title: key.into(),
        scheduled_for: Timestamp(world.now.0 + minutes * 60_000),
    };
    match world.api_ok(&person("host"), request) {
        ApiReply::Session(session) => session,
        other => panic!("a session, not {other:?}"),
    }
}

#[test]
fn going_live_begins_the_session_that_is_scheduled_for_now() {
    let (mut world, _) = own_room();
    let later = schedule(&mut world, "tomorrow", 24 * 60);
    assert_eq!(world.info().state, RoomState::Scheduled);
    let now = schedule(&mut world, "today", 50);
    assert_eq!(world.info().session.map(|of| of.id), Some(now.id));
    let begun = done(&world.go_live("host", "click"), 0);
    assert_eq!((begun.id, begun.title.as_str()), (now.id, "today"));
    assert_eq!(done(&world.go_live("host", "click"), 0), begun);
    assert_eq!(done(&world.go_live("host", "today"), 0), begun);
    world.end_session("host");
    world.join("host");
    assert_eq!(world.info().state, RoomState::Scheduled);
    let other = done(&world.go_live("host", "another click"), 0);
    assert!(
        other.id != later.id && other.id != now.id,
        "tomorrow is not now"
    );
}

#[test]
fn what_a_key_planned_does_not_begin_while_another_session_runs() {
    let (mut world, _) = live_room();
    let planned = schedule(&mut world, "plan", 24 * 60);
    let effects = world.go_live("host", "plan");
    assert_refused(&world, &effects, "host", ErrorCode::SessionState);
    world.end_session("host");
    world.join("host");
    assert_eq!(done(&world.go_live("host", "plan"), 0).id, planned.id);
}

#[test]
fn a_session_that_nobody_begins_in_its_hour_is_cancelled() {
    let (mut world, _) = own_room();
    let planned = schedule(&mut world, "today", 10);
    world.pass(70 * 60_000 - 1);
    assert_eq!(world.info().state, RoomState::Scheduled);
    world.pass(1);
    assert_eq!(world.info().state, RoomState::Idle);
    let cancelled = &world.store.sessions[&planned.id];
    assert_eq!(cancelled.end_reason, Some(EndReason::Cancelled));
}

#[test]
fn planning_and_giving_up_are_done_once_however_often_they_are_asked() {
    let (mut world, _) = own_room();
    let planned = schedule(&mut world, "plan", 120);
    assert_eq!(schedule(&mut world, "plan", 180), planned);
    let cancel = |id| ApiRequest::CancelSession {
        room: class(),
        session: id,
    };
    let ApiReply::Session(cancelled) = world.api_ok(&person("host"), cancel(planned.id)) else {
        panic!("a session")
    };
    assert_eq!(cancelled.state, SessionState::Cancelled);
    world.pass(1_000);
    let again = world.api_ok(&person("host"), cancel(planned.id));
    assert_eq!(again, ApiReply::Session(cancelled));
    world.go_live("host", "key");
    let (result, _) = world.api(&person("host"), cancel(session(&world).id));
    assert_eq!(result.expect_err("a refusal").code, ErrorCode::SessionState);
}

#[test]
fn the_sixteen_last_sessions_are_remembered_by_their_keys() {
    let (mut world, _) = own_room();
    let mut ids = Vec::new();
    for number in 0..17 {
        world.pass(1);
        let key = format!("key {number}");
        ids.push(done(&world.go_live("host", &key), 0).id);
        world.end_session("host");
        world.join("host");
    }
    assert_eq!(done(&world.go_live("host", "key 1"), 0).id, ids[1]);
    let session = Some(ids[0]);
    let effects = world.ask("host", Request::EndSession { session });
    assert_refused(&world, &effects, "host", ErrorCode::SessionNotFound);
}

#[test]
fn e2_the_keys_of_the_last_sixteen_sessions_are_remembered_and_an_older_one_makes_a_session() {
    let (mut world, _) = own_room();
    let mut made = Vec::new();
    let go_live_and_end = |world: &mut World, key: &str| {
        let session = done(&world.go_live("host", key), 0);
        if session.state == SessionState::Live {
            world.end_session("host");
            world.join("host");
        }
        session
    };
    for number in 0..17 {
        made.push(go_live_and_end(&mut world, &format!("key {number}")).id);
    }
    for (number, id) in made.iter().enumerate().skip(1) {
        let again = go_live_and_end(&mut world, &format!("key {number}"));
        assert_eq!((again.id, again.state), (*id, SessionState::Ended));
    }
    for key in ["key 0", "key 1"] {
        let new = go_live_and_end(&mut world, key);
        assert_eq!(new.state, SessionState::Live);
        assert!(!made.contains(&new.id));
        world.restart();
        world.join("host");
        let again = go_live_and_end(&mut world, key);
        assert_eq!((again.id, again.state), (new.id, SessionState::Ended));
    }
    assert_eq!(world.store.sessions.len(), 19);
}

#[test]
fn what_ended_last_is_remembered_when_the_clock_was_set_back_since_the_others_ended() {
    let (mut world, _) = own_room();
    for number in 0..17 {
        done(&world.go_live("host", &format!("key {number}")), 0);
        world.end_session("host");
        world.join("host");
    }
    world.restart();
    world.now = Timestamp(START.0 / 2);
    world.join("host");
    let new = done(&world.go_live("host", "new key"), 0);
    world.end_session("host");
    world.join("host");
    assert_eq!(done(&world.go_live("host", "new key"), 0).id, new.id);
}
