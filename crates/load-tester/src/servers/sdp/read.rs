//! Reads what a server wrote: what is not known is passed over.

use std::net::SocketAddr;

use anyhow::{Result, ensure};

use super::{AUDIO_LEVEL, Described, Description, MID, REPAIRED_RID, RID, TRANSPORT_CC};
use crate::crowd::Payload;

/// Longer descriptions are refused: 100 sections of 3 KB, thrice.
const LARGEST: usize = 1 << 20;

impl Description {
    /// Read a description.
    pub fn read(text: &str) -> Result<Self> {
        ensure!(
            text.len() <= LARGEST,
            "a session description of {} bytes",
            text.len()
        );
        ensure!(
            text.starts_with("v=0"),
            "this is no session description: {text:.80}"
        );
        let mut read = Self::default();
        let mut candidates: Vec<(u32, SocketAddr)> = Vec::new();
        for text in text.lines().map(str::trim) {
            if let Some(media) = text.strip_prefix("m=") {
                let mut words = media.split(' ');
                read.sections.push(Described {
                    is_audio: words.next() == Some("audio"),
                    is_used: words.next().is_some_and(|port| port != "0"),
                    ..Described::default()
                });
            } else if let Some(attribute) = text.strip_prefix("a=") {
                let (name, value) = attribute.split_once(':').unwrap_or((attribute, ""));
                read.attribute(name, value, &mut candidates);
            }
        }
        candidates.sort_by_key(|(priority, _)| std::cmp::Reverse(*priority));
        read.addresses = candidates.into_iter().map(|(_, address)| address).collect();
        read.addresses.dedup();
        Ok(read)
    }

    fn attribute(&mut self, name: &str, value: &str, candidates: &mut Vec<(u32, SocketAddr)>) {
        fn first(place: &mut String, value: &str) {
            if place.is_empty() {
                *place = value.to_owned();
            }
        }
        match name {
            "ice-lite" => self.ice_lite = true,
            "ice-ufrag" => first(&mut self.ufrag, value),
            "ice-pwd" => first(&mut self.password, value),
            "setup" => first(&mut self.setup, value),
            "fingerprint" if self.fingerprint.is_empty() => {
                let hexadecimal = value.strip_prefix("sha-256 ").unwrap_or_default();
                let bytes = hexadecimal.split(':');
                let bytes = bytes.map(|byte| u8::from_str_radix(byte, 16).ok());
                self.fingerprint = bytes.collect::<Option<_>>().unwrap_or_default();
            }
            "candidate" => candidates.extend(candidate(value)),
            _ => {
                if let Some(section) = self.sections.last_mut() {
                    section.attribute(name, value);
                }
            }
        }
    }
}

/// `1 1 udp 2130706431 192.0.2.1 7882 typ host`, with its priority. Only UDP, and only of RTP.
fn candidate(value: &str) -> Option<(u32, SocketAddr)> {
    let words: Vec<&str> = value.split_ascii_whitespace().collect();
    let [_, "1", transport, priority, ip, port, ..] = words.as_slice() else {
        return None;
    };
    if !transport.eq_ignore_ascii_case("udp") {
        return None;
    }
    let address = SocketAddr::new(ip.parse().ok()?, port.parse().ok()?);
    Some((priority.parse().ok()?, address))
}

impl Described {
    fn attribute(&mut self, name: &str, value: &str) {
        match name {
            "mid" => self.mid = value.to_owned(),
            "inactive" => self.is_used = false,
            "rtpmap" => {
                let known = value.split_once(' ').and_then(|(number, encoding)| {
                    let name = encoding.split('/').next()?.to_ascii_lowercase();
                    let payload = match name.as_str() {
                        "opus" => Payload::Opus,
                        "vp8" => Payload::Vp8,
                        "h264" => Payload::H264,
                        _ => return None,
                    };
                    Some((number.parse().ok()?, payload))
                });
                self.payload_types.extend(known);
            }
            // `97 apt=96`: only retransmissions have it.
            "fmtp" => {
                let rtx = value.split_once(" apt=").and_then(|(number, original)| {
                    let original = original.split(';').next()?.trim();
                    Some((number.parse().ok()?, Payload::Rtx(original.parse().ok()?)))
                });
                self.payload_types.extend(rtx);
            }
            "extmap" => {
                let Some((number, uri)) = value.split_once(' ') else {
                    return;
                };
                let number = number.split('/').next().and_then(|id| id.parse().ok());
                match uri.split(' ').next().unwrap_or_default() {
                    MID => self.extensions.mid = number,
                    RID => self.extensions.rid = number,
                    REPAIRED_RID => self.extensions.repaired_rid = number,
                    AUDIO_LEVEL => self.extensions.audio_level = number,
                    TRANSPORT_CC => self.extensions.transport_cc = number,
                    _ => {}
                }
            }
            "rid" => {
                let rid = value.split(' ').next().unwrap_or_default();
                self.rids.push(rid.to_owned());
            }
            _ => {}
        }
    }
}
