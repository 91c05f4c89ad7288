//! What passes between the engines of one process, so that a room can be larger than one of them: of a turn, the
//! packets of relayed tracks in one buffer, and what is told about these tracks. It looks into no packet, and
//! decides about none but what is dropped first when the other engine does not keep up.

use bytes::{Bytes, BytesMut};
use protocol::{TrackId, TrackKind};

use crate::extension::ExtensionMap;
use crate::forwarded::Kept;
use crate::inbound::track::Payload;
use crate::inbound::{Said, SenderClock, Track};

/// What one engine has for another at the end of a turn: `Engine::flush_links` gives it, and
/// `Engine::handle_batch` takes it.
#[derive(Debug)]
pub struct Batch {
    /// The `Config::worker` of the engine it comes from.
    pub(crate) from: u8,
    pub(crate) items: Vec<Item>,
    /// The packets, one behind the other. Engines that get the same packets share it.
    packets: Bytes,
    /// Of data messages.
    data_bytes: usize,
}

/// One thing for another engine.
#[derive(Clone, Debug)]
pub(crate) enum Item {
    /// A packet of a relayed track.
    Packet(RelayedPacket),
    /// What the publisher's section says of a track: before its first packet, and after each offer.
    Described(Box<Description>),
    /// The publisher's clock, of a sender report.
    Clock {
        track: TrackId,
        layer: usize,
        clock: SenderClock,
    },
    /// Whether somebody speaks whose video this is.
    Speaking { track: TrackId, is_speaking: bool },
    /// Packets of a track were dropped on the way here.
    Lost { track: TrackId },
    /// A message for the data group, ready to be sent.
    Data {
        data_group: u64,
        label: String,
        payload: Bytes,
    },
    /// Which of a room's places, by the number of its data group, the voices here have.
    Voices { room: u64, said: Said },
    /// The way back: tell again what a track is, and show its present picture.
    Describe { track: TrackId },
    /// The way back: somebody here waits for a key frame.
    KeyFrameWanted { track: TrackId, layer: usize },
    /// The way back: so many layers of a track, from the lowest, are watched here.
    LayersWatched { track: TrackId, count: usize },
}

/// A packet with what the publisher's engine knows of it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct RelayedPacket {
    pub(crate) track: TrackId,
    pub(crate) kind: TrackKind,
    pub(crate) kept: Kept,
    /// It is of the present picture, and came some time ago.
    pub(crate) is_shown_again: bool,
    /// How often its track has begun to be heard.
    pub(crate) stint: u32,
    /// Where it is in the batch.
    start: usize,
    end: usize,
}

impl RelayedPacket {
    /// A packet that is in no batch yet.
    pub(crate) fn new(track: &Track, kept: Kept, is_shown_again: bool) -> Self {
        Self {
            track: track.id,
            kind: track.kind,
            kept,
            is_shown_again,
            stint: track.stint,
            start: 0,
            end: 0,
        }
    }
}

/// What an engine has to know of a track to forward it: of the publisher's section, all that packets mean.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Description {
    pub(crate) track: TrackId,
    pub(crate) payloads: Vec<(u8, Payload)>,
    pub(crate) extensions: ExtensionMap,
    /// The layers' names, lowest first.
    pub(crate) rids: Vec<Option<String>>,
    pub(crate) clock_rate: u32,
}

impl Batch {
    /// How many bytes it keeps in memory, alone or together with others.
    pub fn bytes(&self) -> usize {
        self.packets.len() + self.data_bytes
    }

    /// A packet of this batch.
    pub(crate) fn packet(&self, packet: &RelayedPacket) -> &[u8] {
        self.packets
            .get(packet.start..packet.end)
            .unwrap_or_default()
    }
}

/// Audio packets that are kept for an engine that does not keep up, and data messages: a second of a large room.
const KEPT_PACKETS: usize = 1_024;
const KEPT_MESSAGES: usize = 256;

/// What waits for the other engines until the end of the turn.
#[derive(Default)]
pub(crate) struct Links {
    /// Packets of this turn, each once, for whichever engines they are.
    packets: BytesMut,
    waiting: Vec<Waiting>,
}

struct Waiting {
    to: u8,
    items: Vec<Item>,
}

/// What a link could not take.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Dropped {
    pub(crate) packets: u64,
    pub(crate) messages: u64,
}

impl Links {
    /// A packet of a track, for these engines. It is copied once.
    pub(crate) fn push_packet(&mut self, to: &[u8], mut packet: RelayedPacket, plain: &[u8]) {
        packet.start = self.packets.len();
        self.packets.extend_from_slice(plain);
        packet.end = self.packets.len();
        for to in to {
            self.push(*to, Item::Packet(packet));
        }
    }

    /// Something else for an engine.
    pub(crate) fn push(&mut self, to: u8, item: Item) {
        let known = self.waiting.iter().position(|waiting| waiting.to == to);
        let index = known.unwrap_or_else(|| {
            let items = Vec::new();
            self.waiting.push(Waiting { to, items });
            self.waiting.len() - 1
        });
        self.waiting[index].items.push(item);
    }

    /// Whether anything waits.
    pub(crate) fn is_empty(&self) -> bool {
        self.waiting.iter().all(|waiting| waiting.items.is_empty())
    }

    /// Hand out what waits, a batch for each engine. One that is given back, because that engine does not keep
    /// up, loses its pictures first: what remains of it waits for the next turn.
    pub(crate) fn flush(
        &mut self,
        from: u8,
        mut send: impl FnMut(u8, Batch) -> Result<(), Batch>,
    ) -> Dropped {
        let mut dropped = Dropped::default();
        if self.is_empty() {
            return dropped;
        }
        // `BytesMut` takes the memory up again when nobody reads it any more.
        let packets = self.packets.split().freeze();
        let mut refused = Vec::new();
        for waiting in &mut self.waiting {
            if waiting.items.is_empty() {
                continue;
            }
            let items = std::mem::take(&mut waiting.items);
            let batch = Batch {
                from,
                data_bytes: items.iter().map(Item::data_bytes).sum(),
                items,
                packets: packets.clone(),
            };
            if let Err(batch) = send(waiting.to, batch) {
                refused.push((waiting.to, batch));
            }
        }
        for (to, batch) in refused {
            self.keep(to, &batch, &mut dropped);
        }
        dropped
    }

    /// Keep for the next turn what can wait.
    fn keep(&mut self, to: u8, batch: &Batch, dropped: &mut Dropped) {
        let mut lost: Vec<TrackId> = Vec::new();
        let (mut packets, mut messages) = (0, 0);
        for (index, item) in batch.items.iter().enumerate() {
            match item {
                Item::Packet(packet)
                    if packet.kind == TrackKind::Audio && packets < KEPT_PACKETS =>
                {
                    packets += 1;
                    self.push_packet(&[to], *packet, batch.packet(packet));
                }
                Item::Packet(packet) => {
                    dropped.packets += 1;
                    lost.push(packet.track);
                }
                Item::Lost { track } => lost.push(*track),
                Item::Data { .. } if messages < KEPT_MESSAGES => {
                    messages += 1;
                    self.push(to, item.clone());
                }
                Item::Data { .. } => dropped.messages += 1,
                // Of what is told of a track or a room the last counts; so there is never more than one of each.
                told => {
                    let later = &batch.items[index + 1..];
                    if !later.iter().any(|other| told.is_replaced_by(other)) {
                        self.push(to, item.clone());
                    }
                }
            }
        }
        lost.sort_unstable();
        lost.dedup();
        for track in lost {
            self.push(to, Item::Lost { track });
        }
    }
}

impl Item {
    /// The track it is about.
    pub(crate) fn track(&self) -> Option<TrackId> {
        match self {
            Item::Packet(packet) => Some(packet.track),
            Item::Described(description) => Some(description.track),
            Item::Clock { track, .. }
            | Item::Lost { track }
            | Item::Speaking { track, .. }
            | Item::Describe { track }
            | Item::LayersWatched { track, .. }
            | Item::KeyFrameWanted { track, .. } => Some(*track),
            Item::Data { .. } | Item::Voices { .. } => None,
        }
    }

    fn data_bytes(&self) -> usize {
        match self {
            Item::Data { payload, .. } => payload.len(),
            _ => 0,
        }
    }

    /// Whether the other, told later, says the same of the same track.
    fn is_replaced_by(&self, later: &Item) -> bool {
        match (self, later) {
            (Item::Described(one), Item::Described(other)) => one.track == other.track,
            (Item::Voices { room: one, .. }, Item::Voices { room: other, .. }) => one == other,
            (Item::Describe { track: one }, Item::Describe { track: other })
            | (Item::Speaking { track: one, .. }, Item::Speaking { track: other, .. })
            | (Item::LayersWatched { track: one, .. }, Item::LayersWatched { track: other, .. }) => {
                one == other
            }
            (
                Item::Clock { track, layer, .. },
                Item::Clock {
                    track: other,
                    layer: of,
                    ..
                },
            )
            | (
                Item::KeyFrameWanted { track, layer },
                Item::KeyFrameWanted {
                    track: other,
                    layer: of,
                },
            ) => (track, layer) == (other, of),
            _ => false,
        }
    }
}
