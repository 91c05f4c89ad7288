//! Session descriptions, as much of them as the adapters need: writes an offer or an answer for a
//! transport, and reads what a server wrote. It keeps no state and decides nothing.

use std::fmt::Write;
use std::net::SocketAddr;

use anyhow::{Result, ensure};

use crate::crowd::{Extensions, Layer, Local, Payload, PublishSpec, Remote};

/// Longer descriptions are refused: 100 sections of 3 KB, thrice.
const LARGEST: usize = 1 << 20;

const MID: &str = "urn:ietf:params:rtp-hdrext:sdes:mid";
const RID: &str = "urn:ietf:params:rtp-hdrext:sdes:rtp-stream-id";
const REPAIRED_RID: &str = "urn:ietf:params:rtp-hdrext:sdes:repaired-rtp-stream-id";
const AUDIO_LEVEL: &str = "urn:ietf:params:rtp-hdrext:ssrc-audio-level";
const TRANSPORT_CC: &str =
    "http://www.ietf.org/id/draft-holmer-rmcat-transport-wide-cc-extensions-01";

/// The payload types and extensions of our own offers, as Chromium numbers them.
const OPUS: u8 = 111;
const VP8: [u8; 2] = [96, 97];
const H264: [u8; 2] = [102, 103];
const EXTENSIONS: Extensions = Extensions {
    mid: Some(4),
    rid: Some(10),
    repaired_rid: Some(11),
    audio_level: Some(1),
    transport_cc: Some(3),
};

/// A media section of our own.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Section {
    /// Its `mid`.
    pub mid: String,
    /// What it is for.
    pub purpose: Purpose,
}

/// What a section is for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Purpose {
    /// We send this, as these streams.
    Send(PublishSpec, Vec<Layer>),
    /// We receive sound.
    ReceiveAudio,
    /// We receive pictures.
    ReceiveVideo,
}

/// Write an offer. `transport_cc`: feedback for congestion control is offered.
pub fn offer(local: &Local, version: u32, sections: &[Section], transport_cc: bool) -> String {
    let mids = sections.iter().map(|section| section.mid.as_str());
    let mut sdp = head(version, mids);
    for section in sections {
        let own = match &section.purpose {
            Purpose::Send(spec, _) => own_description(spec.payload()),
            Purpose::ReceiveAudio => own_description(Payload::Opus),
            Purpose::ReceiveVideo => {
                let mut both = own_description(Payload::Vp8);
                both.payload_types
                    .extend(own_description(Payload::H264).payload_types);
                both
            }
        };
        let described = Described {
            mid: section.mid.clone(),
            is_audio: is_audio(&section.purpose),
            extensions: Extensions {
                transport_cc: own.extensions.transport_cc.filter(|_| transport_cc),
                ..own.extensions
            },
            ..own
        };
        write_section(
            &mut sdp,
            &described,
            local,
            "actpass",
            Some(&section.purpose),
        );
    }
    sdp
}

/// Write the answer to an offer in which the server sends: every section is received, with what it offers.
pub fn answer(local: &Local, version: u32, offer: &Description, transport_cc: bool) -> String {
    let used = offer.sections.iter().filter(|section| section.is_used);
    let mut sdp = head(version, used.map(|section| section.mid.as_str()));
    for section in &offer.sections {
        if !section.is_used {
            // RFC 3264 section 6: a refused section keeps its place, with port 0.
            let kind = if section.is_audio { "audio" } else { "video" };
            line(&mut sdp, format_args!("m={kind} 0 UDP/TLS/RTP/SAVPF 0"));
            line(&mut sdp, "c=IN IP4 0.0.0.0");
            line(&mut sdp, format_args!("a=mid:{}", section.mid));
            line(&mut sdp, "a=inactive");
            continue;
        }
        let mut described = section.clone();
        if !transport_cc {
            described.extensions.transport_cc = None;
        }
        // RFC 8842 section 5.3: who answers chooses; we begin, so that no time is lost.
        let setup = if offer.dtls_client() {
            "active"
        } else {
            "passive"
        };
        write_section(&mut sdp, &described, local, setup, None);
    }
    sdp
}

/// A server's description, read.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Description {
    /// The first `a=ice-ufrag`: everything is in one bundle.
    pub ufrag: String,
    /// The first `a=ice-pwd`.
    pub password: String,
    /// The first `a=fingerprint` of SHA-256.
    pub fingerprint: Vec<u8>,
    /// The first `a=setup`.
    pub setup: String,
    /// `a=ice-lite` is there.
    pub ice_lite: bool,
    /// UDP candidates, best first.
    pub addresses: Vec<SocketAddr>,
    /// In order.
    pub sections: Vec<Described>,
}

/// A section of a server's description.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Described {
    /// Its `mid`.
    pub mid: String,
    /// It is for sound; else for pictures.
    pub is_audio: bool,
    /// It has a port, and something flows.
    pub is_used: bool,
    /// The payload types that we know.
    pub payload_types: Vec<(u8, Payload)>,
    /// The extensions that we know.
    pub extensions: Extensions,
    /// `a=rid` of the layers that the server takes.
    pub rids: Vec<String>,
}

impl Described {
    /// The payload type of a codec, and of its retransmissions.
    pub fn payload_type(&self, payload: Payload) -> Option<(u8, Option<u8>)> {
        let find = |wanted: Payload| {
            let mut types = self.payload_types.iter();
            types
                .find(|(_, known)| *known == wanted)
                .map(|(number, _)| *number)
        };
        let number = find(payload)?;
        Some((number, find(Payload::Rtx(number))))
    }
}

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

    /// We begin the DTLS handshake.
    pub fn dtls_client(&self) -> bool {
        self.setup != "active"
    }

    /// The other side of a transport. `we_offered`: this is the answer to an offer of ours.
    pub fn remote(&self, we_offered: bool) -> Result<Remote> {
        ensure!(
            !self.ufrag.is_empty() && !self.password.is_empty(),
            "the server's description has no a=ice-ufrag and a=ice-pwd"
        );
        ensure!(
            self.fingerprint.len() == 32,
            "the server's description has no a=fingerprint of SHA-256"
        );
        Ok(Remote {
            ufrag: self.ufrag.clone(),
            password: self.password.clone(),
            fingerprint: self.fingerprint.clone(),
            addresses: self.addresses.clone(),
            controlling: we_offered || self.ice_lite,
            dtls_client: self.dtls_client(),
        })
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

fn is_audio(purpose: &Purpose) -> bool {
    match purpose {
        Purpose::Send(spec, _) => spec.is_audio(),
        Purpose::ReceiveAudio => true,
        Purpose::ReceiveVideo => false,
    }
}

/// How we offer a codec.
fn own_description(payload: Payload) -> Described {
    let with_rtx = |[number, rtx]: [u8; 2]| vec![(number, payload), (rtx, Payload::Rtx(number))];
    let (payload_types, extensions) = match payload {
        Payload::Vp8 => (with_rtx(VP8), video_extensions()),
        Payload::H264 => (with_rtx(H264), video_extensions()),
        Payload::Opus | Payload::Rtx(_) => {
            let extensions = Extensions {
                rid: None,
                repaired_rid: None,
                ..EXTENSIONS
            };
            (vec![(OPUS, Payload::Opus)], extensions)
        }
    };
    Described {
        payload_types,
        extensions,
        is_used: true,
        ..Described::default()
    }
}

fn video_extensions() -> Extensions {
    Extensions {
        audio_level: None,
        ..EXTENSIONS
    }
}

fn head<'a>(version: u32, mids: impl Iterator<Item = &'a str>) -> String {
    let mut sdp = String::with_capacity(4_096);
    line(&mut sdp, "v=0");
    line(&mut sdp, format_args!("o=- 1 {version} IN IP4 127.0.0.1"));
    line(&mut sdp, "s=-");
    line(&mut sdp, "t=0 0");
    let mids: Vec<&str> = mids.collect();
    line(&mut sdp, format_args!("a=group:BUNDLE {}", mids.join(" ")));
    line(&mut sdp, "a=extmap-allow-mixed");
    line(&mut sdp, "a=msid-semantic: WMS *");
    sdp
}

/// With a purpose it is of an offer, without it of an answer that receives.
fn write_section(
    sdp: &mut String,
    section: &Described,
    local: &Local,
    setup: &str,
    purpose: Option<&Purpose>,
) {
    let kind = if section.is_audio { "audio" } else { "video" };
    let numbers = section.payload_types.iter();
    let numbers: Vec<String> = numbers.map(|(number, _)| number.to_string()).collect();
    let numbers = numbers.join(" ");
    line(sdp, format_args!("m={kind} 9 UDP/TLS/RTP/SAVPF {numbers}"));
    line(sdp, "c=IN IP4 0.0.0.0");
    line(sdp, "a=rtcp:9 IN IP4 0.0.0.0");
    line(sdp, format_args!("a=ice-ufrag:{}", local.ufrag));
    line(sdp, format_args!("a=ice-pwd:{}", local.password));
    line(
        sdp,
        format_args!("a=fingerprint:sha-256 {}", local.fingerprint),
    );
    line(sdp, format_args!("a=setup:{setup}"));
    line(sdp, format_args!("a=mid:{}", section.mid));
    let (ip, port) = (local.address.ip(), local.address.port());
    line(
        sdp,
        format_args!("a=candidate:1 1 udp 2130706431 {ip} {port} typ host"),
    );
    line(sdp, "a=end-of-candidates");
    let direction = match purpose {
        Some(Purpose::Send(..)) => "sendonly",
        _ => "recvonly",
    };
    line(sdp, format_args!("a={direction}"));
    line(sdp, "a=rtcp-mux");
    line(sdp, "a=rtcp-rsize");
    for (id, uri) in [
        (section.extensions.mid, MID),
        (section.extensions.rid, RID),
        (section.extensions.repaired_rid, REPAIRED_RID),
        (section.extensions.audio_level, AUDIO_LEVEL),
        (section.extensions.transport_cc, TRANSPORT_CC),
    ] {
        if let Some(id) = id {
            line(sdp, format_args!("a=extmap:{id} {uri}"));
        }
    }
    for (number, payload) in &section.payload_types {
        write_payload_type(sdp, *number, *payload, section);
    }
    if let Some(Purpose::Send(_, layers)) = purpose {
        write_layers(sdp, &section.mid, layers, section.payload_types.len() > 1);
    }
}

fn write_payload_type(sdp: &mut String, number: u8, payload: Payload, section: &Described) {
    let name = match payload {
        Payload::Opus => "opus/48000/2",
        Payload::Vp8 => "VP8/90000",
        Payload::H264 => "H264/90000",
        Payload::Rtx(_) => "rtx/90000",
    };
    line(sdp, format_args!("a=rtpmap:{number} {name}"));
    match payload {
        Payload::Rtx(original) => line(sdp, format_args!("a=fmtp:{number} apt={original}")),
        Payload::H264 => line(
            sdp,
            format_args!(
                "a=fmtp:{number} level-asymmetry-allowed=1;packetization-mode=1;profile-level-id=42e01f"
            ),
        ),
        Payload::Opus => line(
            sdp,
            format_args!("a=fmtp:{number} minptime=10;useinbandfec=1"),
        ),
        Payload::Vp8 => {}
    }
    if matches!(payload, Payload::Rtx(_)) {
        return;
    }
    if section.extensions.transport_cc.is_some() {
        line(sdp, format_args!("a=rtcp-fb:{number} transport-cc"));
    }
    if !section.is_audio {
        for feedback in ["ccm fir", "nack", "nack pli"] {
            line(sdp, format_args!("a=rtcp-fb:{number} {feedback}"));
        }
    }
}

/// As a browser does: with simulcast the layers' names alone, else the SSRCs.
fn write_layers(sdp: &mut String, mid: &str, layers: &[Layer], has_rtx: bool) {
    line(sdp, format_args!("a=msid:load {mid}"));
    let rids: Vec<&str> = layers.iter().filter_map(|layer| layer.rid).collect();
    if !rids.is_empty() {
        for rid in &rids {
            line(sdp, format_args!("a=rid:{rid} send"));
        }
        line(sdp, format_args!("a=simulcast:send {}", rids.join(";")));
        return;
    }
    for layer in layers {
        let Layer { ssrc, rtx_ssrc, .. } = layer;
        if has_rtx {
            line(sdp, format_args!("a=ssrc-group:FID {ssrc} {rtx_ssrc}"));
            line(sdp, format_args!("a=ssrc:{rtx_ssrc} cname:load"));
        }
        line(sdp, format_args!("a=ssrc:{ssrc} cname:load"));
    }
}

fn line(sdp: &mut String, line: impl std::fmt::Display) {
    // Writing into a String does not fail.
    let _ = write!(sdp, "{line}\r\n");
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::command_line::{Codec, Video};

    fn local() -> Local {
        Local {
            ufrag: "load1".into(),
            password: "0123456789012345678901".into(),
            fingerprint: ["AB"; 32].join(":"),
            address: "192.0.2.7:5000".parse().unwrap(),
        }
    }

    fn sections(simulcast: bool) -> Vec<Section> {
        let video = PublishSpec::Video(Video {
            bitrate: 1,
            packet_bytes: 1_100,
            frames_per_second: 30,
            key_frame_interval: std::time::Duration::from_secs(1),
            codec: Codec::H264,
            simulcast,
        });
        let purposes = [
            Purpose::Send(PublishSpec::Audio, Layer::of(&PublishSpec::Audio)),
            Purpose::Send(video, Layer::of(&video)),
            Purpose::ReceiveVideo,
        ];
        let numbered = purposes.into_iter().enumerate();
        numbered
            .map(|(mid, purpose)| Section {
                mid: mid.to_string(),
                purpose,
            })
            .collect()
    }

    #[test]
    fn an_offer_reads_back_as_what_it_says() {
        let read = Description::read(&offer(&local(), 1, &sections(true), false)).unwrap();
        assert_eq!(
            (read.ufrag.as_str(), read.setup.as_str()),
            ("load1", "actpass")
        );
        assert_eq!(read.fingerprint, [0xab; 32]);
        assert_eq!(read.addresses, [local().address]);
        assert_eq!(read.sections.len(), 3);
        assert_eq!(
            read.sections[0].payload_type(Payload::Opus),
            Some((111, None))
        );
        assert_eq!(
            read.sections[1].payload_type(Payload::H264),
            Some((102, Some(103)))
        );
        assert_eq!(read.sections[1].rids, ["q", "h", "f"]);
        assert_eq!(
            read.sections[2].payload_type(Payload::Vp8),
            Some((96, Some(97)))
        );
        assert_eq!(read.sections[2].extensions.transport_cc, None);
    }

    #[test]
    fn feedback_is_offered_where_it_is_wanted() {
        let read = Description::read(&offer(&local(), 1, &sections(false), true)).unwrap();
        assert!(
            read.sections
                .iter()
                .all(|one| one.extensions.transport_cc == Some(3))
        );
    }

    #[test]
    fn an_answer_keeps_the_numbers_of_the_offer_and_the_places_of_what_is_refused() {
        let text = offer(&local(), 1, &sections(false), false).replace("m=audio 9", "m=audio 0");
        let read = Description::read(&text).unwrap();
        let answered = Description::read(&answer(&local(), 1, &read, false)).unwrap();
        assert_eq!(answered.setup, "active");
        let used: Vec<bool> = answered.sections.iter().map(|one| one.is_used).collect();
        assert_eq!(used, [false, true, true]);
        assert_eq!(
            answered.sections[1].payload_types,
            read.sections[1].payload_types
        );
        assert_eq!(answered.sections[1].extensions, read.sections[1].extensions);
    }

    #[test]
    fn a_description_without_what_is_needed_is_refused_with_a_sentence() {
        let whole = offer(&local(), 1, &sections(false), false);
        for (gone, named) in [("a=ice-pwd", "a=ice-pwd"), ("a=fingerprint", "SHA-256")] {
            let lines = whole.lines().filter(|line| !line.starts_with(gone));
            let text = lines.collect::<Vec<_>>().join("\r\n");
            let error = Description::read(&text).unwrap().remote(true).unwrap_err();
            assert!(error.to_string().contains(named), "{error}");
        }
        assert!(Description::read("").is_err());
        assert!(Description::read("m=video").is_err());
    }
}
