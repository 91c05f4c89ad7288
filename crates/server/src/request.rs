//! A client's message as a request to the rooms: the ids that it may need are drawn here. Nothing of it is
//! judged.

use protocol::{ClientMessage, PeerId, SessionId, TrackId};
use signaling::{Request, Start};

/// What a message asks of the rooms; `None` if it asks nothing of them.
pub(crate) fn request(message: ClientMessage) -> Option<Request> {
    Some(match message {
        ClientMessage::Offer {
            peer_connection,
            sdp,
        } => Request::Offer {
            peer_connection,
            sdp,
            fresh_peer: PeerId::from_bits(rand::random()),
        },
        ClientMessage::Publish(publish) => Request::Publish {
            publish,
            fresh_track: TrackId::from_bits(rand::random()),
        },
        ClientMessage::Unpublish { track_id } => Request::Unpublish { track: track_id },
        ClientMessage::Mute { track_id, muted } => Request::Mute {
            track: track_id,
            muted,
        },
        ClientMessage::UpdateState(update) => Request::UpdateState(update),
        ClientMessage::SetSubscription {
            track_id,
            subscribed,
        } => Request::SetSubscription {
            track: track_id,
            subscribed,
        },
        ClientMessage::SetViewport { tracks } => Request::SetViewport { viewports: tracks },
        ClientMessage::LiveStatus => Request::LiveStatus,
        ClientMessage::Leave => Request::Leave,
        ClientMessage::OpenLobby { key } => Request::OpenLobby(start(key)),
        ClientMessage::GoLive { key } => Request::GoLive(start(key)),
        ClientMessage::EndSession { session_id } => Request::EndSession {
            session: session_id,
        },
        ClientMessage::Admit { participant_ids } => Request::Admit {
            participants: participant_ids,
        },
        ClientMessage::Deny { participant_ids } => Request::Deny {
            participants: participant_ids,
        },
        ClientMessage::Remove {
            participant_id,
            ban,
        } => Request::Remove {
            participant: participant_id,
            ban,
        },
        ClientMessage::SetLocked { locked } => Request::SetLocked { locked },
        ClientMessage::HandOver { participant_id } => Request::HandOver {
            participant: participant_id,
        },
        ClientMessage::AskToUnmute { track_id } => Request::AskToUnmute { track: track_id },
        ClientMessage::LowerHand { participant_id } => Request::LowerHand {
            participant: participant_id,
        },
        // A client's candidates are not needed: its checks tell its addresses. Joins, pings and measurements are
        // the session's own.
        ClientMessage::Candidate { .. }
        | ClientMessage::Join(_)
        | ClientMessage::Ping
        | ClientMessage::FirstFrame { .. } => {
            return None;
        }
    })
}

/// A session to begin, with an id for it if it is new.
fn start(key: String) -> Start {
    Start {
        key,
        fresh_session: SessionId::from_bits(rand::random()),
    }
}
