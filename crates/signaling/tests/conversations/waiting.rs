//! Waiting outside: for the session, or for a moderator; in order, and with a place that is kept.

use protocol::{Change, ErrorCode, RoomState, ServerMessage, Waiting, WaitingParticipant};
use signaling::{ApiRequest, Effect, Limits, Permissions, Request};

use crate::expected::{assert_error, assert_goodbye, assert_refused};
use crate::world::{
    EVERYTHING, Joining, REQUEST, ROOM, START, World, class, done, live_room, own_room, person,
    student, tutor,
};

/// The settings of the room, with or without a lobby.
pub(crate) fn set_lobby(world: &mut World, lobby: bool) -> Vec<Effect> {
    let mut settings = world.info().settings;
    settings.lobby = lobby;
    let room = class();
    let update = ApiRequest::UpdateRoom { room, settings };
    let caller = signaling::Caller {
        admin_of: Some(protocol::RoomName(ROOM.into())),
        ..person("somebody")
    };
    let (result, effects) = world.api(&caller, update);
    result.expect("settings");
    effects
}

fn admit(world: &mut World, by: &str, who: &str) -> Vec<Effect> {
    let participants = vec![world.waiting_id(who)];
    world.ask(by, Request::Admit { participants })
}

fn waiter(world: &World, tab: &str) -> WaitingParticipant {
    WaitingParticipant {
        id: world.waiting_id(tab),
        identity: protocol::Identity(tab.into()),
        name: format!("Name of {tab}"),
        role: protocol::Role("student".into()),
        since: START,
    }
}

#[test]
fn a_guest_waits_until_the_session_is_live() {
    let (mut world, _) = own_room();
    let effects = world.join("anna");
    let waiting = Waiting {
        room: world.info(),
        participant_id: world.waiting_id("anna"),
        resume_token: world.clients["anna"].resume_token.clone(),
        ping_interval_ms: 5_000,
        ping_timeout_ms: 15_000,
    };
    let list = vec![waiter(&world, "anna")];
    assert_eq!(
        effects,
        [
            world.to(&["anna"], ServerMessage::Waiting(Box::new(waiting))),
            world.to(&["host"], ServerMessage::WaitingList { participants: list }),
        ]
    );
    assert_eq!(world.written, []);
    let id = world.waiting_id("anna");

    world.open_lobby("host", "lobby");
    let outside = world.clients["anna"].outside.clone();
    assert_eq!(
        outside.map(|of| of.room.state),
        Some(RoomState::Lobby),
        "who waits knows what for"
    );
    let effects = world.go_live("host", "live");
    assert_eq!(world.id("anna"), id, "inside under the same id");
    let participant = world.participant("anna");
    assert_eq!(
        effects[1],
        world.told(&["host"], 3, Change::ParticipantJoined { participant })
    );
    assert_eq!(world.store.attending(world.room_id()).len(), 2);
    assert_eq!(world.clients["host"].waiting_list, []);
}

#[test]
fn all_who_wait_are_let_in_in_their_order() {
    let (mut world, _) = own_room();
    for tab in ["cleo", "anna", "ben"] {
        world.join(tab);
    }
    world.go_live("host", "live");
    let view = world.clients["host"].view.as_ref().expect("a view");
    let order: Vec<&str> = view
        .participants
        .iter()
        .map(|of| of.identity.0.as_str())
        .collect();
    assert_eq!(order, ["host", "cleo", "anna", "ben"]);
}

#[test]
fn with_a_lobby_guests_are_let_in_one_by_one_and_do_not_wait_twice() {
    let (mut world, _) = live_room();
    set_lobby(&mut world, true);
    world.join("anna");
    world.join("ben");
    let effects = admit(&mut world, "host", "anna");
    let done = ServerMessage::Done {
        request_id: REQUEST,
        session: None,
    };
    assert_eq!(effects[0], world.acknowledged("host", done));
    assert!(world.participant("anna").tracks.is_empty());
    assert_eq!(world.clients["host"].waiting_list, [waiter(&world, "ben")]);

    world.ask("anna", Request::Leave);
    world.join("anna");
    assert!(
        world.clients["anna"].outside.is_none(),
        "admitted is admitted"
    );
    world.end_session("host");
    world.join("host");
    world.go_live("host", "next");
    world.join("anna");
    assert!(world.clients["anna"].outside.is_some(), "for that session");
}

#[test]
fn a_guest_who_is_denied_is_told_and_may_ask_again() {
    let (mut world, _) = live_room();
    set_lobby(&mut world, true);
    world.join("anna");
    let participants = vec![world.waiting_id("anna")];
    let effects = world.ask("host", Request::Deny { participants });
    assert_goodbye(
        &effects[..2],
        world.connection("anna"),
        ErrorCode::Denied,
        false,
    );
    assert_eq!(world.rooms.counts().waiting, 0);
    world.join("anna");
    assert_eq!(world.rooms.counts().waiting, 1);
}

#[test]
fn nobody_is_let_in_before_the_session_is_live() {
    let (mut world, _) = own_room();
    world.join("anna");
    world.open_lobby("host", "lobby");
    let effects = admit(&mut world, "host", "anna");
    assert_refused(&world, &effects, "host", ErrorCode::SessionState);
}

#[test]
fn without_the_lobby_again_all_who_wait_are_in() {
    let (mut world, _) = live_room();
    set_lobby(&mut world, true);
    world.join("anna");
    world.join("ben");
    set_lobby(&mut world, false);
    assert_eq!(world.rooms.counts().participants, 3);
    assert_eq!(world.rooms.counts().waiting, 0);
}

#[test]
fn who_waits_may_do_nothing_but_leave() {
    let (mut world, _) = own_room();
    world.join("anna");
    for request in [
        Request::LiveStatus,
        Request::SetLocked { locked: true },
        Request::EndSession { session: None },
        Request::Offer {
            peer_connection: 1,
            sdp: "offer".into(),
            fresh_peer: protocol::PeerId::from_bits(9),
        },
    ] {
        let effects = world.ask("anna", request);
        assert_error(&world, &effects, "anna", ErrorCode::NotAdmitted, REQUEST);
    }
    let effects = world.ask("anna", Request::Leave);
    assert_goodbye(
        &effects[..2],
        world.connection("anna"),
        ErrorCode::Left,
        false,
    );
    assert_eq!(world.rooms.counts().waiting, 0);
}

#[test]
fn who_waits_and_comes_back_in_time_has_their_place_still() {
    let (mut world, _) = own_room();
    world.join("anna");
    world.join("ben");
    let id = world.waiting_id("anna");
    assert_eq!(world.lose("anna"), []);
    world.pass(14_999);
    world.join("anna");
    assert_eq!(world.waiting_id("anna"), id);
    let list: Vec<_> = world.clients["host"]
        .waiting_list
        .iter()
        .map(|of| of.id)
        .collect();
    assert_eq!(list, [id, world.waiting_id("ben")]);
    let old = world.connection("anna");
    let effects = world.join_as(Joining {
        identity: "anna".into(),
        ..student("anna's other tab")
    });
    assert_goodbye(&effects[..2], old, ErrorCode::TakenOver, false);
    assert_eq!(world.rooms.counts().waiting, 2);
}

#[test]
fn who_waits_and_does_not_come_back_is_gone() {
    let (mut world, _) = own_room();
    world.join("anna");
    world.lose("anna");
    world.go_live("host", "key");
    assert_eq!(world.rooms.counts().waiting, 1, "away, and not let in");
    let effects = world.pass(15_000);
    let participants = vec![];
    assert_eq!(
        effects,
        [world.to(&["host"], ServerMessage::WaitingList { participants })]
    );
    assert_eq!(world.rooms.counts().waiting, 0);
}

#[test]
fn who_was_away_when_the_session_became_live_is_let_in_on_coming_back() {
    let (mut world, _) = own_room();
    world.join("anna");
    world.lose("anna");
    world.go_live("host", "key");
    world.join("anna");
    assert_eq!(world.rooms.counts().participants, 2);
}

#[test]
fn a_moderator_who_comes_is_in_at_once_and_told_who_waits() {
    let mut world = World::new();
    world.own_room("host", ROOM);
    world.join("anna");
    let effects = world.join_as(tutor("tom"));
    let participants = vec![waiter(&world, "anna")];
    assert_eq!(
        effects.last(),
        Some(&world.to(&["tom"], ServerMessage::WaitingList { participants }))
    );
}

#[test]
fn a_locked_room_lets_in_nobody_new_but_moderators() {
    let (mut world, _) = live_room();
    world.join("anna");
    let effects = world.ask("host", Request::SetLocked { locked: true });
    let room = world.info();
    assert!(room.settings.locked);
    let done = ServerMessage::Done {
        request_id: REQUEST,
        session: None,
    };
    assert_eq!(
        effects,
        [
            world.told(&["host", "anna"], 4, Change::RoomUpdated { room }),
            world.acknowledged("host", done),
        ]
    );
    let effects = world.join("ben");
    assert_refused(&world, &effects, "ben", ErrorCode::RoomLocked);
    world.join_as(tutor("tom"));
    world.lose("anna");
    world.join("anna");
    assert_eq!(world.rooms.counts().participants, 3);
    world.ask("tom", Request::SetLocked { locked: false });
    world.join_again_on("ben", "ben");
    assert_eq!(world.rooms.counts().participants, 4);
}

#[test]
fn a_room_that_is_nobodys_has_a_lobby_and_a_lock_as_well() {
    let mut world = World::new();
    world.join_as(tutor("tom"));
    set_lobby(&mut world, true);
    world.join("anna");
    assert_eq!(world.rooms.counts().waiting, 1);
    admit(&mut world, "tom", "anna");
    assert_eq!(world.rooms.counts().participants, 2);
    world.ask("tom", Request::SetLocked { locked: true });
    let effects = world.join("ben");
    assert_refused(&world, &effects, "ben", ErrorCode::RoomLocked);
}

#[test]
fn those_who_wait_stay_when_the_session_ends() {
    let (mut world, _) = live_room();
    set_lobby(&mut world, true);
    world.join("anna");
    let effects = world.end_session("host");
    let Some(Effect::Send {
        to,
        message: ServerMessage::Waiting(waiting),
    }) = effects.iter().rev().nth(1)
    else {
        panic!("a word to who waits, not {effects:#?}");
    };
    assert_eq!(*to, [world.connection("anna")]);
    assert_eq!(waiting.room.state, RoomState::Idle);
    assert_eq!(world.rooms.counts().waiting, 1);
}

#[test]
fn a_hidden_one_is_let_in_without_being_shown_as_soon_as_the_session_is_live() {
    let (mut world, _) = own_room();
    set_lobby(&mut world, true);
    let permissions = Permissions {
        hidden: true,
        ..EVERYTHING
    };
    world.join_as(Joining {
        permissions,
        ..student("ghost")
    });
    assert_eq!(world.clients["host"].waiting_list, []);
    world.go_live("host", "key");
    assert_eq!(world.rooms.counts().participants, 2);
}

#[test]
fn so_many_wait_and_no_more() {
    let mut world = World::with(Limits {
        waiting_per_room: 2,
        ..Limits::default()
    });
    world.own_room("host", ROOM);
    world.join("anna");
    world.join("ben");
    let effects = world.join("cleo");
    assert_refused(&world, &effects, "cleo", ErrorCode::RoomFull);
}

#[test]
fn the_rooms_own_limit_is_for_guests_and_frees_a_place_when_one_goes() {
    let (mut world, _) = own_room();
    let mut settings = world.info().settings;
    settings.max_participants = Some(2);
    let room = class();
    world.api_ok(&person("host"), ApiRequest::UpdateRoom { room, settings });
    world.join("anna");
    world.join("ben");
    done(&world.go_live("host", "key"), 0);
    assert_eq!(
        world.rooms.counts().waiting,
        1,
        "one place, and anna has it"
    );
    let effects = world.join("cleo");
    assert_refused(&world, &effects, "cleo", ErrorCode::RoomFull);
    world.join_as(tutor("tom"));
    world.ask("tom", Request::Leave);
    world.ask("anna", Request::Leave);
    assert_eq!(world.rooms.counts().waiting, 0, "ben was next");
    assert_eq!(world.participant("ben").identity.0, "ben");
}

#[test]
fn who_was_admitted_and_found_no_place_waits_on_when_that_session_is_over() {
    let (mut world, _) = live_room();
    let mut settings = world.info().settings;
    settings.max_participants = Some(2);
    settings.lobby = true;
    let room = class();
    world.api_ok(&person("host"), ApiRequest::UpdateRoom { room, settings });
    world.join("anna");
    world.join("ben");
    admit(&mut world, "host", "anna");
    admit(&mut world, "host", "ben");
    assert_eq!(world.rooms.counts().waiting, 1, "there is no place for ben");
    world.end_session("host");
    assert_eq!(world.rooms.counts().waiting, 1);
    assert_eq!(world.rooms.counts().participants, 0);
}
