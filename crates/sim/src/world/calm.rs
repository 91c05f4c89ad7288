//! When all is calm: what must then be true of everybody and everything. It breaks nothing, and asks of the
//! server only what anybody may.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use protocol::{
    ClientMessage, Live, Participant, ParticipantId, RoomName, RoomState, SessionState,
};
use signaling::{ApiReply, ApiRequest, ApiResult, Caller, Counts, RoomRef, RoomView, Start};

use super::World;
use super::api::{backend, making, nobody_special, owner};
use crate::plan::Place;
use crate::tab::{State, Tab};

/// Long enough for every loss to be noticed by both sides, and for whoever is not back to be gone.
const SETTLING: Duration = Duration::from_secs(60);

impl World {
    /// The storm is over: everything under way arrives, everybody is back who wants to be.
    pub(super) fn settle(&mut self) {
        self.trace.note(self.now, format_args!("calm"));
        self.database_away_until = self.database_away_until.min(self.now);
        self.pass(SETTLING);
        assert!(self.server.is_some(), "the server is up again");
        assert!(
            self.server.as_ref().is_some_and(|server| server.is_quiet()),
            "everything asked for is written, and everything promised is out"
        );
        assert_eq!(self.unanswered_calls(), 0, "every request is answered");
        self.store.check();
        self.check_promises();
        for place in self.plan.places.clone() {
            self.check_place(&place);
        }
        for tab in 0..self.tabs.len() {
            self.check_tab(tab);
        }
    }

    /// Everybody goes, one way or another; nothing is left, and every owner could begin anew.
    pub(super) fn farewell(&mut self) {
        self.trace.note(self.now, format_args!("farewell"));
        for tab in 0..self.tabs.len() {
            self.tabs[tab].wants_in = false;
            match (self.tabs[tab].state, self.seed.once_in(2)) {
                (State::Waiting | State::In, true) => self.send(tab, ClientMessage::Leave),
                _ => self.give_up_connection(tab),
            }
        }
        let grace = self.plan.limits.host_grace;
        self.pass(SETTLING + grace);
        self.check_nothing_is_left();
        for place in self.plan.places.clone() {
            self.check_can_begin(&place);
        }
        self.pass(Duration::from_secs(10) + grace);
        self.check_nothing_is_left();
    }

    /// Every promise that was ever made is true.
    pub(super) fn check_promises(&self) {
        let broken = self
            .promises
            .iter()
            .find(|promise| !promise.is_kept(&self.store));
        assert_eq!(broken, None, "what was acknowledged is in the store");
    }

    fn view_of(&self, name: &RoomName) -> Option<RoomView> {
        self.server.as_ref()?.rooms.room(name)
    }

    /// The room in memory is the room in the store.
    fn check_place(&mut self, place: &Place) {
        let view = self.view_of(&place.name);
        let stored = self.store.open_rooms().find(|room| room.name == place.name);
        let stored = stored.cloned();
        assert_eq!(
            view.as_ref().map(|view| view.id),
            stored.as_ref().map(|room| room.id),
            "the rooms in memory are those in the store"
        );
        let (Some(view), Some(stored)) = (view, stored) else {
            return;
        };
        match self.ask(backend(), ApiRequest::GetRoom(RoomRef::Id(view.id))) {
            Ok(ApiReply::Room(details)) => {
                assert_eq!(details.record, stored, "a room is as it is written");
                assert_eq!(details.info, view.info, "a room is as it is told");
            }
            other => panic!("a room that is there can be looked at: {other:?}"),
        }
        let running = self.store.running_in(stored.id);
        let state = running.map(|session| session.state);
        assert_eq!(
            state == Some(SessionState::Live),
            view.info.state == RoomState::Live,
            "a live room has a running session"
        );
        assert_eq!(
            state == Some(SessionState::Lobby),
            view.info.state == RoomState::Lobby,
            "a room in the lobby has a running session"
        );
        let (mut written, mut published) = (BTreeSet::new(), BTreeSet::new());
        if let Some(session) = running {
            assert_eq!(
                view.info.session.as_ref().map(|told| (told.id, told.state)),
                Some((session.id, session.state)),
                "the session that runs is the one that is written"
            );
            written.extend(self.store.present_in(session.id).map(|row| row.participant));
            published.extend(self.store.published_in(session.id).map(|row| row.id));
        }
        let is_live = state == Some(SessionState::Live);
        let inside = || view.participants.iter().filter(|_| is_live);
        let present: BTreeSet<_> = inside().map(|other| other.id).collect();
        assert_eq!(written, present, "who attends is who is in the room");
        let tracks: BTreeSet<_> = inside()
            .flat_map(|other| other.tracks.iter().map(|track| track.id))
            .collect();
        assert_eq!(published, tracks, "the tracks written are those published");
        assert_eq!(view.gathered, 0, "nobody's coming or going is kept back");
    }

    /// A tab is in, waits, or is out, and knows the room as it is.
    fn check_tab(&self, tab: usize) {
        let tab = &self.tabs[tab];
        assert!(
            !matches!(tab.state, State::Connecting | State::Asked),
            "whoever asked to join is answered: {tab:?}"
        );
        assert!(tab.pending.is_empty(), "whoever asked is answered: {tab:?}");
        let room = self.view_of(&self.plan.places[tab.place].name);
        match tab.state {
            State::In => check_view(tab, &room.expect("who is in is in a room")),
            State::Waiting => {
                let room = room.expect("who waits waits for a room");
                assert_eq!(
                    tab.outside.as_ref(),
                    Some(&room.info),
                    "who waits knows the room as it is"
                );
            }
            State::Out => assert!(!tab.wants_in, "whoever wants to be in is: {tab:?}"),
            State::Connecting | State::Asked => {}
        }
    }

    fn check_nothing_is_left(&self) {
        self.store.check();
        self.check_promises();
        assert_eq!(
            self.store.running().next(),
            None,
            "nothing runs when all have left"
        );
        let server = self.server.as_ref().expect("the server is up");
        let left = server.rooms.counts();
        let empty = Counts {
            kept_rooms: left.kept_rooms,
            go_live_conflicts: left.go_live_conflicts,
            ..Counts::default()
        };
        assert_eq!(left, empty, "nothing is left when all have left");
        assert!(
            server.rooms.is_empty(),
            "nothing is left when all have left"
        );
        assert_eq!(server.rooms.stuck(), 0, "no room is stuck");
        assert!(server.media.peers().is_empty(), "no media is left");
    }

    /// Whoever owns a room can go live in it at once, whatever happened before, and end it.
    fn check_can_begin(&mut self, place: &Place) {
        let Some(owner) = owner(&place.kind).cloned() else {
            return;
        };
        let room = self.ask(backend(), making(&place.name, &place.kind));
        let mine = self.ask(
            nobody_special(owner.clone()),
            ApiRequest::GetRoom(RoomRef::Name(place.name.clone())),
        );
        if mine.is_err() {
            // Deleted, and refused for want of places; never because it is stuck.
            assert!(room.is_err() || !matches!(place.kind, crate::plan::Kind::Made { .. }));
            return;
        }
        let caller = nobody_special(owner);
        for round in 0..2 {
            let start = Start {
                key: format!("once more {round}"),
                fresh_session: protocol::SessionId::from_bits(0),
            };
            let room = RoomRef::Name(place.name.clone());
            let live = self.ask(caller.clone(), ApiRequest::GoLive(room.clone(), start));
            let is_live =
                matches!(&live, Ok(ApiReply::Session(of)) if of.state == SessionState::Live);
            assert!(is_live, "an owner can go live at once: {live:?}");
            let ended = self.ask(
                caller.clone(),
                ApiRequest::EndSession {
                    room,
                    session: None,
                },
            );
            let is_over =
                matches!(&ended, Ok(ApiReply::Session(of)) if of.state == SessionState::Ended);
            assert!(is_over, "an owner can end it at once: {ended:?}");
        }
    }

    /// Asks over HTTP, and waits for the answer.
    fn ask(&mut self, caller: Caller, request: ApiRequest) -> ApiResult {
        let call = self.call(caller, request);
        self.pass(Duration::from_secs(1));
        self.result_of(call)
            .expect("a request in the calm is answered")
    }
}

fn check_view(tab: &Tab, room: &RoomView) {
    let view = tab.view.as_ref().expect("who is in was told the room");
    // Somebody hidden is in nobody's list but their own, and their list of themselves stays as it was.
    let is_hidden = room.participants.iter().all(|other| other.id != view.own);
    let seen: Vec<Participant> = view
        .participants
        .iter()
        .filter(|other| !is_hidden || other.id != view.own)
        .cloned()
        .collect();
    assert_eq!(
        seen, room.participants,
        "everybody knows everybody: {tab:?}"
    );
    let live: BTreeMap<ParticipantId, Live> = room
        .live
        .iter()
        .filter(|live| live.participant_id != view.own)
        .map(|live| (live.participant_id, live.clone()))
        .collect();
    assert_eq!(view.live, live, "everybody knows who is live: {tab:?}");
    assert_eq!(
        view.last_change, room.last_change,
        "everybody knows the last change: {tab:?}"
    );
    assert_eq!(view.room, room.info, "everybody knows the room: {tab:?}");
    let myself = view.myself();
    if myself.is_some_and(|myself| myself.moderator) && !is_hidden {
        let told: Vec<_> = room.waiting.iter().map(|of| of.id).take(100).collect();
        assert_eq!(tab.waiting_list, told, "moderators know who waits: {tab:?}");
    }
}
