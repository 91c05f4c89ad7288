//! What the server does in a world: its commands, what goes out, and what its store commits. The real rooms
//! decide; here they are only asked, checked and recorded.

use protocol::{
    ClientMessage, ConnectionId, ErrorCode, LayerWanted, ParticipantId, PeerId, RoomId,
    ServerMessage, SessionId,
};
use signaling::{Command, Fresh, Join, MediaEvent, Recorded};

use super::network::Said;
use super::{Event, World};
use crate::gate::Out;
use crate::promises::{self, Promise};

/// Commands of one life of the server that are kept for a replay.
const RECORDED: usize = 200_000;

impl World {
    /// The rooms are given a command, or do what is due.
    pub(super) fn command(&mut self, command: Option<Command>) {
        let Some(server) = &mut self.server else {
            return;
        };
        self.counted.commands += 1;
        if self.recorded.len() < RECORDED {
            self.recorded.push(Recorded {
                at: self.now,
                command: command.clone(),
            });
        }
        self.trace.note(self.now, format_args!("> {command:?}"));
        let effects = server.decide(self.now, command, &mut self.planted);
        for effect in &effects {
            self.trace.note(self.now, format_args!("< {effect:?}"));
        }
        server.rooms.check_invariants();
        let turn = server.perform(effects, &mut self.planted);
        let (life, has_work) = (server.life, server.uncommitted() > 0);
        let tracks = server.media.tracks().len();
        assert_eq!(
            server.rooms.counts().tracks,
            tracks,
            "media forwards what is published"
        );
        if has_work && !self.is_commit_due {
            self.is_commit_due = true;
            self.commit_later(life);
        }
        for peer in turn.offers {
            let delay = self.delay();
            let is_refused = self.seed.once_in(20);
            self.after(
                delay,
                Event::Answer {
                    life,
                    peer,
                    is_refused,
                },
            );
        }
        self.emit(turn.out);
    }

    /// What a client said arrives.
    pub(super) fn arrive(&mut self, connection: ConnectionId, said: Said) {
        let Some(life) = self.life() else { return };
        let link = self.links.get(&connection);
        if !self.carries(connection) || link.is_none_or(|link| link.life != life) {
            return;
        }
        match said {
            Said::Close => self.server_notices(connection),
            Said::Join {
                request_id,
                claims,
                resume,
                state,
                subscribe_automatically,
            } => {
                let fresh = Fresh {
                    room: RoomId::from_bits(self.draw()),
                    participant: ParticipantId::from_bits(self.draw()),
                    session: SessionId::from_bits(self.draw()),
                    resume_token: format!("secret {}", self.draw()),
                };
                if let Some(server) = &mut self.server {
                    server.meet(connection);
                }
                self.command(Some(Command::Join(Box::new(Join {
                    connection,
                    request_id: Some(request_id),
                    claims: *claims,
                    resume,
                    state,
                    subscribe_automatically,
                    fresh,
                }))));
            }
            Said::Message {
                request_id,
                message,
            } => {
                let knows = |server: &crate::server::Server| server.knows(connection);
                if self.server.as_ref().is_some_and(knows)
                    && let Some(request) = self.request(message)
                {
                    let request_id = Some(request_id);
                    self.command(Some(Command::Request {
                        connection,
                        request_id,
                        request,
                    }));
                }
            }
        }
    }

    /// A connection is over, as far as the server sees.
    pub(super) fn server_notices(&mut self, connection: ConnectionId) {
        let life = self.links.get(&connection).map(|link| link.life);
        if life != self.life() {
            return;
        }
        let was_known = |server: &mut crate::server::Server| server.lose(connection);
        if self.server.as_mut().is_some_and(was_known) {
            self.command(Some(Command::Disconnected { connection }));
        }
    }

    /// What may go out goes out; whatever it promises must be true by now.
    pub(super) fn emit(&mut self, out: Vec<Out>) {
        for out in out {
            match out {
                Out::Message {
                    to,
                    is_promise,
                    message,
                } => {
                    for promise in self.promised(to, is_promise, &message) {
                        self.promise(promise);
                    }
                    self.tell(to, message);
                }
                Out::Close(connection) => self.close_from_server(connection),
                Out::Reply(asker, result) => {
                    for promise in promises::of_reply(&result) {
                        self.promise(promise);
                    }
                    self.reply(asker, result);
                }
            }
        }
    }

    pub(super) fn promise(&mut self, promise: Promise) {
        assert!(
            promise.is_kept(&self.store),
            "what is acknowledged is committed: {promise:?}"
        );
        self.counted.promises += 1;
        self.promises.insert(promise);
    }

    /// What a message promises; only an acknowledgement does.
    fn promised(
        &self,
        to: ConnectionId,
        is_promise: bool,
        message: &ServerMessage,
    ) -> Vec<Promise> {
        let tab = self.links.get(&to).and_then(|link| self.tabs.get(link.tab));
        let Some(tab) = tab.filter(|_| is_promise) else {
            return Vec::new();
        };
        let mut promises = promises::of_message(message, tab.person.is_hidden);
        // What a client does not know any more it cannot be promised.
        let view = tab.view.as_ref().filter(|_| tab.connection == Some(to));
        match message {
            ServerMessage::Goodbye(goodbye) => {
                let is_over = [ErrorCode::Left, ErrorCode::SessionEnded].contains(&goodbye.code);
                promises.extend(view.filter(|_| is_over).map(|view| Promise::Left(view.own)));
            }
            ServerMessage::Done {
                request_id: Some(number),
                ..
            } => {
                let asked = tab
                    .pending
                    .get(number)
                    .filter(|_| tab.connection == Some(to));
                if let (
                    Some(view),
                    Some(ClientMessage::Remove {
                        participant_id,
                        ban: true,
                    }),
                ) = (view, asked)
                {
                    let mut known = view.participants.iter();
                    let banned = known.find(|other| other.id == *participant_id);
                    promises.extend(
                        banned.map(|of| Promise::Banned(view.room.id, of.identity.clone())),
                    );
                }
            }
            _ => {}
        }
        promises
    }

    /// The database takes its time for what waits.
    fn commit_later(&mut self, life: u64) {
        let takes = match self.is_calm {
            true => 1,
            false => self.seed.below(self.plan.commit) + 1,
        };
        let at = self.now.max(self.database_away_until) + std::time::Duration::from_millis(takes);
        self.at(at, Event::Commit { life });
    }

    pub(super) fn commit(&mut self, life: u64) {
        if self.life() != Some(life) {
            return;
        }
        if self.database_away_until > self.now {
            return self.commit_later(life);
        }
        let most = match self.seed.once_in(4) {
            true => 1 + self.seed.below(3) as usize,
            false => usize::MAX,
        };
        let Some(server) = &mut self.server else {
            return;
        };
        let number = server.commit(&mut self.store, most);
        let has_more = server.uncommitted() > 0;
        let delay = self.seed.below(3);
        self.after(delay, Event::Committed { life, number });
        self.is_commit_due = has_more;
        if has_more {
            self.commit_later(life);
        }
    }

    pub(super) fn committed(&mut self, life: u64, number: u64) {
        if self.life() != Some(life) {
            return;
        }
        let out = self.server.as_mut().map(|server| server.learn(number));
        self.emit(out.unwrap_or_default());
    }

    pub(super) fn heartbeat(&mut self, life: u64) {
        if self.life() != Some(life) {
            return;
        }
        if self.database_away_until <= self.now {
            self.store.heartbeat = self.now;
        }
        self.after(5_000, Event::Heartbeat { life });
    }

    /// The media plane answers an offer, if its peer is still there.
    pub(super) fn answer(&mut self, life: u64, peer: PeerId, is_refused: bool) {
        let Some(server) = self.server.as_mut().filter(|server| server.life == life) else {
            return;
        };
        let event = match is_refused {
            true => server.media.refuse(peer),
            false => server.media.answer(peer),
        };
        if let Some(event) = event {
            self.command(Some(Command::Media(event)));
        }
    }

    /// Something of the media plane's own accord.
    pub(super) fn disturb_media(&mut self) {
        let Some(server) = &mut self.server else {
            return;
        };
        let (peers, tracks) = (server.media.peers(), server.media.tracks());
        let kind = self.seed.below(8);
        let event = match (kind, self.seed.of(&peers), self.seed.of(&tracks)) {
            (0, Some(peer), _) => server.media.end(*peer),
            (1, _, Some(track)) => server.media.refuse_track(*track),
            (2, Some(peer), _) => MediaEvent::SectionsRequired {
                peer: *peer,
                audio: 1,
                video: 0,
            },
            (3, _, Some(track)) => MediaEvent::LayersWanted {
                track: *track,
                layers: vec![LayerWanted {
                    rid: None,
                    wanted: self.seed.once_in(2),
                }],
            },
            (4.., _, Some(track)) => MediaEvent::Speaking {
                track: *track,
                level: self.seed.once_in(2).then_some(30),
            },
            _ => return,
        };
        self.command(Some(Command::Media(event)));
    }
}
