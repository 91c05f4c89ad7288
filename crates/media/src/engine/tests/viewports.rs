//! What viewers show, and which layers publishers are told to send for it.

use protocol::{LayerWanted, Viewport};

use super::*;
use crate::peer::Stream;
use crate::{Forwarding, Reason};

pub(super) const SIMULCAST: &str =
    include_str!("../../../tests/sdp_fixtures/chromium-156-simulcast-publish.sdp");
pub(super) const SIMULCAST_MID: &str = "8";
const NOTHING: [usize; 0] = [];

/// Alice publishes three layers, and Bob has a section for them.
fn simulcast() -> Conversation {
    let mut talk = Conversation::with_peers();
    talk.tell(Command::Publish {
        peer: ALICE,
        track: CAMERA,
        mid: SIMULCAST_MID.into(),
        source: TrackSource::Camera,
        muted: false,
    });
    talk.offer(ALICE, SIMULCAST);
    talk.tell(Command::Subscribe {
        peer: BOB,
        track: CAMERA,
    });
    talk.offer(BOB, RECEIVING);
    talk
}

pub(super) fn show(talk: &mut Conversation, width: u16, height: u16, visible: bool) -> Vec<Event> {
    let viewport = Viewport {
        track_id: CAMERA,
        width,
        height,
        visible,
    };
    talk.tell(Command::SetViewport {
        peer: BOB,
        viewports: vec![viewport],
    })
}

/// How many layers each report wants, in so many seconds, tick by tick.
fn wanted(talk: &mut Conversation, seconds: u64) -> Vec<usize> {
    let mut counts = Vec::new();
    for _ in 0..seconds * TICKS as u64 {
        talk.pass(TICK);
        counts.extend(talk.events().into_iter().filter_map(wanted_layers));
    }
    counts
}

/// How many of three layers are wanted, if the event is about that.
pub(super) fn wanted_layers(event: Event) -> Option<usize> {
    let Event::LayersWanted { track, layers } = event else {
        return None;
    };
    assert_eq!(track, CAMERA);
    let rids = layers.iter().map(|layer| layer.rid.as_deref());
    assert!(rids.eq(["q", "h", "f"].map(Some)), "{layers:?}");
    let is_wanted = |layer: &&LayerWanted| layer.wanted;
    let count = layers.iter().take_while(is_wanted).count();
    assert_eq!(count, layers.iter().filter(is_wanted).count());
    Some(count)
}

fn forwarding(talk: &mut Conversation) -> Forwarding {
    let explain = Command::Explain {
        request: 7,
        peer: BOB,
    };
    match talk.tell(explain).pop() {
        Some(Event::Explained {
            request: 7,
            forwarding: Some(forwarding),
        }) => forwarding,
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_publisher_is_asked_for_as_much_as_somebody_shows() {
    let mut talk = simulcast();
    assert_eq!(wanted(&mut talk, 3), NOTHING, "all of it, as before");
    show(&mut talk, 160, 90, true);
    assert_eq!(wanted(&mut talk, 3), [1]);
    show(&mut talk, 600, 340, true);
    assert_eq!(wanted(&mut talk, 1), [2], "at once");
    show(&mut talk, 2_000, 1_100, true);
    assert_eq!(wanted(&mut talk, 1), [3]);
}

#[test]
fn a_publisher_hears_of_a_wish_with_the_next_tick() {
    let mut talk = simulcast();
    show(&mut talk, 160, 90, true);
    assert_eq!(wanted(&mut talk, 3), [1]);
    for (width, layers) in [(600, 2), (2_000, 3)] {
        show(&mut talk, width, width / 16 * 9, true);
        talk.pass(TICK);
        let told = talk.events().into_iter().filter_map(wanted_layers);
        assert_eq!(told.collect::<Vec<_>>(), [layers]);
    }
}

#[test]
fn a_publisher_is_asked_for_a_picture_as_soon_as_somebody_may_want_it() {
    let mut talk = simulcast();
    show(&mut talk, 0, 0, true);
    assert_eq!(wanted(&mut talk, 3), [0]);
    talk.tell(Command::Unsubscribe {
        peer: BOB,
        track: CAMERA,
    });
    assert_eq!(wanted(&mut talk, 3), NOTHING);
    talk.tell(Command::Subscribe {
        peer: BOB,
        track: CAMERA,
    });
    assert_eq!(wanted(&mut talk, 1), [3], "before there is a section");
}

#[test]
fn a_publisher_whom_nobody_watches_is_asked_for_nothing() {
    let mut talk = simulcast();
    talk.tell(Command::ClosePeer { peer: BOB });
    assert_eq!(wanted(&mut talk, 5), [0]);
}

#[test]
fn a_muted_track_is_left_as_it_is() {
    let mut talk = simulcast();
    talk.tell(Command::SetMuted {
        track: CAMERA,
        muted: true,
    });
    assert_eq!(
        wanted(&mut talk, 4),
        NOTHING,
        "its owner sends nothing of it"
    );
    assert_eq!(forwarding(&mut talk).tracks[0].reason, Reason::Muted);
}

#[test]
fn whoever_looks_away_and_back_gets_the_picture_again() {
    let mut talk = simulcast();
    let layers = |talk: &mut Conversation| {
        let track = &forwarding(talk).tracks[0];
        (track.target, track.reason)
    };
    assert_eq!(layers(&mut talk), (Some(2), Reason::LayerIdle));
    show(&mut talk, 640, 360, false);
    assert_eq!(layers(&mut talk), (None, Reason::Hidden));
    show(&mut talk, 640, 360, true);
    assert_eq!(layers(&mut talk), (Some(1), Reason::LayerIdle));
}

/// Frames of these layers, 30 in a second, for so many milliseconds.
fn frames(talk: &mut Conversation, layers: &[usize], milliseconds: u64) {
    let (place, track) = (
        talk.engine.peer_places[&ALICE],
        talk.engine.track_places[&CAMERA],
    );
    for number in 1..=milliseconds / 20 {
        talk.pass(TICK);
        for &layer in layers.iter().filter(|_| number.is_multiple_of(2)) {
            let ssrc = 70 + layer as u32;
            talk.engine.peers[place].streams.insert(
                ssrc,
                Stream {
                    track,
                    layer,
                    is_rtx: false,
                },
            );
            let ticks = talk.now.duration_since(test_time::start()).as_millis() as u32;
            talk.media(96, ssrc, (ticks / 20) as u16, &[0x10, 0x11, 0x02, 0x00]);
        }
    }
}

#[test]
fn viewers_of_a_layer_that_stops_beside_others_soon_get_another() {
    let mut talk = simulcast();
    let target = |talk: &mut Conversation| {
        let track = &forwarding(talk).tracks[0];
        (track.target, track.reason)
    };
    // What is not measured yet does not fit into the first estimate.
    frames(&mut talk, &[0, 1, 2], 7_000);
    assert_eq!(target(&mut talk), (Some(2), Reason::Largest));
    frames(&mut talk, &[0, 1], 200);
    assert_eq!(
        target(&mut talk),
        (Some(2), Reason::Largest),
        "a few frames"
    );
    frames(&mut talk, &[0, 1], 600);
    assert_eq!(target(&mut talk), (Some(1), Reason::LayerIdle));
    frames(&mut talk, &[0, 1, 2], 400);
    assert_eq!(target(&mut talk), (Some(2), Reason::Largest), "it is back");
    // All of them: a network that stands still.
    frames(&mut talk, &[], 1_000);
    assert_eq!(target(&mut talk), (Some(2), Reason::Largest));
}

#[test]
fn what_is_told_of_others_tracks_and_by_strangers_is_passed_over() {
    let mut talk = simulcast();
    let viewport = Viewport {
        track_id: TrackId::from_bits(99),
        width: 1,
        height: 1,
        visible: false,
    };
    for (peer, stale) in [(BOB, 0), (PeerId::from_bits(99), 1)] {
        let viewports = vec![viewport];
        talk.tell(Command::SetViewport { peer, viewports });
        assert_eq!(talk.dropped(DropReason::StaleCommand), stale);
    }
    let peer = PeerId::from_bits(99);
    let nobody = talk.tell(Command::Explain { request: 3, peer });
    let forwarding = None;
    assert_eq!(
        nobody,
        [Event::Explained {
            request: 3,
            forwarding
        }]
    );
}
