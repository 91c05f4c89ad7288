//! A published track: its media section, its layers, and who receives it.

use std::time::Instant;

use protocol::{ParticipantId, TrackId, TrackKind, TrackSource};

use super::Layer;
use super::alignment::alignment;
use super::speaking::SpeechDetector;
use super::watched::Watched;
use crate::Limits;
use crate::allocation::MAX_LAYERS;
use crate::codec::Codec;
use crate::extension::ExtensionMap;
use crate::forwarded::Kept;
use crate::link::Description;
use crate::rtp::codec::red::Red;
use crate::sdp::OfferedSection;

/// Sound is not repaired by retransmission, so little of it is kept.
const CACHED_AUDIO: usize = 32;

/// A payload type of the publisher's section.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Payload {
    /// Media of this codec.
    Media { codec: Codec, nack: bool },
    /// Retransmissions (RFC 4588) of this payload type.
    Retransmission { of: u8 },
}

/// A subscription to a track that has a media section: the subscriber, and its number there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Subscriber {
    /// The peer's place in the engine.
    pub(crate) peer: usize,
    /// The SSRC by which the peer knows it.
    pub(crate) ssrc: u32,
    /// Its place among the peer's subscriptions when last seen there.
    pub(crate) outbound: usize,
}

/// Where a track of sound is among those of its room.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Voice {
    /// The engine's number for the room.
    pub(crate) room: u64,
    pub(crate) key: usize,
    /// The highest number that was forwarded.
    pub(crate) forwarded: u64,
}

/// Who publishes a track.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Publisher {
    /// A peer of this engine: its place.
    Here(usize),
    /// A peer of another engine, which passes the packets on: its number.
    Elsewhere(u8),
}

/// A published track.
pub(crate) struct Track {
    pub(crate) id: TrackId,
    pub(crate) publisher: Publisher,
    /// Other engines that its packets are passed on to.
    pub(crate) relays: Vec<u8>,
    /// How many of its layers are watched on those of them that have said so.
    pub(crate) watched_elsewhere: Vec<(u8, usize)>,
    /// What its publisher's engine was told of that, if that is another.
    pub(crate) watched_here: Option<usize>,
    /// Whose it is: tracks of one participant are played in sync.
    pub(crate) participant: ParticipantId,
    pub(crate) kind: TrackKind,
    /// It shows a screen, and not a face.
    pub(crate) is_screen: bool,
    pub(crate) mid: String,
    pub(crate) muted: bool,
    /// Whoever publishes it is speaking.
    pub(crate) is_speaking: bool,
    /// What the other engines know of that.
    pub(crate) is_known_to_speak: bool,
    /// Which layers were being sent when it was last looked at, a bit each; `None` while there are none.
    pub(crate) activity: Option<u8>,
    /// Which layers its publisher is to send.
    pub(crate) watched: Watched,
    pub(crate) extensions: ExtensionMap,
    /// Lowest first; empty until an offer has the track's section.
    pub(crate) layers: Vec<Layer>,
    pub(crate) speech: SpeechDetector,
    /// Its voice in a room of which only the loudest are heard, if its publisher is here: of other engines' sounds
    /// only what is heard comes.
    pub(crate) voice: Option<Voice>,
    /// How often it began to be heard: each time subscribers' numbers go on where they ended.
    pub(crate) stint: u32,
    /// Everybody it is sent to.
    pub(crate) subscribers: Vec<Subscriber>,
    /// Everybody it should be sent to, with or without a section yet: places in the engine.
    pub(crate) wanted_by: Vec<usize>,
    /// Packets of this turn that are not forwarded yet, in the order they came.
    pub(crate) pending: Vec<Kept>,
    /// The track's index in the turn, while there are such.
    pub(crate) turn_index: usize,
    /// The layer whose clock is the track's: the first that came.
    pub(crate) clock_layer: Option<usize>,
    payloads: Vec<(u8, Payload)>,
    clock_rate: u32,
}

impl Track {
    pub(crate) fn new(
        id: TrackId,
        publisher: Publisher,
        participant: ParticipantId,
        source: TrackSource,
        mid: String,
        muted: bool,
    ) -> Self {
        Self {
            id,
            publisher,
            relays: Vec::new(),
            watched_elsewhere: Vec::new(),
            watched_here: None,
            participant,
            kind: source.kind(),
            is_screen: source == TrackSource::Screen,
            mid,
            muted,
            is_speaking: false,
            is_known_to_speak: false,
            activity: None,
            watched: Watched::new(),
            extensions: ExtensionMap::default(),
            layers: Vec::new(),
            speech: SpeechDetector::new(),
            voice: None,
            stint: 0,
            subscribers: Vec::new(),
            wanted_by: Vec::new(),
            pending: Vec::new(),
            turn_index: 0,
            clock_layer: None,
            payloads: Vec::new(),
            clock_rate: 90_000,
        }
    }

    /// A subscriber has the track at another place among its subscriptions than was known.
    pub(crate) fn note_place(&mut self, at: Subscriber) {
        let is_it = |known: &&mut Subscriber| (known.peer, known.ssrc) == (at.peer, at.ssrc);
        if let Some(known) = self.subscribers.iter_mut().find(is_it) {
            known.outbound = at.outbound;
        }
    }

    /// An offer has the track's section: take its payload types, extensions and layers. Gives the SSRCs
    /// it names, with the layer of each and whether it carries retransmissions.
    pub(crate) fn negotiate(
        &mut self,
        section: &OfferedSection,
        limits: &Limits,
    ) -> Vec<(u32, usize, bool)> {
        let clock_rate = section
            .codecs
            .first()
            .map(|offered| offered.codec.clock_rate());
        let names = match (&section.rids[..], &section.simulcast_ssrcs[..]) {
            ([], []) => vec![None],
            ([], ssrcs) => vec![None; ssrcs.len()],
            (rids, _) => rids.iter().cloned().map(Some).collect(),
        };
        let had_layers = !self.layers.is_empty();
        self.take(
            Description {
                track: self.id,
                payloads: payloads(section),
                extensions: section.inbound_extensions(),
                rids: names,
                clock_rate: clock_rate.unwrap_or(90_000),
            },
            limits,
        );
        match (&mut self.layers[..], &section.rids[..]) {
            ([only], []) if had_layers => only.ssrc = section.ssrcs.first().copied().or(only.ssrc),
            (layers, []) if !had_layers => {
                let ssrcs = match &section.simulcast_ssrcs[..] {
                    [] => &section.ssrcs[..],
                    ssrcs => ssrcs,
                };
                for (layer, ssrc) in layers.iter_mut().zip(ssrcs) {
                    layer.ssrc = Some(*ssrc);
                }
            }
            _ => {}
        }
        let mut streams = Vec::new();
        for (index, layer) in self.layers.iter().enumerate() {
            let Some(ssrc) = layer.ssrc else { continue };
            streams.push((ssrc, index, false));
            streams.extend(section.rtx_ssrc(ssrc).map(|rtx| (rtx, index, true)));
        }
        streams
    }

    /// Take what a section says. The layers stay as they were first.
    pub(crate) fn take(&mut self, description: Description, limits: &Limits) {
        self.extensions = description.extensions;
        self.payloads = description.payloads;
        if !self.layers.is_empty() {
            return;
        }
        let cached = match self.kind {
            TrackKind::Audio => CACHED_AUDIO,
            TrackKind::Video => limits.cached_packets,
        };
        self.clock_rate = description.clock_rate;
        let names = description.rids.into_iter().take(MAX_LAYERS);
        self.layers = names
            .map(|rid| Layer::new(rid, None, description.clock_rate, cached, limits))
            .collect();
    }

    /// What the section said, for another engine. `None` until there was one.
    pub(crate) fn description(&self) -> Option<Description> {
        let rids: Vec<_> = self.layers.iter().map(|layer| layer.rid.clone()).collect();
        (!rids.is_empty()).then(|| Description {
            track: self.id,
            payloads: self.payloads.clone(),
            extensions: self.extensions.clone(),
            rids,
            clock_rate: self.clock_rate,
        })
    }

    /// What a payload type is in this section.
    pub(crate) fn payload(&self, payload_type: u8) -> Option<Payload> {
        self.payloads
            .iter()
            .find(|(known, _)| *known == payload_type)
            .map(|(_, payload)| *payload)
    }

    /// The number that the section has for a codec.
    pub(crate) fn payload_type(&self, codec: Codec) -> Option<u8> {
        let is_it = |payload: &Payload| matches!(payload, Payload::Media { codec: other, .. } if *other == codec);
        self.payloads
            .iter()
            .find(|(_, payload)| is_it(payload))
            .map(|(payload_type, _)| *payload_type)
    }

    /// Where the blocks of a RED payload are; `None` if it is broken.
    pub(crate) fn red(&self, payload: &[u8]) -> Option<Red> {
        Red::parse(payload, self.payload_type(Codec::Opus)?)
    }

    /// The layer with this name; a track without simulcast has one without a name.
    pub(crate) fn layer_of(&self, rid: Option<&str>) -> Option<usize> {
        match rid {
            Some(rid) => self
                .layers
                .iter()
                .position(|layer| layer.rid.as_deref() == Some(rid)),
            None => (self.layers.len() == 1).then_some(0),
        }
    }

    /// A packet of a layer has come, that was not here before.
    pub(crate) fn note_arrival(&mut self, layer: usize, arrival: Instant, timestamp: u32) {
        let is_new_frame = match self.layers.get_mut(layer) {
            Some(layer) => layer.activity.on_packet(arrival, timestamp),
            None => false,
        };
        if is_new_frame && self.layers.len() > 1 {
            let others = self.layers.iter_mut().enumerate();
            for (_, other) in others.filter(|(number, _)| *number != layer) {
                other.activity.on_other_frame();
            }
        }
    }

    /// Whether a packet has come in this turn and is not forwarded yet.
    pub(crate) fn is_pending(&self, layer: usize, sequence: u64) -> bool {
        self.pending
            .iter()
            .any(|kept| kept.layer == layer && kept.sequence == sequence)
    }

    /// What to add to the timestamps of a layer to get those of the track's clock. Subscribers keep to it over
    /// all switches, so that errors do not add up.
    pub(crate) fn to_track_clock(&self, layer: usize) -> u32 {
        let Some(reference) = self.clock_layer.filter(|reference| *reference != layer) else {
            return 0;
        };
        let clock = |index: usize| self.layers.get(index)?.clock();
        clock(layer)
            .zip(clock(reference))
            .and_then(|(from, to)| alignment(from, to))
            .unwrap_or(0)
    }
}

fn payloads(section: &OfferedSection) -> Vec<(u8, Payload)> {
    let mut payloads = Vec::with_capacity(section.codecs.len() * 2);
    for offered in &section.codecs {
        payloads.push((
            offered.payload_type,
            Payload::Media {
                codec: offered.codec,
                nack: offered.nack,
            },
        ));
        if let Some(rtx) = offered.rtx_payload_type {
            payloads.push((
                rtx,
                Payload::Retransmission {
                    of: offered.payload_type,
                },
            ));
        }
    }
    payloads
}
