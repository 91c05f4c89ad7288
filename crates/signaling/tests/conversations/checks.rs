//! What is checked after each command of every test: effects reach only whom they may, and every client
//! knows the room as it is.

use std::collections::{BTreeMap, BTreeSet};

use protocol::{ConnectionId, Live, Participant, ParticipantId, ServerMessage};
use signaling::Effect;

use crate::view::View;
use crate::world::World;

impl World {
    /// Carries out effects, and checks what must hold after each command.
    pub(crate) fn perform(&mut self, effects: &[Effect]) {
        self.transcript.extend_from_slice(effects);
        for effect in effects {
            match effect {
                Effect::Send { to, message } => self.deliver(to, message),
                Effect::Close { connection } => self.client_of(*connection).is_open = false,
                Effect::Media { room, effect } => self.media.perform(*room, effect),
                Effect::RoomClosed { room } => {
                    assert!(
                        self.media.peers.values().all(|books| books.room != *room),
                        "no media is left"
                    );
                }
                Effect::RoomOpened { .. } => {}
            }
        }
        self.rooms.check_invariants();
        self.check_views();
        let tracks = self.media.tracks();
        assert_eq!(
            self.rooms.counts().tracks,
            tracks.len(),
            "media forwards what is published"
        );
    }

    fn deliver(&mut self, to: &[ConnectionId], message: &ServerMessage) {
        assert!(!to.is_empty(), "a message is to somebody");
        assert_eq!(
            to.iter().collect::<BTreeSet<_>>().len(),
            to.len(),
            "and to nobody twice"
        );
        for connection in to {
            let client = self.client_of(*connection);
            assert!(
                client.is_open,
                "nothing is sent to a closed connection: {message:?}"
            );
            match message {
                ServerMessage::Joined(joined) => {
                    client.view = Some(View::of(joined));
                    client.resume_token.clone_from(&joined.resume_token);
                }
                ServerMessage::Resumed(resumed) => {
                    client.resume_token.clone_from(&resumed.resume_token);
                    client
                        .view
                        .as_mut()
                        .expect("who resumes knew the room")
                        .hear(message);
                }
                _ => {
                    if let Some(view) = &mut client.view {
                        view.hear(message);
                    }
                }
            }
        }
    }

    /// Everybody who is connected knows the room as it is.
    fn check_views(&self) {
        for (tab, client) in &self.clients {
            if self.rooms.participant_of(client.connection).is_none() {
                continue;
            }
            let room = self
                .rooms
                .room(&client.room)
                .expect("who is connected is in an open room");
            let view = client
                .view
                .as_ref()
                .expect("who is connected was told the room");
            let is_hidden = room.participants.iter().all(|other| other.id != view.own);
            let seen = view
                .participants
                .iter()
                .filter(|other| !is_hidden || other.id != view.own);
            let seen: Vec<Participant> = seen.cloned().collect();
            assert_eq!(seen, room.participants, "{tab} knows everybody");
            let live: BTreeMap<ParticipantId, Live> = room
                .live
                .iter()
                .filter(|live| live.participant_id != view.own)
                .map(|live| (live.participant_id, live.clone()))
                .collect();
            assert_eq!(view.live, live, "{tab} knows who is live");
            assert_eq!(
                view.last_change, room.last_change,
                "{tab} knows the last change"
            );
            let mut others = self.clients.values().filter(|other| {
                other.room == client.room && self.rooms.participant_of(other.connection).is_some()
            });
            assert!(
                others.all(|other| other.view.as_ref().map(|other| &other.speakers)
                    == Some(&view.speakers)),
                "all know the same speakers"
            );
        }
    }
}
