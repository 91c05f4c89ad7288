//! A client's message as a request to the rooms: the ids that it may need are drawn here. Nothing of it is
//! judged.

use protocol::{ClientMessage, PeerId, TrackId};
use signaling::Request;

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
        ClientMessage::LiveStatus => Request::LiveStatus,
        ClientMessage::Leave => Request::Leave,
        // A client's candidates are not needed: its checks tell its addresses. Joins and pings are the
        // session's own.
        ClientMessage::Candidate { .. } | ClientMessage::Join(_) | ClientMessage::Ping => {
            return None;
        }
    })
}
