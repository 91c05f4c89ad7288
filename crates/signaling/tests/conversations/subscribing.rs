//! Who receives which track: by themselves, by name, and within their limit.

use protocol::{ErrorCode, TrackSource};
use signaling::{Limits, MediaEffect, Permissions, Request};

use crate::expected::assert_refused;
use crate::world::{EVERYTHING, Joining, World, student};

#[test]
fn a_refused_track_ends_and_stays_refused_while_it_exists() {
    let mut world = World::new();
    world.join_live("anna", TrackSource::Camera);
    world.join_and_offer("ben");
    let (peer, track) = (world.peer("ben"), world.track("anna", "0"));
    let refuse = Request::SetSubscription {
        track,
        subscribed: false,
    };
    assert_eq!(
        world.ask("ben", refuse.clone()),
        [world.media(MediaEffect::Unsubscribe { peer, track })]
    );
    assert_eq!(world.ask("ben", refuse), []);
    world.offer("ben", 2);
    assert!(
        world.media.peers[&world.peer("ben")]
            .subscriptions
            .is_empty(),
        "also with a new peer"
    );
}

#[test]
fn a_track_taken_up_again_comes_again_and_only_once() {
    let mut world = World::new();
    world.join_live("anna", TrackSource::Camera);
    world.join_and_offer("ben");
    let (peer, track) = (world.peer("ben"), world.track("anna", "0"));
    world.ask(
        "ben",
        Request::SetSubscription {
            track,
            subscribed: false,
        },
    );
    let take = Request::SetSubscription {
        track,
        subscribed: true,
    };
    assert_eq!(
        world.ask("ben", take.clone()),
        [world.media(MediaEffect::Subscribe { peer, track })]
    );
    assert_eq!(world.ask("ben", take), []);
}

#[test]
fn whoever_chooses_for_themselves_receives_only_what_they_chose() {
    let mut world = World::new();
    world.join_live("anna", TrackSource::Camera);
    world.join_live("ben", TrackSource::Camera);
    world.join_as(Joining {
        subscribe_automatically: false,
        ..student("cleo")
    });
    let track = world.track("ben", "0");
    assert_eq!(
        world.ask(
            "cleo",
            Request::SetSubscription {
                track,
                subscribed: true
            }
        ),
        [],
        "no peer yet"
    );
    let effects = world.offer("cleo", 1);
    let peer = world.peer("cleo");
    assert_eq!(
        effects[1..],
        [
            world.media(MediaEffect::Subscribe { peer, track }),
            world.media(MediaEffect::Offer {
                peer,
                sdp: "offer".into()
            }),
        ]
    );
    world.join_live("dora", TrackSource::Camera);
    assert_eq!(world.media.peers[&peer].subscriptions.len(), 1);
}

#[test]
fn whoever_may_not_receive_receives_nothing() {
    let mut world = World::new();
    world.join_live("anna", TrackSource::Camera);
    let permissions = Permissions {
        subscribe: false,
        ..EVERYTHING
    };
    world.join_as(Joining {
        permissions,
        ..student("ben")
    });
    world.offer("ben", 1);
    let track = world.track("anna", "0");
    let effects = world.ask(
        "ben",
        Request::SetSubscription {
            track,
            subscribed: true,
        },
    );
    assert_refused(&world, &effects, "ben", ErrorCode::NotPermitted);
    world.join_live("cleo", TrackSource::Camera);
    assert!(
        world.media.peers[&world.peer("ben")]
            .subscriptions
            .is_empty()
    );
}

#[test]
fn nobody_receives_their_own_track() {
    let mut world = World::new();
    world.join_live("anna", TrackSource::Camera);
    let track = world.track("anna", "0");
    let effects = world.ask(
        "anna",
        Request::SetSubscription {
            track,
            subscribed: true,
        },
    );
    assert_refused(&world, &effects, "anna", ErrorCode::TrackNotFound);
}

#[test]
fn a_track_beyond_the_limit_waits_for_a_place() {
    let mut world = World::with(Limits {
        subscriptions_per_participant: 1,
        ..Limits::default()
    });
    world.join_and_offer("viewer");
    world.join_live("anna", TrackSource::Camera);
    world.join_live("ben", TrackSource::Camera);
    let peer = world.peer("viewer");
    let (first, second) = (world.track("anna", "0"), world.track("ben", "0"));
    assert_eq!(
        world.media.peers[&peer]
            .subscriptions
            .iter()
            .collect::<Vec<_>>(),
        [&first]
    );

    let take = Request::SetSubscription {
        track: second,
        subscribed: true,
    };
    let effects = world.ask("viewer", take);
    assert_refused(&world, &effects, "viewer", ErrorCode::TooManyTracks);

    let effects = world.unpublish("anna", first);
    assert_eq!(
        effects.last(),
        Some(&world.media(MediaEffect::Subscribe {
            peer,
            track: second
        }))
    );
}

#[test]
fn a_refused_track_makes_place_for_one_that_waits() {
    let mut world = World::with(Limits {
        subscriptions_per_participant: 1,
        ..Limits::default()
    });
    world.join_and_offer("viewer");
    world.join_live("anna", TrackSource::Camera);
    world.join_live("ben", TrackSource::Camera);
    let peer = world.peer("viewer");
    let (first, second) = (world.track("anna", "0"), world.track("ben", "0"));
    assert_eq!(
        world.ask(
            "viewer",
            Request::SetSubscription {
                track: first,
                subscribed: false
            }
        ),
        [
            world.media(MediaEffect::Unsubscribe { peer, track: first }),
            world.media(MediaEffect::Subscribe {
                peer,
                track: second
            }),
        ]
    );
}
