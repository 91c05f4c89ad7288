//! Writes an offer or an answer for a transport, as a browser does.

use std::fmt::Write;

use super::{
    AUDIO_LEVEL, Described, Description, MID, Purpose, REPAIRED_RID, RID, Section, TRANSPORT_CC,
};
use crate::crowd::{Extensions, Layer, Local, Payload};

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
