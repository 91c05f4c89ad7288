//! A client's message as the rim gives it to the rooms, with the ids that it may need. Nothing of it is judged.

use protocol::{ClientMessage, PeerId, SessionId, TrackId};
use signaling::{Request, Start};

use super::World;

impl World {
    /// What a message asks of the rooms; `None` if it asks nothing of them.
    pub(super) fn request(&mut self, message: ClientMessage) -> Option<Request> {
        Some(match message {
            ClientMessage::Offer {
                peer_connection,
                sdp,
            } => Request::Offer {
                peer_connection,
                sdp,
                fresh_peer: PeerId::from_bits(self.draw()),
            },
            ClientMessage::Publish(publish) => Request::Publish {
                publish,
                fresh_track: TrackId::from_bits(self.draw()),
            },
            ClientMessage::Unpublish { track_id: track } => Request::Unpublish { track },
            ClientMessage::Mute {
                track_id: track,
                muted,
            } => Request::Mute { track, muted },
            ClientMessage::UpdateState(state) => Request::UpdateState(state),
            ClientMessage::SetSubscription {
                track_id: track,
                subscribed,
            } => Request::SetSubscription { track, subscribed },
            ClientMessage::SetViewport { tracks: viewports } => Request::SetViewport { viewports },
            ClientMessage::LiveStatus => Request::LiveStatus,
            ClientMessage::Leave => Request::Leave,
            ClientMessage::OpenLobby { key } => Request::OpenLobby(self.start_of(key)),
            ClientMessage::GoLive { key } => Request::GoLive(self.start_of(key)),
            ClientMessage::EndSession {
                session_id: session,
            } => Request::EndSession { session },
            ClientMessage::Admit {
                participant_ids: participants,
            } => Request::Admit { participants },
            ClientMessage::Deny {
                participant_ids: participants,
            } => Request::Deny { participants },
            ClientMessage::Remove {
                participant_id: participant,
                ban,
            } => Request::Remove { participant, ban },
            ClientMessage::SetLocked { locked } => Request::SetLocked { locked },
            ClientMessage::HandOver {
                participant_id: participant,
            } => Request::HandOver { participant },
            ClientMessage::AskToUnmute { track_id: track } => Request::AskToUnmute { track },
            ClientMessage::LowerHand {
                participant_id: participant,
            } => Request::LowerHand { participant },
            ClientMessage::Candidate { .. }
            | ClientMessage::Join(_)
            | ClientMessage::Ping
            | ClientMessage::FirstFrame { .. } => {
                return None;
            }
        })
    }

    fn start_of(&mut self, key: String) -> Start {
        Start {
            key,
            fresh_session: SessionId::from_bits(self.draw()),
        }
    }
}
