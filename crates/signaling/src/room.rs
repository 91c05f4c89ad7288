//! One room: who is in it, and the log of what changed. Every change goes through `tell`, so that the
//! log, those present and those who come back see the same. It knows no SDP and no packets.

use std::collections::{BTreeMap, HashMap};

use protocol::{
    Change, ConnectionId, ErrorBody, ErrorCode, Identity, Live, LiveRoom, ParticipantId, RoomId,
    RoomInfo, RoomName, StateUpdate, TrackId,
};

use crate::index::Seat;
use crate::live::{live_among, live_of};
use crate::log::ChangeLog;
use crate::participant::{Participant, Presence};
use crate::speaking::Speaking;
use crate::turn::{Turn, left};

/// One room.
#[derive(Debug)]
pub(crate) struct Room {
    pub(crate) id: RoomId,
    pub(crate) name: RoomName,
    /// In the order of joining.
    pub(crate) participants: BTreeMap<Seat, Participant>,
    pub(crate) seats: HashMap<Identity, Seat>,
    pub(crate) next_seat: u64,
    pub(crate) log: ChangeLog,
    pub(crate) speaking: Speaking,
}

/// Who of those present is told.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Audience {
    Everyone,
    /// All but one whose `joined` or `resumed` contains it.
    EveryoneBut(Seat),
}

impl Room {
    pub(crate) fn new(id: RoomId, name: RoomName) -> Self {
        Self {
            id,
            name,
            participants: BTreeMap::new(),
            seats: HashMap::new(),
            next_seat: 0,
            log: ChangeLog::default(),
            speaking: Speaking::default(),
        }
    }

    pub(crate) fn info(&self) -> RoomInfo {
        RoomInfo {
            id: self.id,
            name: self.name.clone(),
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
            .filter(|place| place.room == self.id);
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

    /// The room as an item of the list of live rooms, if somebody is live.
    pub(crate) fn live_room(&self) -> Option<LiveRoom> {
        let live = live_among(self.participants.values());
        let started_at = live.first()?.started_at;
        let participants = self.visible_to(None).count();
        Some(LiveRoom {
            name: self.name.clone(),
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
        if self.participant(subject).permissions.hidden {
            return;
        }
        self.record(turn, change, audience);
    }

    fn record(&mut self, turn: &mut Turn<'_>, change: Change, audience: Audience) {
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
        let participant = self.participant(seat).view();
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
        let before = self.participant(seat).view();
        self.participant_mut(seat).update_state(state);
        self.tell_update(turn, seat, &before, Audience::Everyone);
    }

    /// A participant's connection is lost: away from now on.
    pub(crate) fn lose_connection(
        &mut self,
        turn: &mut Turn<'_>,
        seat: Seat,
        connection: ConnectionId,
    ) {
        let until = turn.now + turn.limits.away_time;
        let before = self.participant(seat).view();
        turn.index.connections.remove(&connection);
        turn.index.away.insert((until, turn.place(seat)));
        self.participant_mut(seat).presence = Presence::Away { until };
        self.tell_update(turn, seat, &before, Audience::Everyone);
    }

    /// A participant goes for good, and says so.
    pub(crate) fn leave(&mut self, turn: &mut Turn<'_>, seat: Seat) {
        if let Some(connection) = self.participant(seat).connection() {
            turn.say_goodbye(connection, left());
        }
        self.remove(turn, seat);
    }

    /// A participant is gone, and with them their tracks and their being live.
    pub(crate) fn remove(&mut self, turn: &mut Turn<'_>, seat: Seat) {
        // What ends with them needs no word of its own: `participant_left` says it all.
        drop(self.close_peer(turn, seat));
        let Some(participant) = self.participants.remove(&seat) else {
            return;
        };
        self.seats.remove(&participant.identity);
        match participant.presence {
            Presence::Present { connection } => drop(turn.index.connections.remove(&connection)),
            Presence::Away { until } => drop(turn.index.away.remove(&(until, turn.place(seat)))),
        }
        if !participant.permissions.hidden {
            let change = Change::ParticipantLeft {
                participant_id: participant.id,
            };
            self.record(turn, change, Audience::Everyone);
        }
    }

    /// The participant with this id.
    pub(crate) fn id_of(&self, seat: Seat) -> ParticipantId {
        self.participant(seat).id
    }
}
