//! A publisher: an encoder that makes key frames where it is asked, and sends again what is missed.

use std::collections::VecDeque;

use crate::client::{Client, Section, VP8, packet, vp8_payload};

/// Milliseconds between two pictures.
const PICTURE_MS: u64 = 30;
/// Bytes of a packet's payload at most.
const PAYLOAD: usize = 1_000;
/// Packets that can be sent again.
const KEPT: usize = 600;

/// What is sent of each layer, the lower one first: bytes of a usual picture, and of a key frame.
#[derive(Clone, Copy, Debug)]
pub struct Encoding {
    pub layers: &'static [(usize, usize)],
}

impl Encoding {
    pub fn section(&self, number: u8) -> Section {
        let ssrc = |layer| u32::from(number) * 10 + layer + 1;
        match self.layers.len() {
            1 => Section::SendVideo(ssrc(0)),
            _ => Section::SendSimulcast([ssrc(0), ssrc(1)]),
        }
    }
}

/// What a packet is a part of, as it is written into its payload.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Mark {
    pub track: u8,
    pub layer: u8,
    pub frame: u32,
    pub index: u16,
    pub count: u16,
    pub is_key_frame: bool,
}

/// Behind the payload's descriptor and the first bytes of its picture.
const MARK_AT: usize = 16;
const MARKED: usize = MARK_AT + 11;

impl Mark {
    fn write(self, payload: &mut [u8]) {
        payload[MARK_AT] = self.track;
        payload[MARK_AT + 1] = self.layer;
        payload[MARK_AT + 2..][..4].copy_from_slice(&self.frame.to_be_bytes());
        payload[MARK_AT + 6..][..2].copy_from_slice(&self.index.to_be_bytes());
        payload[MARK_AT + 8..][..2].copy_from_slice(&self.count.to_be_bytes());
        payload[MARK_AT + 10] = u8::from(self.is_key_frame);
    }

    /// `None`: there is nothing in it.
    pub fn read(payload: &[u8]) -> Option<Self> {
        let mark = payload.get(MARK_AT..MARKED)?;
        Some(Self {
            track: mark[0],
            layer: mark[1],
            frame: u32::from_be_bytes([mark[2], mark[3], mark[4], mark[5]]),
            index: u16::from_be_bytes([mark[6], mark[7]]),
            count: u16::from_be_bytes([mark[8], mark[9]]),
            is_key_frame: mark[10] == 1,
        })
    }
}

struct Layer {
    ssrc: u32,
    is_wanted: bool,
    sequence_number: u16,
    frame: u32,
    kept: VecDeque<(u16, Vec<u8>)>,
}

pub struct Publisher {
    pub client: Client,
    number: u8,
    encoding: Encoding,
    layers: Vec<Layer>,
    /// Somebody asked for one: all layers begin anew together, as those of browsers do.
    wants_key_frame: bool,
    /// What it was told to send, and from when on it does.
    told: VecDeque<(u64, Vec<bool>)>,
    /// What is missed of which layer.
    missed: Vec<(usize, u16)>,
    /// Of the higher layer there is never a key frame.
    pub is_deaf_above: bool,
}

impl Publisher {
    pub fn new(client: Client, number: u8, encoding: Encoding) -> Self {
        let layer = |layer: usize| Layer {
            ssrc: u32::from(number) * 10 + layer as u32 + 1,
            is_wanted: true,
            sequence_number: 1_000,
            frame: 0,
            kept: VecDeque::new(),
        };
        Self {
            client,
            number,
            encoding,
            layers: (0..encoding.layers.len()).map(layer).collect(),
            wants_key_frame: true,
            told: VecDeque::new(),
            missed: Vec::new(),
            is_deaf_above: false,
        }
    }

    /// Its page is told which layers are wanted, and does so some time.
    pub fn tell(&mut self, at_ms: u64, wanted: Vec<bool>) {
        let last = self.told.back().map_or(0, |(at_ms, _)| *at_ms);
        self.told.push_back((at_ms.max(last), wanted));
    }

    /// RTCP from the engine.
    pub fn receive(&mut self, datagram: &[u8]) {
        let Some(plain) = self.client.open_rtcp(datagram) else {
            return;
        };
        let mut rest = &plain[..];
        while let &[first, kind, high, low, ..] = rest {
            let length = (usize::from(u16::from_be_bytes([high, low])) + 1) * 4;
            let (packet, after) = rest.split_at(length.min(rest.len()));
            rest = after;
            match (kind, first & 0x1F) {
                (206, 1) => {
                    let is_lowest = packet[8..12] == self.layers[0].ssrc.to_be_bytes();
                    self.wants_key_frame |= is_lowest || !self.is_deaf_above;
                }
                (205, 1) => self.note_missed(packet),
                _ => {}
            }
        }
    }

    fn note_missed(&mut self, nack: &[u8]) {
        let ssrc = u32::from_be_bytes([nack[8], nack[9], nack[10], nack[11]]);
        let Some(layer) = self.layers.iter().position(|layer| layer.ssrc == ssrc) else {
            return;
        };
        for pair in nack[12..].chunks_exact(4) {
            let first = u16::from_be_bytes([pair[0], pair[1]]);
            let bits = u16::from_be_bytes([pair[2], pair[3]]);
            self.missed.push((layer, first));
            let more = (0..16).filter(|bit| bits >> bit & 1 == 1);
            self.missed
                .extend(more.map(|bit| (layer, first.wrapping_add(bit + 1))));
        }
    }

    /// What it sends now.
    pub fn take(&mut self, ms: u64) -> Vec<Vec<u8>> {
        while self.told.front().is_some_and(|(at_ms, _)| *at_ms <= ms) {
            let (_, wanted) = self.told.pop_front().unwrap();
            for (layer, is_wanted) in self.layers.iter_mut().zip(wanted) {
                // An encoder that begins anew begins with a key frame.
                self.wants_key_frame |= is_wanted && !layer.is_wanted;
                layer.is_wanted = is_wanted;
            }
        }
        let mut datagrams = Vec::new();
        for (layer, number) in std::mem::take(&mut self.missed) {
            let mut kept = self.layers[layer].kept.iter();
            if let Some((_, plain)) = kept.find(|(kept, _)| *kept == number) {
                datagrams.push(self.client.seal(plain));
            }
        }
        if ms.is_multiple_of(PICTURE_MS) && self.layers.iter().any(|layer| layer.is_wanted) {
            let is_key_frame = std::mem::take(&mut self.wants_key_frame);
            for layer in 0..self.layers.len() {
                let begins = is_key_frame && (layer == 0 || !self.is_deaf_above);
                if self.layers[layer].is_wanted {
                    self.picture(ms, layer, begins, &mut datagrams);
                }
            }
        }
        datagrams
    }

    fn picture(&mut self, ms: u64, at: usize, is_key_frame: bool, datagrams: &mut Vec<Vec<u8>>) {
        let (usual, large) = self.encoding.layers[at];
        let bytes = if is_key_frame { large } else { usual };
        let layer = &mut self.layers[at];
        layer.frame += 1;
        let count = bytes.div_ceil(PAYLOAD) as u16;
        for index in 0..count {
            layer.sequence_number = layer.sequence_number.wrapping_add(1);
            // The lower layer is smaller, so that the size tells nothing else.
            let length = (bytes / usize::from(count)).max(MARKED);
            let picture = (layer.frame & 0x7FFF) as u16;
            let mut payload = vp8_payload(picture, index == 0, is_key_frame, length);
            let mark = Mark {
                track: self.number,
                layer: at as u8,
                frame: layer.frame,
                index,
                count,
                is_key_frame,
            };
            mark.write(&mut payload);
            let number = layer.sequence_number;
            let timestamp = (ms * 90) as u32;
            let is_last = index + 1 == count;
            let plain = packet(VP8, is_last, number, timestamp, layer.ssrc, &payload);
            datagrams.push(self.client.seal(&plain));
            layer.kept.push_back((number, plain));
            if layer.kept.len() > KEPT {
                layer.kept.pop_front();
            }
        }
    }
}
