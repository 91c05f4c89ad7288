//! Who leads: known from the record, whatever the page or the token says; and what happens without them.

use protocol::{Change, EndReason, ErrorCode, Identity, RoomState, SessionState, Timestamp};
use signaling::{Effect, Permissions, Request};

use crate::expected::{assert_goodbye, assert_refused};
use crate::world::{
    EVERYTHING, Joining, ROOM, START, World, done, live_room, own_room, session, student, tutor,
};

fn hand_over(world: &mut World, from: &str, to: &str) -> Vec<Effect> {
    let participant = world.id(to);
    world.ask(from, Request::HandOver { participant })
}

#[test]
fn e4_after_a_refresh_the_host_is_the_host_and_can_end_the_session() {
    let (mut world, _) = live_room();
    world.join("anna");
    let id = world.id("host");
    world.lose("host");
    // A new page, that knows nothing, with a token that grants nothing.
    world.join_as(Joining {
        identity: "host".into(),
        role: "guest".into(),
        ..student("new page")
    });
    assert_eq!(world.id("new page"), id);
    let host = world.participant("new page");
    assert!(host.host && host.moderator);
    let ended = done(&world.end_session("new page"), 0);
    assert_eq!(ended.state, SessionState::Ended);
}

#[test]
fn e4_a_token_makes_nobody_host() {
    let (mut world, _) = live_room();
    world.join_as(Joining {
        role: "host".into(),
        ..tutor("tom")
    });
    let tom = world.participant("tom");
    assert!(!tom.host && tom.moderator);
    world.join("anna");
    let effects = hand_over(&mut world, "tom", "anna");
    assert_refused(&world, &effects, "tom", ErrorCode::NotPermitted);
}

#[test]
fn the_host_comes_and_goes_before_everybodys_eyes() {
    let (mut world, _) = live_room();
    world.join("anna");
    assert!(world.info().host.is_some_and(|host| host.present));
    let effects = world.lose("host");
    let away = protocol::Participant {
        away: true,
        ..world.participant("host")
    };
    let info = world.info();
    assert!(info.host.as_ref().is_some_and(|host| !host.present));
    assert_eq!(
        effects,
        [
            world.told(
                &["anna"],
                4,
                Change::ParticipantUpdated { participant: away }
            ),
            world.told(&["anna"], 5, Change::RoomUpdated { room: info }),
        ]
    );
    let resume = Some(world.resume("host"));
    let effects = world.join_as(Joining {
        resume,
        ..student("host")
    });
    let back = world.participant("host");
    assert_eq!(
        effects[..2],
        [
            world.told(
                &["anna"],
                6,
                Change::ParticipantUpdated { participant: back }
            ),
            world.told(&["anna"], 7, Change::RoomUpdated { room: world.info() }),
        ]
    );
}

#[test]
fn handing_over_makes_another_the_host_and_the_owner_can_still_end_and_take_it_back() {
    let (mut world, _) = live_room();
    world.join("anna");
    let effects = hand_over(&mut world, "host", "anna");
    let (owner, anna) = (world.participant("host"), world.participant("anna"));
    assert!(anna.host && anna.moderator);
    assert!(!owner.host && owner.moderator, "the owner still moderates");
    assert_eq!(
        effects[..3],
        [
            world.told(
                &["host", "anna"],
                4,
                Change::ParticipantUpdated { participant: owner }
            ),
            world.told(
                &["host", "anna"],
                5,
                Change::ParticipantUpdated { participant: anna }
            ),
            world.told(
                &["host", "anna"],
                6,
                Change::RoomUpdated { room: world.info() }
            ),
        ]
    );
    assert_eq!(session(&world).host, Some(Identity("anna".into())));

    hand_over(&mut world, "host", "host");
    assert_eq!(session(&world).host, Some(Identity("host".into())));
    assert!(!world.participant("anna").moderator);
    hand_over(&mut world, "host", "anna");
    assert_eq!(
        done(&world.end_session("host"), 0).state,
        SessionState::Ended
    );
}

#[test]
fn whoever_was_handed_the_session_may_end_it_and_leads_no_later_one() {
    let (mut world, _) = live_room();
    world.join("anna");
    hand_over(&mut world, "host", "anna");
    done(&world.end_session("anna"), 0);
    world.join("host");
    world.go_live("host", "next");
    assert_eq!(session(&world).host, Some(Identity("host".into())));
    world.join("anna");
    let effects = world.end_session("anna");
    assert_refused(&world, &effects, "anna", ErrorCode::NotPermitted);
}

#[test]
fn a_session_is_handed_only_to_somebody_seen_in_the_room_while_it_runs() {
    let (mut world, _) = own_room();
    world.join_as(tutor("tom"));
    let effects = hand_over(&mut world, "host", "tom");
    assert_refused(&world, &effects, "host", ErrorCode::SessionState);
    world.go_live("host", "key");
    let participant = protocol::ParticipantId::from_bits(1234);
    let effects = world.ask("host", Request::HandOver { participant });
    assert_refused(&world, &effects, "host", ErrorCode::ParticipantNotFound);
    world.join_as(Joining {
        permissions: Permissions {
            hidden: true,
            ..EVERYTHING
        },
        ..student("ghost")
    });
    let effects = hand_over(&mut world, "host", "ghost");
    assert_refused(&world, &effects, "host", ErrorCode::NotPermitted);
}

#[test]
fn a_session_whose_host_stays_away_ends_after_the_grace() {
    let (mut world, room) = live_room();
    world.join("anna");
    world.pass(1_000);
    world.lose("host");
    world.pass(15_000);
    world.pass(300_000 - 15_001);
    assert_eq!(world.info().state, RoomState::Live);
    let effects = world.pass(1);
    assert_goodbye(
        &effects[..2],
        world.connection("anna"),
        ErrorCode::SessionEnded,
        false,
    );
    assert_eq!(effects[2..], [Effect::RoomClosed { room }]);
    let ended = session(&world);
    assert_eq!(ended.end_reason, Some(EndReason::HostAbsent));
    assert_eq!(ended.ended_at, Some(Timestamp(START.0 + 301_000)));
}

#[test]
fn a_host_who_is_back_within_the_grace_goes_on() {
    let (mut world, _) = live_room();
    world.join("anna");
    world.ask("host", Request::Leave);
    world.pass(299_999);
    world.join("host");
    world.pass(600_000);
    assert_eq!(world.info().state, RoomState::Live);
    assert_eq!(world.store.sessions.len(), 1);
}

#[test]
fn a_session_that_was_begun_without_its_host_waits_for_them_as_long() {
    let mut world = World::new();
    world.own_room("host", ROOM);
    world.join_as(tutor("tom"));
    done(&world.go_live("tom", "key"), 0);
    assert_eq!(
        world.rooms.poll_timeout(),
        Some(Timestamp(START.0 + 300_000))
    );
    world.join("host");
    assert_eq!(world.rooms.poll_timeout(), None);
}
