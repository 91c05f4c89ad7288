//! What somebody in a room may think of doing next. It chooses; whether that is possible or allowed is the
//! server's to say.

use protocol::{
    ClientMessage, ParticipantId, Publish, SessionId, StateUpdate, TrackId, TrackSource, Viewport,
};

use crate::seed::Seed;
use crate::tab::{State, Tab};
use crate::view::View;

const SOURCES: [TrackSource; 4] = [
    TrackSource::Camera,
    TrackSource::Microphone,
    TrackSource::Screen,
    TrackSource::ScreenAudio,
];

/// What somebody says next: nothing, one message, or a few at once.
pub(crate) fn messages(seed: &mut Seed, tab: &mut Tab, fresh_key: u64) -> Vec<ClientMessage> {
    match (&tab.view, tab.state) {
        (Some(view), State::In) => {
            let view = view.clone();
            let moderates = view.myself().is_some_and(|myself| myself.moderator);
            match seed.percent(if moderates { 40 } else { 4 }) {
                true => leading(seed, tab, &view, fresh_key),
                false => taking_part(seed, tab, &view),
            }
        }
        (_, State::Waiting) => match seed.below(12) {
            0 => vec![ClientMessage::Leave],
            1 => vec![ClientMessage::LiveStatus],
            2 => vec![ClientMessage::GoLive {
                key: format!("key {fresh_key}"),
            }],
            _ => Vec::new(),
        },
        _ => Vec::new(),
    }
}

fn taking_part(seed: &mut Seed, tab: &mut Tab, view: &View) -> Vec<ClientMessage> {
    match seed.below(24) {
        0..=4 => {
            let publish = ClientMessage::Publish(Publish {
                mid: mid(seed, tab),
                source: *seed.of(&SOURCES).unwrap_or(&SOURCES[0]),
                muted: seed.once_in(5),
            });
            let offer = offer(seed, tab);
            match seed.once_in(8) {
                true => vec![publish],
                false => vec![publish, offer],
            }
        }
        5..=7 => vec![offer(seed, tab)],
        8 => vec![ClientMessage::Unpublish {
            track_id: own_track(seed, view),
        }],
        9 | 10 => vec![ClientMessage::Mute {
            track_id: own_track(seed, view),
            muted: seed.once_in(2),
        }],
        11..=13 => vec![ClientMessage::UpdateState(state(seed))],
        14 | 15 => vec![ClientMessage::SetSubscription {
            track_id: any_track(seed, view),
            subscribed: seed.once_in(2),
        }],
        16 if seed.once_in(2) => vec![ClientMessage::SetViewport {
            tracks: vec![Viewport {
                track_id: any_track(seed, view),
                width: 640,
                height: 360,
                visible: seed.once_in(2),
            }],
        }],
        16 => vec![ClientMessage::LiveStatus],
        17 if seed.once_in(3) => vec![ClientMessage::Leave],
        _ => Vec::new(),
    }
}

fn leading(seed: &mut Seed, tab: &mut Tab, view: &View, fresh_key: u64) -> Vec<ClientMessage> {
    let key = format!("key {fresh_key}");
    let asked = match seed.below(20) {
        0..=3 => ClientMessage::GoLive { key },
        4 | 5 => ClientMessage::OpenLobby { key },
        6 => match seed.of(&tab.old_requests) {
            Some(old) => old.clone(),
            None => ClientMessage::GoLive { key },
        },
        7 => ClientMessage::EndSession {
            session_id: session(seed, view),
        },
        8..=11 => ClientMessage::Admit {
            participant_ids: waiting(seed, tab),
        },
        12 => ClientMessage::Deny {
            participant_ids: waiting(seed, tab),
        },
        13 => ClientMessage::Remove {
            participant_id: match seed.once_in(3) {
                true => waiting(seed, tab).first().copied().unwrap_or(nobody()),
                false => anybody(seed, view),
            },
            ban: seed.once_in(3),
        },
        14 => ClientMessage::SetLocked {
            locked: seed.once_in(3),
        },
        15 => ClientMessage::HandOver {
            participant_id: anybody(seed, view),
        },
        16 => ClientMessage::AskToUnmute {
            track_id: any_track(seed, view),
        },
        17 => ClientMessage::LowerHand {
            participant_id: anybody(seed, view),
        },
        _ => ClientMessage::Mute {
            track_id: any_track(seed, view),
            muted: !seed.once_in(4),
        },
    };
    match seed.below(8) {
        // A double click: the same message, or the same intention anew.
        0 => vec![asked.clone(), asked],
        1 => vec![
            asked,
            ClientMessage::GoLive {
                key: format!("key {fresh_key} anew"),
            },
        ],
        _ => vec![asked],
    }
}

/// Camera, microphone and hand.
pub(crate) fn state(seed: &mut Seed) -> StateUpdate {
    let mut maybe = || [None, Some(true), Some(false)][seed.below(3) as usize];
    StateUpdate {
        camera: maybe(),
        microphone: maybe(),
        hand_raised: maybe(),
    }
}

fn mid(seed: &mut Seed, tab: &mut Tab) -> String {
    if tab.next_mid == 0 || !seed.once_in(3) {
        tab.next_mid += 1;
    }
    (tab.next_mid - 1).to_string()
}

fn offer(seed: &mut Seed, tab: &mut Tab) -> ClientMessage {
    if tab.peer_connection == 0 || seed.once_in(12) {
        tab.peer_connection += 1;
        tab.next_mid = 0;
    }
    let older = u32::from(seed.once_in(30));
    ClientMessage::Offer {
        peer_connection: tab.peer_connection.saturating_sub(older),
        sdp: "offer".into(),
    }
}

fn own_track(seed: &mut Seed, view: &View) -> TrackId {
    let tracks = view.myself().map(|myself| &myself.tracks[..]);
    let track = seed.of(tracks.unwrap_or_default());
    track.map_or(TrackId::from_bits(0), |track| track.id)
}

fn any_track(seed: &mut Seed, view: &View) -> TrackId {
    let mut tracks: Vec<TrackId> = view
        .participants
        .iter()
        .flat_map(|other| other.tracks.iter().map(|track| track.id))
        .collect();
    tracks.push(TrackId::from_bits(0));
    *seed.of(&tracks).unwrap_or(&tracks[0])
}

fn anybody(seed: &mut Seed, view: &View) -> ParticipantId {
    let somebody = seed.of(&view.participants).map(|other| other.id);
    somebody.filter(|_| !seed.once_in(10)).unwrap_or(nobody())
}

fn waiting(seed: &mut Seed, tab: &Tab) -> Vec<ParticipantId> {
    match seed.below(4) {
        0 => vec![seed.of(&tab.waiting_list).copied().unwrap_or(nobody())],
        _ => tab.waiting_list.clone(),
    }
}

fn session(seed: &mut Seed, view: &View) -> Option<SessionId> {
    let known = view.room.session.as_ref().map(|session| session.id);
    known.filter(|_| seed.once_in(2))
}

fn nobody() -> ParticipantId {
    ParticipantId::from_bits(0)
}
