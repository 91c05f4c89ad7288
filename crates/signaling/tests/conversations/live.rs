//! Who is live: told at once, right for whoever asks, and never a word about oneself.

use protocol::{Change, LiveRoom, MediaType, RoomName, ServerMessage, Timestamp, TrackSource};
use signaling::{MediaEffect, Request};

use crate::expected::track;
use crate::world::{REQUEST, ROOM, START, World};

#[test]
fn a1_live_status_names_the_other_live_participants_and_never_the_asker() {
    let mut world = World::new();
    world.join_live("anna", TrackSource::Camera);
    world.pass(1_000);
    world.join_live("ben", TrackSource::Microphone);
    world.join("cleo");
    let anna = world.live("anna", START, MediaType::Video);
    let ben = world.live("ben", Timestamp(START.0 + 1_000), MediaType::Audio);
    for (asker, live) in [
        ("cleo", vec![anna.clone(), ben.clone()]),
        ("anna", vec![ben]),
        ("ben", vec![anna]),
    ] {
        let effects = world.ask(asker, Request::LiveStatus);
        assert_eq!(
            effects,
            [world.to(
                &[asker],
                ServerMessage::LiveStatus {
                    request_id: REQUEST,
                    live
                }
            )]
        );
    }
}

#[test]
fn who_is_live_longest_is_named_first_whoever_joined_first() {
    let mut world = World::new();
    world.join("anna");
    world.join_live("ben", TrackSource::Camera);
    world.pass(1_000);
    world.publish("anna", "0", TrackSource::Camera);
    world.offer("anna", 1);
    world.join("cleo");
    let live = vec![
        world.live("ben", START, MediaType::Video),
        world.live("anna", Timestamp(START.0 + 1_000), MediaType::Video),
    ];
    let effects = world.ask("cleo", Request::LiveStatus);
    let status = ServerMessage::LiveStatus {
        request_id: REQUEST,
        live,
    };
    assert_eq!(effects, [world.to(&["cleo"], status)]);
}

#[test]
fn a2_two_who_are_live_receive_each_other_whichever_went_live_first() {
    for first_offers_again in [false, true] {
        let mut world = World::new();
        world.join_live("anna", TrackSource::Microphone);
        world.join_live("ben", TrackSource::Microphone);
        if first_offers_again {
            world.offer("anna", 2);
        }
        for (receiver, sender) in [("anna", "ben"), ("ben", "anna")] {
            let received = &world.media.peers[&world.peer(receiver)].subscriptions;
            let sent = &world.media.peers[&world.peer(sender)].tracks;
            assert!(received == sent, "{receiver} receives what {sender} sends");
            assert_eq!(
                sent.len(),
                usize::from(!first_offers_again || sender == "ben")
            );
        }
    }
}

#[test]
fn a3_b3_going_live_and_ceasing_to_be_live_are_told_to_everyone_at_once() {
    let mut world = World::new();
    world.join("anna");
    world.join("ben");
    assert_eq!(
        world.publish("anna", "0", TrackSource::Camera),
        [],
        "the offer is yet to come"
    );
    let effects = world.offer("anna", 1);
    let participant_id = world.id("anna");
    let camera = track(world.track("anna", "0"), TrackSource::Camera, START);
    let live = world.live("anna", START, MediaType::Video);
    let everyone = ["anna", "ben"];
    assert_eq!(
        effects[3..5],
        [
            world.told(
                &everyone,
                3,
                Change::TrackPublished {
                    participant_id,
                    track: camera.clone()
                }
            ),
            world.told(&everyone, 4, Change::WentLive { live }),
        ]
    );
    let peer = world.peer("anna");
    let effects = world.unpublish("anna", camera.id);
    assert_eq!(
        effects,
        [
            world.media(MediaEffect::Unpublish {
                peer,
                track: camera.id
            }),
            world.told(
                &everyone,
                5,
                Change::TrackUnpublished {
                    participant_id,
                    track_id: camera.id
                }
            ),
            world.told(&everyone, 6, Change::CeasedToBeLive { participant_id }),
        ]
    );
}

#[test]
fn being_live_is_updated_when_picture_comes_to_sound_and_when_it_goes() {
    let mut world = World::new();
    world.join_live("anna", TrackSource::Microphone);
    world.pass(1_000);
    world.publish("anna", "1", TrackSource::Camera);
    let effects = world.offer("anna", 1);
    let live = world.live("anna", START, MediaType::Video);
    assert_eq!(
        effects[3],
        world.told(&["anna"], 5, Change::LiveUpdated { live })
    );

    // A second picture changes nothing in who is live.
    world.publish("anna", "2", TrackSource::Screen);
    assert_eq!(world.offer("anna", 1).len(), 4);
    assert_eq!(world.last_change(), 6);

    // The oldest track goes: live since the next.
    let effects = world.unpublish("anna", world.track("anna", "0"));
    let live = world.live("anna", Timestamp(START.0 + 1_000), MediaType::Video);
    assert_eq!(
        effects[2..],
        [world.told(&["anna"], 8, Change::LiveUpdated { live })]
    );
}

#[test]
fn a_muted_track_is_live_all_the_same() {
    let mut world = World::new();
    world.join_live("anna", TrackSource::Microphone);
    world.mute("anna", world.track("anna", "0"), true);
    assert_eq!(world.rooms.live_rooms().len(), 1);
}

#[test]
fn b4_a_broadcaster_who_vanishes_is_off_the_lists_after_their_time() {
    let mut world = World::new();
    world.join_live("anna", TrackSource::Camera);
    world.join_and_offer("ben");
    let peer = world.peer("anna");
    world.lose("anna");
    assert_eq!(
        world.rooms.poll_timeout(),
        Some(Timestamp(START.0 + 15_000))
    );
    assert_eq!(world.pass(14_999), [], "they may come back");
    assert_eq!(world.rooms.live_rooms().len(), 1);
    let participant_id = world.id("anna");
    let effects = world.pass(1);
    assert_eq!(
        effects,
        [
            world.media(MediaEffect::ClosePeer { peer }),
            world.told(&["ben"], 6, Change::ParticipantLeft { participant_id }),
        ]
    );
    assert_eq!(world.rooms.live_rooms(), []);
    assert_eq!(world.rooms.poll_timeout(), None);
    world.join("cleo");
    let effects = world.ask("cleo", Request::LiveStatus);
    let live = vec![];
    assert_eq!(
        effects,
        [world.to(
            &["cleo"],
            ServerMessage::LiveStatus {
                request_id: REQUEST,
                live
            }
        )]
    );
}

#[test]
fn the_rooms_in_which_somebody_is_live_are_listed_longest_first() {
    let mut world = World::new();
    let elsewhere = |tab: &str| crate::world::Joining {
        room: "zoo".into(),
        ..crate::world::student(tab)
    };
    world.join("anna");
    world.join_as(elsewhere("zoe"));
    world.publish("zoe", "0", TrackSource::Microphone);
    world.offer("zoe", 1);
    world.pass(1_000);
    world.publish("anna", "0", TrackSource::Camera);
    world.offer("anna", 1);
    world.join("ben");
    world.join_as(crate::world::Joining {
        room: "silent".into(),
        ..crate::world::student("sam")
    });
    let rooms = world.rooms.live_rooms();
    let names: Vec<&str> = rooms.iter().map(|room| room.name.0.as_str()).collect();
    assert_eq!(names, ["zoo", ROOM]);
    let started_at = Timestamp(START.0 + 1_000);
    let live = vec![world.live("anna", started_at, MediaType::Video)];
    assert_eq!(
        rooms[1],
        LiveRoom {
            name: RoomName(ROOM.into()),
            participants: 2,
            live,
            started_at
        }
    );
}
