//! One room: who is in it, and the log of what changed. Every change goes through `record`, so that the
//! log, those present and those who come back see the same. It knows no SDP and no packets.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use protocol::record::{RoomRecord, SessionRecord};
use protocol::{
    Change, ConnectionId, ErrorBody, ErrorCode, Identity, Live, LiveRoom, ParticipantId, RoomInfo,
    RoomState, StateUpdate, Timestamp, TrackId,
};

use crate::index::Seat;
use crate::live::{live_among, live_of};
use crate::log::ChangeLog;
use crate::participant::Participant;
use crate::people::Remembered;
use crate::presence::Gathered;
use crate::recent::Recent;
use crate::session::session_info;
use crate::sessions::Sessions;
use crate::speaking::Speaking;
use crate::turn::Turn;
use crate::waiting::Line;

/// One room.
#[derive(Debug)]
pub(crate) struct Room {
    /// As it is written down.
    pub(crate) record: RoomRecord,
    pub(crate) sessions: Sessions,
    /// In the order of joining.
    pub(crate) participants: BTreeMap<Seat, Participant>,
    pub(crate) waiting: Line,
    /// Of those inside and of those who wait.
    pub(crate) seats: HashMap<Identity, Seat>,
    pub(crate) next_seat: u64,
    /// Until the session ends.
    pub(crate) people: BTreeMap<Identity, Remembered>,
    pub(crate) bans: BTreeSet<Identity>,
    pub(crate) log: ChangeLog,
    pub(crate) gathered: Gathered,
    pub(crate) speaking: Speaking,
    /// How those inside and those who wait know the room, if there are any.
    pub(crate) told: Option<Box<RoomInfo>>,
    /// Since when a running session has been without its host.
    pub(crate) host_absent_since: Option<Timestamp>,
    /// As the index has it.
    pub(crate) due: Option<Timestamp>,
    /// The media plane knows the room: somebody is in.
    pub(crate) is_open: bool,
    pub(crate) recent: Recent,
}

/// Who of those present is told.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Audience {
    Everyone,
    /// All but one whose `joined` or `resumed` contains it.
    EveryoneBut(Seat),
}

impl Room {
    pub(crate) fn new(record: RoomRecord) -> Self {
        Self {
            record,
            sessions: Sessions::default(),
            participants: BTreeMap::new(),
            waiting: Line::default(),
            seats: HashMap::new(),
            next_seat: 0,
            people: BTreeMap::new(),
            bans: BTreeSet::new(),
            log: ChangeLog::default(),
            gathered: Gathered::default(),
            speaking: Speaking::default(),
            told: None,
            host_absent_since: None,
            due: None,
            is_open: false,
            recent: Recent::default(),
        }
    }

    pub(crate) fn info(&self) -> RoomInfo {
        RoomInfo {
            id: self.record.id,
            name: self.record.name.clone(),
            state: self.state(),
            settings: self.record.settings.clone(),
            session: self.sessions.current().map(session_info),
            host: self.host_info(),
        }
    }

    pub(crate) fn state(&self) -> RoomState {
        RoomState::of(self.sessions.all().map(|of: &SessionRecord| of.state))
    }

    /// A place in the order of joining.
    pub(crate) fn next_seat(&mut self) -> Seat {
        let seat = Seat(self.next_seat);
        self.next_seat += 1;
        seat
    }

    /// Where the participant with this id is.
    pub(crate) fn seat_of(&self, id: ParticipantId) -> Result<Seat, ErrorBody> {
        let mut participants = self.participants.iter();
        let found = participants.find(|(_, participant)| participant.id == id);
        found.map(|(seat, _)| *seat).ok_or_else(|| {
            let message = format!("there is no participant {id} in this room");
            ErrorBody::new(ErrorCode::ParticipantNotFound, message)
        })
    }

    /// A participant as the others see them.
    pub(crate) fn view(&self, participant: &Participant) -> protocol::Participant {
        protocol::Participant {
            moderator: self.is_moderator(participant),
            host: self.host() == Some(&participant.identity),
            ..participant.view()
        }
    }

    pub(crate) fn participant(&self, seat: Seat) -> &Participant {
        self.participants
            .get(&seat)
            .expect("a seat that the index names is taken: check_invariants")
    }

    pub(crate) fn participant_mut(&mut self, seat: Seat) -> &mut Participant {
        self.participants
            .get_mut(&seat)
            .expect("a seat that the index names is taken: check_invariants")
    }

    /// Whose a track is, if it is published in this room.
    pub(crate) fn owner_of(&self, turn: &Turn<'_>, track: TrackId) -> Result<Seat, ErrorBody> {
        let place = turn
            .index
            .tracks
            .get(&track)
            .filter(|place| place.room == self.record.id);
        place.map(|place| place.seat).ok_or_else(|| {
            ErrorBody::new(
                ErrorCode::TrackNotFound,
                format!("there is no track {track} in this room"),
            )
        })
    }

    /// The connections of those present, in the order of joining.
    pub(crate) fn connections(&self, audience: Audience) -> Vec<ConnectionId> {
        let is_told = |seat: Seat| match audience {
            Audience::Everyone => true,
            Audience::EveryoneBut(other) => seat != other,
        };
        self.participants
            .iter()
            .filter(|(seat, _)| is_told(**seat))
            .filter_map(|(_, participant)| participant.connection())
            .collect()
    }

    /// Everybody whom others may see, and the asker even if hidden.
    pub(crate) fn visible_to(
        &self,
        asker: Option<Seat>,
    ) -> impl Iterator<Item = (Seat, &Participant)> {
        self.participants
            .iter()
            .map(|(seat, participant)| (*seat, participant))
            .filter(move |(seat, participant)| {
                !participant.permissions.hidden || Some(*seat) == asker
            })
    }

    /// Who is live, the asker left out, longest first.
    pub(crate) fn live_for(&self, asker: Seat) -> Vec<Live> {
        let others = self.participants.iter().filter(|(seat, _)| **seat != asker);
        live_among(others.map(|(_, participant)| participant))
    }

    /// The room as an item of the list of live rooms, if somebody is live: in a room with an owner from the
    /// moment its session is, in any other from the first track.
    pub(crate) fn live_room(&self) -> Option<LiveRoom> {
        let live = live_among(self.participants.values());
        let running = self.sessions.running();
        let session = running.filter(|_| self.record.owner.is_some());
        let started_at = match (session.and_then(|of| of.live_at), live.first()) {
            (Some(live_at), _) => live_at,
            (None, first) => first?.started_at,
        };
        let participants = self.visible_to(None).count();
        Some(LiveRoom {
            name: self.record.name.clone(),
            participants,
            live,
            started_at,
        })
    }

    /// Records a change of a participant, and tells those present. What concerns a hidden participant
    /// has no place in the log, since every number of the log is told to all.
    pub(crate) fn tell(
        &mut self,
        turn: &mut Turn<'_>,
        subject: Seat,
        change: Change,
        audience: Audience,
    ) {
        let participant = self.participant(subject);
        if participant.permissions.hidden {
            return;
        }
        if self.gathered.has_joined(participant.id) {
            self.tell_presence(turn, audience);
        }
        self.record(turn, change, audience);
    }

    /// Numbers a change, and tells those present.
    pub(crate) fn record(&mut self, turn: &mut Turn<'_>, change: Change, audience: Audience) {
        let numbered = self.log.record(change, turn.limits.logged_changes);
        let to = self.connections(audience);
        turn.send(to, protocol::ServerMessage::Change(numbered));
    }

    /// Tells what became of somebody's being live, compared with before.
    pub(crate) fn tell_live(
        &mut self,
        turn: &mut Turn<'_>,
        seat: Seat,
        before: Option<Live>,
        audience: Audience,
    ) {
        let participant = self.participant(seat);
        let participant_id = participant.id;
        let change = match (before, live_of(participant)) {
            (None, Some(live)) => Change::WentLive { live },
            (Some(before), Some(live)) if before != live => Change::LiveUpdated { live },
            (Some(_), None) => Change::CeasedToBeLive { participant_id },
            (Some(_), Some(_)) | (None, None) => return,
        };
        self.tell(turn, seat, change, audience);
    }

    /// Tells how a participant is now, if they were different before.
    pub(crate) fn tell_update(
        &mut self,
        turn: &mut Turn<'_>,
        seat: Seat,
        before: &protocol::Participant,
        audience: Audience,
    ) {
        let participant = self.view(self.participant(seat));
        if participant != *before {
            self.tell(
                turn,
                seat,
                Change::ParticipantUpdated { participant },
                audience,
            );
        }
    }

    /// A participant says how camera, microphone and hand are.
    pub(crate) fn update_state(&mut self, turn: &mut Turn<'_>, seat: Seat, state: StateUpdate) {
        let before = self.view(self.participant(seat));
        self.participant_mut(seat).update_state(state);
        self.tell_update(turn, seat, &before, Audience::Everyone);
    }

    /// The id of whoever is here.
    pub(crate) fn id_of(&self, seat: Seat) -> ParticipantId {
        self.participant(seat).id
    }
}
