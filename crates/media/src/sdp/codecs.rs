//! Read the payload types of a section: which are codecs that Plenum forwards, and what goes with each.
//! It never invents a payload type, and never takes one twice.

use protocol::TrackKind;

use super::OfferedCodec;
use super::lines::{SectionLines, parse_number};
use crate::codec::{Codec, H264Profile};

/// Everything the section says of one payload type.
#[derive(Clone, Copy, Default)]
struct PayloadType<'a> {
    rtpmap: Option<&'a str>,
    fmtp: Option<&'a str>,
    feedback: Feedback,
}

#[derive(Clone, Copy, Default)]
struct Feedback {
    nack: bool,
    pli: bool,
    fir: bool,
    transport_cc: bool,
    remb: bool,
}

/// The codecs of a section in the order of its m-line, each with its retransmissions.
pub(super) fn parse(kind: TrackKind, lines: &SectionLines<'_>) -> Vec<OfferedCodec> {
    let described = describe(lines);
    let mut codecs: Vec<OfferedCodec> = Vec::new();
    let mut retransmissions: Vec<(u8, u32, u8)> = Vec::new();
    let mut seen = [false; 128];
    for payload_type in lines
        .formats
        .iter()
        .filter_map(|format| parse_payload_type(format))
    {
        let description = described[usize::from(payload_type)];
        let already = std::mem::replace(&mut seen[usize::from(payload_type)], true);
        let Some(encoding) = description
            .rtpmap
            .and_then(Encoding::parse)
            .filter(|_| !already)
        else {
            continue;
        };
        let fmtp = description.fmtp.unwrap_or_default();
        if encoding.name.eq_ignore_ascii_case("rtx") {
            if let Some(of) = parameter(fmtp, "apt").and_then(parse_payload_type) {
                retransmissions.push((of, encoding.clock_rate, payload_type));
            }
        } else if let Some(codec) = encoding.codec(fmtp).filter(|codec| codec.kind() == kind) {
            let Feedback {
                nack,
                pli,
                fir,
                transport_cc,
                remb,
            } = description.feedback;
            let fmtp = fmtp.to_owned();
            let rtx_payload_type = None;
            codecs.push(OfferedCodec {
                payload_type,
                codec,
                fmtp,
                rtx_payload_type,
                nack,
                pli,
                fir,
                transport_cc,
                remb,
            });
        }
    }
    for codec in &mut codecs {
        // RFC 4588, section 8.1: retransmissions have the clock of what they repeat.
        let wanted = (codec.payload_type, codec.codec.clock_rate());
        let rtx = retransmissions
            .iter()
            .find(|(of, clock_rate, _)| (*of, *clock_rate) == wanted);
        codec.rtx_payload_type = rtx.map(|(_, _, payload_type)| *payload_type);
    }
    let of_opus: Vec<bool> = codecs
        .iter()
        .map(|codec| codec.codec != Codec::Red || is_of_opus(&codec.fmtp, &codecs))
        .collect();
    let mut is_taken = of_opus.into_iter();
    codecs.retain(|_| is_taken.next().unwrap_or(false));
    codecs
}

/// Whether RED's parameters (RFC 2198 section 5, `111/111`) name the section's Opus and nothing else. With two
/// kinds of Opus in a section each block would have to be told apart.
fn is_of_opus(fmtp: &str, codecs: &[OfferedCodec]) -> bool {
    let mut opus = codecs.iter().filter(|codec| codec.codec == Codec::Opus);
    let (Some(opus), None) = (opus.next(), opus.next()) else {
        return false;
    };
    !fmtp.is_empty()
        && fmtp
            .split('/')
            .all(|block| parse_payload_type(block.trim()) == Some(opus.payload_type))
}

/// What each payload type is said to be; the first word counts.
fn describe<'a>(lines: &SectionLines<'a>) -> [PayloadType<'a>; 128] {
    let mut described = [PayloadType::default(); 128];
    for (name, value) in lines.attributes.iter() {
        let (format, rest) = value.split_once(' ').unwrap_or((value, ""));
        if name == "rtcp-fb" && format == "*" {
            described
                .iter_mut()
                .for_each(|payload_type| payload_type.feedback.add(rest));
            continue;
        }
        let Some(number) = parse_payload_type(format) else {
            continue;
        };
        let payload_type = &mut described[usize::from(number)];
        match name {
            "rtpmap" => _ = payload_type.rtpmap.get_or_insert(rest),
            "fmtp" => _ = payload_type.fmtp.get_or_insert(rest.trim()),
            "rtcp-fb" => payload_type.feedback.add(rest),
            _ => {}
        }
    }
    described
}

/// A payload type that can be used: RFC 5761, section 4, keeps 64 to 95 free for RTCP on the same port.
fn parse_payload_type(format: &str) -> Option<u8> {
    let payload_type = parse_number(format)?;
    matches!(payload_type, 0..=63 | 96..=127).then_some(payload_type)
}

impl Feedback {
    fn add(&mut self, kind: &str) {
        match kind.trim() {
            "nack" => self.nack = true,
            "nack pli" => self.pli = true,
            "ccm fir" => self.fir = true,
            "transport-cc" => self.transport_cc = true,
            "goog-remb" => self.remb = true,
            _ => {}
        }
    }
}

/// The value of `a=rtpmap`, after the payload type.
struct Encoding<'a> {
    name: &'a str,
    clock_rate: u32,
    channels: Option<&'a str>,
}

impl<'a> Encoding<'a> {
    fn parse(rtpmap: &'a str) -> Option<Self> {
        let mut parts = rtpmap.trim().split('/');
        let name = parts.next()?;
        let clock_rate = parts.next()?.parse().ok()?;
        Some(Self {
            name,
            clock_rate,
            channels: parts.next(),
        })
    }

    /// The codec, if Plenum forwards it.
    fn codec(&self, fmtp: &str) -> Option<Codec> {
        let codec = match self.name.to_ascii_lowercase().as_str() {
            // RFC 7587, section 4.1: always two channels, whatever is sent.
            "opus" if self.channels == Some("2") => Codec::Opus,
            "red" if self.channels == Some("2") => Codec::Red,
            "vp8" => Codec::Vp8,
            "vp9" => Codec::Vp9 {
                profile: number_up_to(3, fmtp, "profile-id")?,
            },
            "av1" => Codec::Av1 {
                profile: number_up_to(2, fmtp, "profile")?,
            },
            "h264" => Codec::H264 {
                profile: h264_profile(parameter(fmtp, "profile-level-id"))?,
                packetization_mode: number_up_to(1, fmtp, "packetization-mode")?,
            },
            _ => return None,
        };
        (codec.clock_rate() == self.clock_rate).then_some(codec)
    }
}

/// A small number among the format parameters; 0 if it is not there.
fn number_up_to(most: u8, fmtp: &str, name: &str) -> Option<u8> {
    let Some(value) = parameter(fmtp, name) else {
        return Some(0);
    };
    value.parse().ok().filter(|number| *number <= most)
}

fn parameter<'a>(fmtp: &'a str, name: &str) -> Option<&'a str> {
    fmtp.split(';').find_map(|parameter| {
        let (key, value) = parameter.split_once('=')?;
        key.trim().eq_ignore_ascii_case(name).then(|| value.trim())
    })
}

/// RFC 6184, section 8.1, table 5: `profile_idc`, and the bits of `profile-iop` that matter with it.
fn h264_profile(profile_level_id: Option<&str>) -> Option<H264Profile> {
    // RFC 7742 makes constrained baseline the one that every endpoint has.
    let Some(text) = profile_level_id else {
        return Some(H264Profile::ConstrainedBaseline);
    };
    if text.len() != 6 || !text.bytes().all(|digit| digit.is_ascii_hexdigit()) {
        return None;
    }
    let number = u32::from_str_radix(text, 16).ok()?;
    let (profile_idc, profile_iop) = ((number >> 16) as u8, (number >> 8) as u8);
    let is = |mask: u8, bits: u8| profile_iop & mask == bits;
    match profile_idc {
        0x42 if is(0b0100_1111, 0b0100_0000) => Some(H264Profile::ConstrainedBaseline),
        0x4d if is(0b1000_1111, 0b1000_0000) => Some(H264Profile::ConstrainedBaseline),
        0x58 if is(0b1100_1111, 0b1100_0000) => Some(H264Profile::ConstrainedBaseline),
        0x42 if is(0b0100_1111, 0b0000_0000) => Some(H264Profile::Baseline),
        0x58 if is(0b1100_1111, 0b1000_0000) => Some(H264Profile::Baseline),
        0x4d if is(0b1010_1111, 0b0000_0000) => Some(H264Profile::Main),
        0x64 if is(0b1111_1111, 0b0000_0000) => Some(H264Profile::High),
        0x64 if is(0b1111_1111, 0b0000_1100) => Some(H264Profile::ConstrainedHigh),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::super::lines::Lines;
    use super::*;

    fn video(formats: &str, attributes: &str) -> Vec<OfferedCodec> {
        let text = format!("v=0\nm=video 9 UDP/TLS/RTP/SAVPF {formats}\n{attributes}");
        let lines = Lines::split(&text, 1).expect("well-formed");
        parse(TrackKind::Video, &lines.sections[0])
    }

    #[test]
    fn each_h264_profile_is_known_by_every_spelling_of_it() {
        use H264Profile::*;
        for (text, profile) in [
            ("42e01f", Some(ConstrainedBaseline)),
            ("42C00A", Some(ConstrainedBaseline)),
            ("4d801f", Some(ConstrainedBaseline)),
            ("58c01f", Some(ConstrainedBaseline)),
            ("42001f", Some(Baseline)),
            ("58801f", Some(Baseline)),
            ("4d001f", Some(Main)),
            ("4d401f", Some(Main)),
            ("64001f", Some(High)),
            ("640c1f", Some(ConstrainedHigh)),
            ("f4001f", None),
            ("58001f", None),
            ("42e01", None),
            ("+2e01f", None),
        ] {
            assert_eq!(h264_profile(Some(text)), profile, "{text}");
        }
    }

    #[test]
    fn a_payload_type_is_taken_once_and_only_if_the_media_line_has_it() {
        let codecs = video(
            "96 96 98",
            "a=rtpmap:96 VP8/90000\na=rtpmap:96 VP9/90000\na=rtpmap:97 VP8/90000",
        );
        let types: Vec<_> = codecs
            .iter()
            .map(|codec| (codec.payload_type, codec.codec))
            .collect();
        assert_eq!(types, [(96, Codec::Vp8)]);
    }

    #[test]
    fn feedback_for_all_counts_for_each_wherever_it_stands() {
        let codecs = video(
            "96 98",
            "a=rtcp-fb:* nack\na=rtpmap:96 VP8/90000\na=rtcp-fb:98 nack pli\na=rtpmap:98 VP9/90000\na=rtcp-fb:* ccm fir",
        );
        assert!(codecs.iter().all(|codec| codec.nack && codec.fir));
        assert!(!codecs[0].pli && codecs[1].pli);
    }

    #[test]
    fn red_is_taken_if_all_its_blocks_are_the_sections_opus() {
        let taken = |fmtp: &str, opus: &str| {
            let text = format!(
                "v=0\nm=audio 9 UDP/TLS/RTP/SAVPF 63 111 112\na=rtpmap:63 red/48000/2\n{fmtp}\n{opus}"
            );
            let lines = Lines::split(&text, 1).expect("well-formed");
            let codecs = parse(TrackKind::Audio, &lines.sections[0]);
            let codecs = codecs.iter().map(|codec| (codec.payload_type, codec.codec));
            codecs.collect::<Vec<_>>()
        };
        let opus = "a=rtpmap:111 opus/48000/2";
        let both = [(63, Codec::Red), (111, Codec::Opus)];
        for fmtp in ["111/111", "111", "111/111/111"] {
            assert_eq!(taken(&format!("a=fmtp:63 {fmtp}"), opus), both, "{fmtp}");
        }
        for fmtp in ["", "a=fmtp:63 111/0", "a=fmtp:63 0/0", "a=fmtp:63 111/"] {
            assert_eq!(taken(fmtp, opus), both[1..], "{fmtp}");
        }
        let red = "a=fmtp:63 111/111";
        assert_eq!(taken(red, "a=rtpmap:111 opus/48000/1"), []);
        let twice = format!("{opus}\na=rtpmap:112 opus/48000/2");
        assert_eq!(taken(red, &twice), [both[1], (112, Codec::Opus)]);
    }

    #[test]
    fn what_is_not_forwarded_is_not_taken() {
        let unknown = video(
            "96 97 98 99 100 101 72 102",
            "a=rtpmap:96 red/90000\na=rtpmap:97 ulpfec/90000\na=rtpmap:98 flexfec-03/90000\n\
             a=rtpmap:99 VP9/90000\na=fmtp:99 profile-id=7\na=rtpmap:100 H264/90000\n\
             a=fmtp:100 packetization-mode=2;profile-level-id=42e01f\na=rtpmap:101 opus/48000/2\n\
             a=rtpmap:72 VP8/90000\na=rtpmap:102 VP8/8000",
        );
        assert_eq!(unknown, []);
    }

    #[test]
    fn retransmissions_belong_to_the_codec_that_apt_names_and_to_no_other() {
        let codecs = video(
            "96 97 98 99",
            "a=rtpmap:96 VP8/90000\na=rtpmap:97 rtx/90000\na=fmtp:97 apt=98;rtx-time=3000\n\
             a=rtpmap:98 VP9/90000\na=rtpmap:99 rtx/90000\na=fmtp:99 apt=100",
        );
        let rtx: Vec<_> = codecs.iter().map(|codec| codec.rtx_payload_type).collect();
        assert_eq!(rtx, [None, Some(97)]);
    }
}
