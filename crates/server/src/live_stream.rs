//! Which rooms are live, as it changes: the listing compared with the one before, as numbered events that are
//! kept for a while. It has no second source, and so cannot disagree with the listing.

use std::collections::{HashMap, VecDeque};
use std::fmt;
use std::str::FromStr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use protocol::{LiveRoom, RoomName};
use serde_json::{Value, json};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};

use crate::sight::Sight;

/// Events kept for those who come back, and their bytes.
const KEPT_EVENTS: usize = 1_024;
const KEPT_BYTES: usize = 4 * 1024 * 1024;

/// An event's number. Of another run of the server it is of no use.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct EventId {
    run: u32,
    number: u64,
}

impl fmt::Display for EventId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:08x}-{}", self.run, self.number)
    }
}

impl FromStr for EventId {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        let (run, number) = text.split_once('-').ok_or(())?;
        Ok(Self {
            run: u32::from_str_radix(run, 16).map_err(drop)?,
            number: number.parse().map_err(drop)?,
        })
    }
}

/// What a subscriber is told.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Event {
    pub(crate) id: EventId,
    /// `snapshot`, `room_live` or `room_over`.
    pub(crate) kind: &'static str,
    pub(crate) data: Arc<str>,
}

/// An event as those with each sight see it.
#[derive(Debug)]
struct Kept {
    kind: &'static str,
    for_all: Arc<str>,
    for_strangers: Arc<str>,
}

/// The listing as it changes.
pub(crate) struct LiveStream {
    run: u32,
    state: Mutex<State>,
    /// Told the number of the last event.
    last: watch::Sender<u64>,
    places: Arc<Semaphore>,
}

#[derive(Debug, Default)]
struct State {
    rooms: Vec<LiveRoom>,
    last: u64,
    kept: VecDeque<Kept>,
    kept_bytes: usize,
}

/// Somebody who is told.
pub(crate) struct Subscriber {
    sight: Sight,
    /// The last event told.
    told: u64,
    last: watch::Receiver<u64>,
    _place: OwnedSemaphorePermit,
}

impl LiveStream {
    pub(crate) fn new(subscribers: usize) -> Self {
        Self {
            run: rand::random(),
            state: Mutex::default(),
            last: watch::Sender::new(0),
            places: Arc::new(Semaphore::new(subscribers)),
        }
    }

    /// Somebody listens.
    pub(crate) fn is_heard(&self) -> bool {
        self.last.receiver_count() > 0
    }

    /// The listing is this now.
    pub(crate) fn update(&self, rooms: Vec<LiveRoom>, strangers: Sight) {
        let mut state = self.state();
        for (kind, room) in changes(&state.rooms, &rooms) {
            state.keep(kind, &room, strangers);
        }
        state.rooms = rooms;
        let last = state.last;
        drop(state);
        self.last
            .send_if_modified(|known| std::mem::replace(known, last) != last);
    }

    /// Whoever comes back is told what they missed, if it is all kept; anybody else, the whole listing. `None`:
    /// there are too many subscribers.
    pub(crate) fn subscribe(
        &self,
        sight: Sight,
        behind: Option<EventId>,
    ) -> Option<(Subscriber, Option<Event>)> {
        let place = self.places.clone().try_acquire_owned().ok()?;
        let state = self.state();
        let resumed = behind.filter(|id| id.run == self.run && state.has_all_behind(id.number));
        let subscriber = Subscriber {
            sight,
            told: resumed.map_or(state.last, |id| id.number),
            last: self.last.subscribe(),
            _place: place,
        };
        let snapshot = resumed.is_none().then(|| {
            let rooms = state.rooms.iter().cloned().map(|room| sight.of(room));
            let data = json!({ "rooms": rooms.collect::<Vec<_>>() });
            Event {
                id: self.id(state.last),
                kind: "snapshot",
                data: data.to_string().into(),
            }
        });
        Some((subscriber, snapshot))
    }

    /// The next events for a subscriber, as soon as there are any. `None`: they are so far behind that some are
    /// no longer kept.
    pub(crate) async fn next(&self, subscriber: &mut Subscriber) -> Option<Vec<Event>> {
        let told = subscriber.told;
        // The sender lives as long as this stream.
        let _ = subscriber.last.wait_for(|last| *last > told).await;
        let state = self.state();
        if !state.has_all_behind(told) {
            return None;
        }
        let known = state.last - u64::try_from(state.kept.len()).unwrap_or(u64::MAX);
        let skipped = usize::try_from(told - known).unwrap_or(usize::MAX);
        let behind = state.kept.iter().zip(known + 1..).skip(skipped);
        let events = behind.map(|(kept, number)| Event {
            id: self.id(number),
            kind: kept.kind,
            data: match subscriber.sight {
                Sight::People => kept.for_all.clone(),
                _ => kept.for_strangers.clone(),
            },
        });
        let events = events.collect();
        subscriber.told = state.last;
        Some(events)
    }

    fn id(&self, number: u64) -> EventId {
        EventId {
            run: self.run,
            number,
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn has_all_behind(&self, number: u64) -> bool {
        let kept = u64::try_from(self.kept.len()).unwrap_or(u64::MAX);
        number <= self.last && self.last - number <= kept
    }

    fn keep(&mut self, kind: &'static str, room: &Value, strangers: Sight) {
        let for_all: Arc<str> = room.to_string().into();
        let for_strangers = match strangers {
            Sight::People => for_all.clone(),
            _ => without_people(room).to_string().into(),
        };
        let kept = Kept {
            kind,
            for_all,
            for_strangers,
        };
        self.kept_bytes += kept.for_all.len();
        self.kept.push_back(kept);
        self.last += 1;
        while self.kept.len() > KEPT_EVENTS || self.kept_bytes > KEPT_BYTES {
            let Some(old) = self.kept.pop_front() else {
                break;
            };
            self.kept_bytes -= old.for_all.len();
        }
    }
}

fn without_people(room: &Value) -> Value {
    let mut room = room.clone();
    if let Some(live) = room.get_mut("live") {
        *live = json!([]);
    }
    room
}

/// What changed from one listing to the next: rooms that are over, then those that are new or other than
/// before, in the order of the listing.
fn changes(before: &[LiveRoom], after: &[LiveRoom]) -> Vec<(&'static str, Value)> {
    let by_name = |rooms: &'_ [LiveRoom]| -> HashMap<RoomName, LiveRoom> {
        rooms
            .iter()
            .map(|room| (room.name.clone(), room.clone()))
            .collect()
    };
    let (old, new) = (by_name(before), by_name(after));
    let over = before
        .iter()
        .filter(|room| !new.contains_key(&room.name))
        .map(|room| ("room_over", json!({ "name": room.name })));
    let live = after
        .iter()
        .filter(|room| old.get(&room.name) != Some(*room))
        .map(|room| ("room_live", json!(room)));
    over.chain(live).collect()
}

#[cfg(test)]
mod tests {
    use protocol::{Identity, Live, MediaType, ParticipantId, Timestamp};

    use super::*;

    fn room(name: &str, participants: usize) -> LiveRoom {
        LiveRoom {
            name: RoomName(name.into()),
            participants,
            live: vec![Live {
                participant_id: ParticipantId::from_bits(1),
                identity: Identity("ann".into()),
                name: "Ann".into(),
                started_at: Timestamp(7),
                media_type: MediaType::Audio,
            }],
            started_at: Timestamp(7),
        }
    }

    fn kinds(events: Option<Vec<Event>>) -> Vec<(&'static str, String)> {
        let events = events.expect("all are kept").into_iter();
        let name =
            |event: &Event| serde_json::from_str::<Value>(&event.data).unwrap()["name"].to_string();
        events.map(|event| (event.kind, name(&event))).collect()
    }

    #[tokio::test]
    async fn a_subscriber_has_the_listing_and_then_each_change_of_it() {
        let stream = LiveStream::new(1);
        stream.update(vec![room("a", 1), room("b", 1)], Sight::People);
        let (mut subscriber, snapshot) = stream.subscribe(Sight::People, None).unwrap();
        let rooms: Value = serde_json::from_str(&snapshot.unwrap().data).unwrap();
        assert_eq!(rooms["rooms"].as_array().unwrap().len(), 2);

        stream.update(vec![room("b", 2), room("c", 1)], Sight::People);
        let expected = [
            ("room_over", "\"a\""),
            ("room_live", "\"b\""),
            ("room_live", "\"c\""),
        ];
        let expected = expected.map(|(kind, name)| (kind, name.to_owned()));
        assert_eq!(kinds(stream.next(&mut subscriber).await), expected);
        // Nothing changed: nothing is told.
        stream.update(vec![room("b", 2), room("c", 1)], Sight::People);
        let waiting = tokio::time::timeout(
            std::time::Duration::from_millis(20),
            stream.next(&mut subscriber),
        );
        assert!(waiting.await.is_err());
    }

    #[tokio::test]
    async fn whoever_comes_back_misses_nothing_or_gets_the_listing_anew() {
        let stream = LiveStream::new(9);
        stream.update(vec![room("a", 1)], Sight::People);
        let (_, snapshot) = stream.subscribe(Sight::People, None).unwrap();
        let seen = snapshot.unwrap().id;
        assert_eq!(seen.to_string().parse(), Ok(seen));
        stream.update(vec![], Sight::People);
        let (mut back, snapshot) = stream.subscribe(Sight::People, Some(seen)).unwrap();
        assert_eq!(snapshot, None);
        assert_eq!(
            kinds(stream.next(&mut back).await),
            [("room_over", "\"a\"".to_owned())]
        );

        let of_another_run = EventId {
            run: seen.run.wrapping_add(1),
            ..seen
        };
        let to_come = EventId { number: 99, ..seen };
        for id in [of_another_run, to_come] {
            assert!(
                stream
                    .subscribe(Sight::People, Some(id))
                    .unwrap()
                    .1
                    .is_some()
            );
        }
        for number in 0..=KEPT_EVENTS {
            stream.update(vec![room("a", number)], Sight::People);
        }
        assert!(
            stream
                .subscribe(Sight::People, Some(seen))
                .unwrap()
                .1
                .is_some()
        );
        assert_eq!(stream.next(&mut back).await, None, "too slow");
    }

    #[tokio::test]
    async fn strangers_are_told_of_rooms_and_not_of_people_where_that_is_set() {
        let stream = LiveStream::new(2);
        stream.update(vec![room("a", 1)], Sight::Rooms);
        let (mut stranger, snapshot) = stream.subscribe(Sight::Rooms, None).unwrap();
        assert!(!snapshot.unwrap().data.contains("Ann"));
        let (mut backend, snapshot) = stream.subscribe(Sight::People, None).unwrap();
        assert!(snapshot.unwrap().data.contains("Ann"));
        stream.update(vec![room("a", 2)], Sight::Rooms);
        assert!(
            !stream.next(&mut stranger).await.unwrap()[0]
                .data
                .contains("Ann")
        );
        assert!(
            stream.next(&mut backend).await.unwrap()[0]
                .data
                .contains("Ann")
        );
    }

    #[test]
    fn subscribers_and_what_is_kept_for_them_are_limited() {
        let stream = LiveStream::new(1);
        let first = stream.subscribe(Sight::People, None);
        assert!(stream.is_heard() && stream.subscribe(Sight::People, None).is_none());
        drop(first);
        assert!(!stream.is_heard() && stream.subscribe(Sight::People, None).is_some());
        for number in 0..3 {
            let mut large = room("a", number);
            large.live[0].name = "x".repeat(KEPT_BYTES / 2);
            stream.update(vec![large], Sight::People);
        }
        let state = stream.state();
        assert!(state.kept.len() < 3 && state.kept_bytes <= KEPT_BYTES);
    }
}
