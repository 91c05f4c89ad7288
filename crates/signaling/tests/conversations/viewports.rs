//! How large viewers show what they receive, and which layers publishers are asked to send.

use protocol::{ErrorCode, LayerWanted, ServerMessage, TrackId, TrackSource, Viewport};
use signaling::{Limits, MediaEffect, MediaEvent, Request};

use crate::expected::assert_refused;
use crate::world::{Joining, World, student};

fn shown(track_id: TrackId) -> Viewport {
    Viewport {
        track_id,
        width: 640,
        height: 360,
        visible: true,
    }
}

fn show(viewports: Vec<Viewport>) -> Request {
    Request::SetViewport { viewports }
}

fn layers(wanted: [bool; 2]) -> Vec<LayerWanted> {
    let layer = |(rid, wanted): (&str, bool)| LayerWanted {
        rid: Some(rid.into()),
        wanted,
    };
    ["q", "f"].into_iter().zip(wanted).map(layer).collect()
}

#[test]
fn how_large_a_received_track_is_shown_is_told_to_the_media_plane_alone() {
    let mut world = World::new();
    world.join_live("anna", TrackSource::Camera);
    world.join_and_offer("ben");
    let viewports = vec![shown(world.track("anna", "0"))];
    let peer = world.peer("ben");
    assert_eq!(
        world.ask("ben", show(viewports.clone())),
        [world.media(MediaEffect::SetViewport { peer, viewports })]
    );
}

#[test]
fn what_is_not_received_is_passed_over() {
    let mut world = World::new();
    world.join_live("anna", TrackSource::Camera);
    world.join_live("ben", TrackSource::Camera);
    let (anna, ben) = (world.track("anna", "0"), world.track("ben", "0"));
    let gone = TrackId::from_bits(999);
    let peer = world.peer("ben");
    let viewports = vec![shown(anna)];
    assert_eq!(
        world.ask("ben", show(vec![shown(gone), shown(anna), shown(ben)])),
        [world.media(MediaEffect::SetViewport { peer, viewports })],
        "neither what is gone nor one's own"
    );
    assert_eq!(world.ask("ben", show(vec![shown(gone)])), []);
    world.ask(
        "ben",
        Request::SetSubscription {
            track: anna,
            subscribed: false,
        },
    );
    assert_eq!(world.ask("ben", show(vec![shown(anna)])), [], "refused");
    world.join("cleo");
    assert_eq!(world.ask("cleo", show(vec![shown(anna)])), [], "no peer");
}

#[test]
fn more_viewports_than_tracks_that_one_may_receive_are_refused() {
    let mut world = World::with(Limits {
        subscriptions_per_participant: 1,
        ..Limits::default()
    });
    world.join_live("anna", TrackSource::Camera);
    world.join_and_offer("ben");
    let track = world.track("anna", "0");
    let effects = world.ask("ben", show(vec![shown(track); 2]));
    assert_refused(&world, &effects, "ben", ErrorCode::InvalidRequest);
}

#[test]
fn which_layers_are_watched_is_told_to_the_publisher_alone() {
    let mut world = World::new();
    world.join_live("anna", TrackSource::Camera);
    world.join_and_offer("ben");
    let track = world.track("anna", "0");
    let layers = layers([true, false]);
    let message = ServerMessage::LayersWanted {
        track_id: track,
        layers: layers.clone(),
    };
    assert_eq!(
        world.report(MediaEvent::LayersWanted { track, layers }),
        [world.to(&["anna"], message)]
    );
}

#[test]
fn a_publisher_who_comes_back_is_told_again_which_layers_are_watched_as_they_are_now() {
    let mut world = World::new();
    world.join_live("anna", TrackSource::Camera);
    let track = world.track("anna", "0");
    let report = |wanted| MediaEvent::LayersWanted {
        track,
        layers: layers(wanted),
    };
    world.report(report([false, false]));
    world.lose("anna");
    assert_eq!(world.report(report([true, false])), [], "nobody to tell");
    let resume = Some(world.resume("anna"));
    let effects = world.join_as(Joining {
        resume,
        ..student("anna")
    });
    let message = ServerMessage::LayersWanted {
        track_id: track,
        layers: layers([true, false]),
    };
    assert_eq!(effects.last(), Some(&world.to(&["anna"], message)));
}
