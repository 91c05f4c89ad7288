//! What a connection asks for, one arm each. What is done elsewhere in small pieces is put together here;
//! nothing is decided but who may ask at all.

use protocol::record::SessionRecord;
use protocol::{ConnectionId, ErrorBody, ErrorCode, ServerMessage, SessionState};

use crate::Request;
use crate::index::Seat;
use crate::offer::Offer;
use crate::peer::PendingPublish;
use crate::room::Room;
use crate::session::session_info;
use crate::turn::{Turn, session_ended};

impl Room {
    /// Does what somebody in the room, or outside of it, asks for.
    pub(crate) fn carry_out(
        &mut self,
        turn: &mut Turn<'_>,
        seat: Seat,
        connection: ConnectionId,
        request_id: Option<u32>,
        request: Request,
    ) -> Result<(), ErrorBody> {
        if self.waiting.people.contains_key(&seat) {
            return match request {
                Request::Leave => {
                    self.stop_waiting(turn, seat);
                    Ok(())
                }
                _ => Err(ErrorBody::new(
                    ErrorCode::NotAdmitted,
                    "you wait to be let in",
                )),
            };
        }
        match request {
            Request::Offer {
                peer_connection: number,
                sdp,
                fresh_peer,
            } => self.offer(
                turn,
                seat,
                Offer {
                    request_id,
                    number,
                    sdp,
                    fresh_peer,
                },
            ),
            Request::Publish {
                publish,
                fresh_track: track,
            } => {
                let protocol::Publish { mid, source, muted } = publish;
                self.publish(
                    turn,
                    seat,
                    PendingPublish {
                        request_id,
                        track,
                        mid,
                        source,
                        muted,
                    },
                )
            }
            Request::Unpublish { track } => self.unpublish(turn, seat, track),
            Request::Mute { track, muted } => self.mute(turn, seat, track, muted),
            Request::UpdateState(state) => {
                self.update_state(turn, seat, state);
                Ok(())
            }
            Request::SetSubscription { track, subscribed } => {
                self.set_subscription(turn, seat, track, subscribed)
            }
            Request::SetViewport { viewports } => self.set_viewports(turn, seat, viewports),
            Request::LiveStatus => {
                let live = self.live_for(seat);
                turn.send(
                    vec![connection],
                    ServerMessage::LiveStatus { request_id, live },
                );
                Ok(())
            }
            Request::Leave => {
                self.leave(turn, seat);
                Ok(())
            }
            request => self.lead(turn, seat, connection, request_id, request),
        }
    }

    /// Does what leads or moderates; `done` is the answer to all of it.
    fn lead(
        &mut self,
        turn: &mut Turn<'_>,
        seat: Seat,
        connection: ConnectionId,
        request_id: Option<u32>,
        request: Request,
    ) -> Result<(), ErrorBody> {
        // Handing over is the host's, and asks for itself.
        if !matches!(request, Request::HandOver { .. }) {
            self.check_moderator(seat)?;
        }
        let mut has_ended = false;
        let session = match request {
            Request::OpenLobby(start) => Some(self.start(turn, start, SessionState::Lobby)?),
            Request::GoLive(start) => Some(self.start(turn, start, SessionState::Live)?),
            Request::EndSession { session } => {
                let (session, is_new) = self.end(turn, session)?;
                has_ended = is_new;
                Some(session)
            }
            request => {
                self.moderate(turn, seat, request)?;
                None
            }
        };
        let session = session.as_ref().map(|of: &SessionRecord| session_info(of));
        let done = ServerMessage::Done {
            request_id,
            session,
        };
        turn.acknowledge(connection, done);
        if has_ended {
            self.put_everybody_out(turn, &session_ended("The session was ended."));
        }
        Ok(())
    }

    fn moderate(
        &mut self,
        turn: &mut Turn<'_>,
        seat: Seat,
        request: Request,
    ) -> Result<(), ErrorBody> {
        match request {
            Request::Admit { participants } => self.admit(&participants),
            Request::Deny { participants } => {
                self.deny(turn, &participants);
                Ok(())
            }
            Request::Remove { participant, ban } => {
                let asker = self.participant(seat);
                if asker.id == participant {
                    let message = "that is yourself; you can leave";
                    return Err(ErrorBody::new(ErrorCode::NotPermitted, message));
                }
                let by = asker.identity.clone();
                self.put_out(turn, participant, ban.then_some(&by))
            }
            Request::SetLocked { locked } => {
                let mut settings = self.record.settings.clone();
                settings.locked = locked;
                self.set_settings(turn, settings);
                Ok(())
            }
            Request::HandOver { participant } => self.hand_over(turn, seat, participant),
            Request::AskToUnmute { track } => self.ask_to_unmute(turn, seat, track),
            Request::LowerHand { participant } => self.lower_hand(turn, participant),
            other => {
                debug_assert!(false, "{other:?} is no moderator's");
                Ok(())
            }
        }
    }
}
