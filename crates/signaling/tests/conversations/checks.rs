//! What is checked after each command of every test: effects reach only whom they may, and every client
//! knows the room as it is.

use std::collections::{BTreeMap, BTreeSet};

use protocol::{ConnectionId, Live, Participant, ParticipantId, RoomState, ServerMessage};
use signaling::Effect;

use crate::view::View;
use crate::world::World;

impl World {
    /// Carries out effects, and checks what must hold after each command. Gives back all but what is
    /// written down.
    pub(crate) fn perform(&mut self, effects: Vec<Effect>) -> Vec<Effect> {
        self.transcript.extend_from_slice(&effects);
        self.written.clear();
        for effect in &effects {
            match effect {
                Effect::Send { to, message } => self.deliver(to, message),
                Effect::Acknowledge { to, message } => self.deliver(&[*to], message),
                Effect::Close { connection } => self.client_of(*connection).is_open = false,
                Effect::Media { room, effect } => self.media.perform(*room, effect),
                Effect::RoomClosed { room } => {
                    assert!(
                        self.media.peers.values().all(|books| books.room != *room),
                        "no media is left"
                    );
                }
                Effect::Write(write) => {
                    self.store.write(write);
                    self.written.push(write.clone());
                }
                Effect::RoomOpened { .. } | Effect::Reply { .. } => {}
            }
        }
        self.rooms.check_invariants();
        self.check_views();
        self.check_store();
        let tracks = self.media.tracks();
        assert_eq!(
            self.rooms.counts().tracks,
            tracks.len(),
            "media forwards what is published"
        );
        let is_told = |effect: &Effect| !matches!(effect, Effect::Write(_));
        effects.into_iter().filter(is_told).collect()
    }

    /// What is written down says the same as what is in memory.
    pub(crate) fn check_store(&self) {
        self.store.check();
        for record in self.store.rooms.values() {
            let Some(room) = self
                .rooms
                .room(&record.name)
                .filter(|of| of.id == record.id)
            else {
                assert!(
                    record.closed_at.is_some() || self.has_stopped,
                    "{} is open, and not in memory",
                    record.id
                );
                continue;
            };
            assert_eq!(record.closed_at, None);
            assert_eq!(room.info.settings, record.settings);
            let sessions = self.store.sessions_of(record.id);
            let state = RoomState::of(sessions.map(|session| session.state));
            assert_eq!(
                room.info.state, state,
                "a room's state follows from what is written"
            );
            let is_live = state == RoomState::Live;
            let visible: BTreeSet<ParticipantId> =
                room.participants.iter().map(|of| of.id).collect();
            let attending = self.store.attending(record.id);
            assert_eq!(
                attending,
                if is_live { visible } else { BTreeSet::new() },
                "an attendance is open exactly while somebody visible is in a live session"
            );
            let tracks = room.participants.iter().flat_map(|of| &of.tracks);
            let tracks: BTreeSet<_> = tracks.map(|track| track.id).collect();
            assert_eq!(
                self.store.tracks_of(record.id),
                if is_live { tracks } else { BTreeSet::new() }
            );
        }
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
                ServerMessage::Waiting(waiting) => {
                    client.resume_token.clone_from(&waiting.resume_token);
                    client.view = None;
                    client.outside = Some((**waiting).clone());
                }
                ServerMessage::WaitingList { participants } => {
                    client.waiting_list.clone_from(participants);
                }
                ServerMessage::Joined(joined) => {
                    client.view = Some(View::of(joined));
                    client.outside = None;
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
            if let Some(outside) = client.outside.as_ref().filter(|_| client.is_open) {
                let room = self.rooms.room(&client.room);
                let room = room.expect("who waits, waits for a room");
                assert_eq!(
                    outside.room, room.info,
                    "{tab} knows what there is to wait for"
                );
            }
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
            if room.gathered > 0 {
                continue;
            }
            assert_eq!(view.room, room.info, "{tab} knows the room");
            let own = room.participants.iter().find(|of| of.id == view.own);
            if own.is_some_and(|own| own.moderator) {
                assert_eq!(client.waiting_list, room.waiting, "{tab} knows who waits");
            }
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
