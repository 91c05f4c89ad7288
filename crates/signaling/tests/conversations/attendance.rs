//! Who was there, from when to when, as it is written down: one interval for each stay.

use protocol::record::{AttendanceRecord, Write};
use protocol::{Identity, Role, Timestamp, TrackSource};
use signaling::{Permissions, Request};

use crate::world::{EVERYTHING, Joining, START, World, live_room, own_room, session, student};

/// The intervals of somebody, oldest first.
fn intervals(world: &World, identity: &str) -> Vec<(u64, Option<u64>)> {
    let all = world.store.attendance.values();
    let theirs = all.filter(|of| of.identity.0 == identity);
    let from_start = |at: Timestamp| at.0 - START.0;
    let mut theirs: Vec<_> = theirs
        .map(|of| (from_start(of.joined_at), of.left_at.map(from_start)))
        .collect();
    theirs.sort_unstable();
    theirs
}

#[test]
fn e7_a_stay_is_written_down_from_coming_in_to_leaving() {
    let (mut world, _) = live_room();
    world.pass(1_000);
    world.join("anna");
    let opened = AttendanceRecord {
        session: session(&world).id,
        participant: world.id("anna"),
        identity: Identity("anna".into()),
        name: "Name of anna".into(),
        role: Role("student".into()),
        joined_at: Timestamp(START.0 + 1_000),
        left_at: None,
    };
    assert_eq!(world.written, [Write::AttendanceOpened(opened)]);
    world.pass(2_000);
    world.ask("anna", Request::Leave);
    assert_eq!(intervals(&world, "anna"), [(1_000, Some(3_000))]);
}

#[test]
fn attendance_begins_when_the_session_becomes_live() {
    let (mut world, _) = own_room();
    world.open_lobby("host", "lobby");
    world.publish("host", "0", TrackSource::Camera);
    world.offer("host", 1);
    assert_eq!(world.written, []);
    world.pass(5_000);
    world.go_live("host", "live");
    assert_eq!(intervals(&world, "host"), [(5_000, None)]);
    let track = &world.store.tracks[&world.track("host", "0")];
    assert_eq!(track.published_at, Timestamp(START.0 + 5_000));
}

#[test]
fn a_resume_a_refresh_and_another_tab_continue_the_stay() {
    let (mut world, _) = live_room();
    world.join("anna");
    world.pass(1_000);
    world.lose("anna");
    world.pass(14_000);
    let resume = Some(world.resume("anna"));
    world.join_as(Joining {
        resume,
        ..student("anna")
    });
    assert_eq!(world.written, []);
    world.pass(1_000);
    let resume = Some(world.refresh("anna"));
    world.join_as(Joining {
        resume,
        ..student("anna")
    });
    assert_eq!(world.written, []);
    world.join_as(Joining {
        identity: "anna".into(),
        ..student("anna's other tab")
    });
    assert_eq!(world.written, []);
    assert_eq!(intervals(&world, "anna"), [(0, None)], "counted once");
}

#[test]
fn whoever_was_lost_and_did_not_come_back_was_there_until_the_loss() {
    let (mut world, _) = live_room();
    world.join("anna");
    world.pass(4_000);
    world.lose("anna");
    world.pass(15_000);
    assert_eq!(intervals(&world, "anna"), [(0, Some(4_000))]);
    world.pass(1_000);
    world.join("anna");
    assert_eq!(
        intervals(&world, "anna"),
        [(0, Some(4_000)), (20_000, None)],
        "who comes again comes again"
    );
}

#[test]
fn whoever_was_lost_in_the_lobby_and_never_came_back_was_there_for_no_time() {
    let (mut world, _) = own_room();
    world.join_as(crate::world::tutor("tom"));
    world.lose("tom");
    world.pass(10_000);
    world.go_live("host", "key");
    world.pass(5_000);
    assert_eq!(intervals(&world, "tom"), [(10_000, Some(10_000))]);
}

#[test]
fn hidden_ones_are_in_no_attendance() {
    let (mut world, _) = live_room();
    let permissions = Permissions {
        hidden: true,
        ..EVERYTHING
    };
    world.join_as(Joining {
        permissions,
        ..student("ghost")
    });
    assert_eq!(world.written, []);
    world.ask("ghost", Request::Leave);
    assert_eq!(world.written, []);
}

#[test]
fn a_tracks_time_is_written_down() {
    let (mut world, _) = live_room();
    world.publish("host", "0", TrackSource::Microphone);
    world.offer("host", 1);
    let track = world.track("host", "0");
    assert!(matches!(&world.written[..], [Write::TrackPublished(of)] if of.id == track));
    world.pass(3_000);
    world.unpublish("host", track);
    let at = Timestamp(START.0 + 3_000);
    assert_eq!(world.written, [Write::TrackUnpublished { track, at }]);
}

#[test]
fn c6_what_is_promised_comes_behind_what_is_written_down() {
    let (mut world, _) = live_room();
    let seen = world.transcript.len();
    world.join("anna");
    world.ask("anna", Request::Leave);
    let order: Vec<&str> = world.transcript[seen..]
        .iter()
        .filter_map(|effect| match effect {
            signaling::Effect::Write(Write::AttendanceOpened(_)) => Some("opened"),
            signaling::Effect::Write(Write::AttendanceClosed { .. }) => Some("closed"),
            signaling::Effect::Acknowledge { message, .. } => match message {
                protocol::ServerMessage::Joined(_) => Some("joined"),
                protocol::ServerMessage::Goodbye(_) => Some("goodbye"),
                _ => None,
            },
            _ => None,
        })
        .collect();
    assert_eq!(order, ["opened", "joined", "closed", "goodbye"]);
}
