//! What Chromium really sends, read as by the server: which packets begin a key frame, how large the picture is, and
//! what the dependency descriptor says. The recording is made by `crates/media/tests/payloads/capture.js`.

use super::dependency::{self, Indication, Structure};
use super::picture_size::picture_size;
use super::{Frame, is_key_frame_start};
use crate::codec::{Codec, H264Profile};
use crate::rtp::packet::Packet;

const RECORDED: &str = include_str!("../../../tests/payloads/chromium.txt");

/// A frame as its encoder tells of it, and the beginnings of its first packets and its last.
struct Recorded {
    is_key_frame: bool,
    /// Of the highest spatial layer.
    size: (u16, u16),
    packets: Vec<Vec<u8>>,
}

struct Stream {
    name: String,
    codec: Codec,
    /// The number of the dependency descriptor's extension, 0 where there is none.
    descriptor: u8,
    frames: Vec<Recorded>,
}

fn streams() -> Vec<Stream> {
    let mut streams: Vec<Stream> = Vec::new();
    for line in RECORDED.lines().filter(|line| !line.starts_with('#')) {
        let words: Vec<&str> = line.split(' ').collect();
        match words[..] {
            ["stream", codec, mode, descriptor] => streams.push(Stream {
                name: format!("{codec} {mode}"),
                codec: codec_named(codec),
                descriptor: descriptor.parse().unwrap(),
                frames: Vec::new(),
            }),
            ["frame", kind, _, size] => {
                let (width, height) = size.split_once('x').unwrap();
                streams.last_mut().unwrap().frames.push(Recorded {
                    is_key_frame: kind == "key",
                    size: (width.parse().unwrap(), height.parse().unwrap()),
                    packets: Vec::new(),
                });
            }
            _ => {
                let byte = |at| u8::from_str_radix(&line[at..at + 2], 16).unwrap();
                let bytes = (0..line.len()).step_by(2).map(byte).collect();
                let frames = &mut streams.last_mut().unwrap().frames;
                frames.last_mut().unwrap().packets.push(bytes);
            }
        }
    }
    streams
}

fn codec_named(name: &str) -> Codec {
    match name {
        "video/VP8" => Codec::Vp8,
        "video/VP9" => Codec::Vp9 { profile: 0 },
        "video/AV1" => Codec::Av1 { profile: 0 },
        _ => Codec::H264 {
            profile: H264Profile::Baseline,
            packetization_mode: 1,
        },
    }
}

#[test]
fn the_first_packet_of_each_key_frame_begins_one_and_no_packet_of_another_frame_does() {
    let mut key_frames = 0;
    for stream in streams() {
        for (number, frame) in stream.frames.iter().enumerate() {
            let begins = frame.packets.iter().map(|packet| {
                let packet = Packet::parse(packet).expect("a packet");
                is_key_frame_start(stream.codec, packet.payload)
            });
            let begins: Vec<bool> = begins.collect();
            let name = format!("{}, frame {number}: {begins:?}", stream.name);
            assert_eq!(begins[0], frame.is_key_frame, "{name}");
            // H.264 has two beginnings: its parameters, and the picture in a packet of its own.
            let others = &begins[1..];
            let is_h264 = matches!(stream.codec, Codec::H264 { .. });
            let may_repeat = is_h264 && frame.is_key_frame;
            assert!(may_repeat || !others.contains(&true), "{name}");
            key_frames += u32::from(frame.is_key_frame);
        }
    }
    assert!(key_frames >= 14, "{key_frames}");
}

#[test]
fn each_key_frame_tells_the_size_that_its_encoder_gave_it_and_other_packets_tell_none() {
    for stream in streams() {
        for (number, frame) in stream.frames.iter().enumerate() {
            let sizes = frame.packets.iter().map(|packet| {
                let packet = Packet::parse(packet).expect("a packet");
                picture_size(stream.codec, packet.payload)
            });
            let sizes: Vec<_> = sizes.collect();
            // AV1's header tells what the sequence may come to; this encoder leaves its higher layer out for now.
            let size = match stream.name.as_str() {
                "video/AV1 L2T2" => (1_280, 720),
                _ => frame.size,
            };
            let expected = frame.is_key_frame.then_some(size);
            assert_eq!(sizes[0], expected, "{}, frame {number}", stream.name);
            assert!(sizes[1..].iter().all(Option::is_none), "{sizes:?}");
        }
    }
}

#[test]
fn every_descriptor_is_read_by_the_structure_of_the_key_frame_before_it() {
    let mut described = 0;
    for stream in streams().iter().filter(|stream| stream.descriptor > 0) {
        let mut structure: Option<Structure> = None;
        for frame in &stream.frames {
            for (at, packet) in frame.packets.iter().enumerate() {
                let packet = Packet::parse(packet).expect("a packet");
                let value = packet.extension(stream.descriptor).expect("a descriptor");
                let found = dependency::structure(value);
                assert!(at > 0 || !frame.is_key_frame || found.is_some());
                structure = found.or(structure);
                let read = dependency::read(value, structure.as_ref()).expect("readable");
                assert_eq!(
                    read.starts_frame,
                    at == 0 || read.spatial > 0 && read.starts_frame
                );
                let whole = Frame::read(
                    stream.codec,
                    packet.payload,
                    Some(value),
                    structure.as_ref(),
                );
                assert_eq!(whole.starts_key_frame, at == 0 && frame.is_key_frame);
                assert_eq!(whole.numbers.frame_number, dependency::frame_number(value));
                described += 1;
            }
        }
    }
    assert!(described > 40, "{described}");
}

#[test]
fn a_stream_in_three_temporal_layers_tells_them_whatever_its_codec_and_those_below_need_none_above()
{
    let mut streams = streams();
    streams.retain(|stream| stream.name.ends_with(" L1T3"));
    assert_eq!(streams.len(), 3, "VP8, VP9, AV1");
    for stream in &streams {
        let mut structure: Option<Structure> = None;
        let mut seen = [0; 3];
        for frame in &stream.frames {
            let packet = Packet::parse(&frame.packets[0]).expect("a packet");
            let value = packet.extension(stream.descriptor);
            structure = value.and_then(dependency::structure).or(structure);
            let read = Frame::read(stream.codec, packet.payload, value, structure.as_ref());
            let (spatial, temporal) = read.layers.numbers();
            assert!(!frame.is_key_frame || temporal == 0, "{}", stream.name);
            assert_eq!(spatial, 0, "{}", stream.name);
            seen[usize::from(temporal)] += 1;
            // VP8 and VP9 have their own descriptor, and Chromium describes them by the other one as well.
            let described = value.and_then(|value| dependency::read(value, structure.as_ref()));
            let (Some(described), Some(structure)) = (described, &structure) else {
                panic!("{}: no descriptor", stream.name);
            };
            assert_eq!(described.temporal, temporal, "{}", stream.name);
            for bound in 0..3 {
                let target = structure.target_within(0, bound).expect("a target");
                let indication = described.indications.of(target.into());
                let is_needed = indication != Indication::NotPresent;
                assert_eq!(is_needed, temporal <= bound, "{}, {bound}", stream.name);
            }
        }
        assert!(
            seen.iter().all(|count| *count > 0),
            "{}: {seen:?}",
            stream.name
        );
    }
}
