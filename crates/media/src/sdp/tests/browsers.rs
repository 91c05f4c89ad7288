//! What is particular to each browser's offers.

use super::legality::{formats, sections, values};
use super::*;
use crate::codec::{Codec, H264Profile};
use crate::extension::Extension;

fn answered(name: &str) -> String {
    let offer = fixture(name);
    answer_with(&offer, accept_all(&offer))
}

#[test]
fn chromium_simulcast_is_answered_with_all_layers_and_their_extensions() {
    let offer = fixture("chromium-156-simulcast-publish");
    let video = &offer.sections[8];
    assert_eq!(
        (video.direction, video.rids.join(" ")),
        (Direction::SendOnly, "q h f".into())
    );
    assert_eq!(
        (video.ssrcs.len(), video.rtx_ssrcs.len()),
        (0, 0),
        "layers are known by their rid alone"
    );
    let inbound = video.inbound_extensions();
    assert_eq!(inbound.id(Extension::RtpStreamId), Some(10));
    assert_eq!(inbound.id(Extension::RepairedRtpStreamId), Some(11));
    assert_eq!(inbound.id(Extension::DependencyDescriptor), Some(12));
    assert_eq!(inbound.id(Extension::VideoTiming), None);
    let answer = answered("chromium-156-simulcast-publish");
    assert!(
        answer
            .contains("a=rid:q recv\r\na=rid:h recv\r\na=rid:f recv\r\na=simulcast:recv q;h;f\r\n")
    );
}

#[test]
fn a_viewer_is_not_sent_the_extensions_of_layers() {
    let section = &fixture("chromium-156-receive-and-data").sections[3];
    let outbound = section.outbound_extensions();
    assert_eq!(section.extensions.id(Extension::RtpStreamId), Some(10));
    assert_eq!(outbound.id(Extension::RtpStreamId), None);
    assert_eq!(outbound.id(Extension::RepairedRtpStreamId), None);
    assert_eq!(outbound.id(Extension::TransportSequenceNumber), Some(3));
}

#[test]
fn chromium_profiles_that_are_forwarded_are_answered_and_others_not() {
    let offer = fixture("chromium-156-receive-and-data");
    let video = &offer.sections[3];
    let of = |payload_type: u8| {
        video
            .codecs
            .iter()
            .find(|codec| codec.payload_type == payload_type)
    };
    assert_eq!(of(96).map(|codec| codec.codec), Some(Codec::Vp8));
    assert_eq!(
        of(37).map(|codec| codec.codec),
        Some(Codec::Vp9 { profile: 3 })
    );
    assert_eq!(
        of(47).map(|codec| codec.codec),
        Some(Codec::Av1 { profile: 1 })
    );
    let h264 = |profile, packetization_mode| {
        Some(Codec::H264 {
            profile,
            packetization_mode,
        })
    };
    assert_eq!(
        of(114).map(|codec| codec.codec),
        h264(H264Profile::ConstrainedBaseline, 0)
    );
    assert_eq!(of(116).map(|codec| codec.codec), h264(H264Profile::Main, 1));
    assert_eq!(of(41), None, "High 4:4:4 Predictive");
    assert_eq!(of(118), None, "RED");
    assert_eq!(of(96).and_then(|codec| codec.rtx_payload_type), Some(97));
    let answer = answered("chromium-156-receive-and-data");
    let formats = formats(&sections(&answer)[4]).join(" ");
    assert_eq!(
        formats,
        "96 97 98 99 100 101 35 36 37 38 102 103 104 107 108 109 114 115 116 117 39 40 45 46 47 48"
    );
}

#[test]
fn remb_is_answered_only_where_transport_cc_was_not_offered() {
    assert!(!answered("chromium-156-publish-both-ways").contains("goog-remb"));
    let (_, text) = FIXTURES[1];
    let without: String = text
        .split_inclusive('\n')
        .filter(|line| !line.contains("96 transport-cc"))
        .collect();
    let offer = parse(&without).expect("still a good offer");
    let answer = answer_with(&offer, accept_all(&offer));
    assert_eq!(answer.matches("goog-remb").count(), 1);
    assert!(answer.contains("a=rtcp-fb:96 goog-remb\r\n"));
}

#[test]
fn a_chromium_camera_is_known_by_its_ssrc_and_that_of_its_retransmissions() {
    let video = &fixture("chromium-156-publish-both-ways").sections[1];
    assert_eq!(video.direction, Direction::SendRecv);
    assert_eq!(video.ssrcs, [271_578_560]);
    assert_eq!(video.rtx_ssrc(271_578_560), Some(394_651_947));
}

#[test]
fn firefox_sections_that_are_bundle_only_are_used_though_their_port_is_0() {
    let offer = fixture("firefox-153-publish-and-receive");
    assert!(
        offer
            .sections
            .iter()
            .all(|section| !section.rejected && section.is_usable())
    );
    let directions: Vec<_> = offer
        .sections
        .iter()
        .take(4)
        .map(|section| section.direction.as_str())
        .collect();
    assert_eq!(directions, ["sendonly", "sendonly", "recvonly", "recvonly"]);
}

#[test]
fn firefox_says_allow_mixed_in_each_section_and_is_answered_there() {
    let offer = fixture("firefox-153-publish-and-receive");
    assert!(!offer.extmap_allow_mixed && offer.sections[0].extmap_allow_mixed);
    let answer = answered("firefox-153-publish-and-receive");
    let count = |part: usize| values(&sections(&answer)[part], "a=extmap-allow-mixed").len();
    assert_eq!([0, 1, 2, 3, 4, 5].map(count), [0, 1, 1, 1, 1, 0]);
}

#[test]
fn firefox_one_way_extensions_are_answered_the_other_way_and_only_where_media_flows_so() {
    let offer = fixture("firefox-153-simulcast-gathered");
    let (publishes, receives) = (&offer.sections[1], &offer.sections[2]);
    assert_eq!(
        publishes.inbound_extensions().id(Extension::RtpStreamId),
        Some(9)
    );
    assert_eq!(
        publishes.inbound_extensions().id(Extension::PlayoutDelay),
        None
    );
    assert_eq!(
        receives.outbound_extensions().id(Extension::PlayoutDelay),
        Some(6)
    );
    let answer = answered("firefox-153-simulcast-gathered");
    let parts = sections(&answer);
    let extensions = |part: usize| values(&parts[part], "a=extmap:").join("\n");
    assert!(extensions(2).contains("9/recvonly urn:ietf:params:rtp-hdrext:sdes:rtp-stream-id"));
    assert!(!extensions(2).contains("playout-delay"));
    assert!(
        extensions(3)
            .contains("6/sendonly http://www.webrtc.org/experiments/rtp-hdrext/playout-delay")
    );
    assert!(!extensions(3).contains("rtp-stream-id"));
}

#[test]
fn firefox_layers_are_known_by_rid_and_by_ssrc() {
    let video = &fixture("firefox-153-simulcast-gathered").sections[1];
    assert_eq!(video.rids, ["q", "h", "f"]);
    assert_eq!(video.ssrcs, [680_088_622, 2_445_958_833, 4_192_766_326]);
    assert_eq!(video.rtx_ssrc(2_445_958_833), Some(790_889_240));
}

#[test]
fn limits_of_firefox_decoders_are_not_made_the_servers() {
    let answer = answered("firefox-153-publish-both-ways");
    assert!(!answer.contains("a=fmtp:120 "), "VP8 max-fs");
    assert!(answer.contains("a=fmtp:109 maxplaybackrate=48000;stereo=1;useinbandfec=1\r\n"));
}

#[test]
fn a_firefox_viewer_of_many_is_not_refused_for_the_ssrcs_of_its_reports() {
    let (_, text) = FIXTURES[4];
    let parts: Vec<&str> = text.split_inclusive("m=").collect();
    let receive = parts[3]
        .strip_suffix("m=")
        .expect("an audio section to receive on");
    assert!(receive.contains("a=recvonly") && receive.contains("a=ssrc:"));
    let mids: Vec<String> = (10..68).map(|mid| mid.to_string()).collect();
    let more: String = mids
        .iter()
        .map(|mid| format!("m={}", receive.replace("a=mid:2", &format!("a=mid:{mid}"))))
        .collect();
    let text = text.replace(
        "BUNDLE 0 1 2 3 4",
        &format!("BUNDLE 0 1 2 3 4 {}", mids.join(" ")),
    ) + &more;
    let ssrc_lines = text.matches("a=ssrc:").count() - 4;
    assert_eq!(
        ssrc_lines, 59,
        "one a section, and those of the publisher's four lines"
    );
    let limits = Limits {
        ssrc_lines: 4,
        sdp_bytes: 1 << 20,
        ..Limits::default()
    };
    assert_eq!(
        parse_offer(&text, &limits).map(|offer| offer.sections.len()),
        Ok(63)
    );
}

#[test]
fn safari_prefers_h264_and_so_does_its_answer() {
    let offer = fixture("safari-shaped-publish");
    assert!(
        offer
            .sections
            .iter()
            .all(|section| !section.extmap_allow_mixed)
    );
    let answer = answered("safari-shaped-publish");
    assert!(!answer.contains("extmap-allow-mixed"));
    assert_eq!(formats(&sections(&answer)[1]), ["111"]);
    assert_eq!(
        formats(&sections(&answer)[2]),
        ["96", "97", "98", "99", "100", "101", "102", "103"]
    );
    let profiles: Vec<Codec> = offer.sections[1]
        .codecs
        .iter()
        .take(2)
        .map(|codec| codec.codec)
        .collect();
    let h264 = |profile| Codec::H264 {
        profile,
        packetization_mode: 1,
    };
    assert_eq!(
        profiles,
        [
            h264(H264Profile::ConstrainedHigh),
            h264(H264Profile::ConstrainedBaseline)
        ]
    );
}

#[test]
fn what_native_clients_offer_beyond_the_standard_is_passed_over() {
    let answer = answered("libwebrtc-native-receive-and-data");
    assert!(
        !answer.contains("goog-sped")
            && !answer.contains("sctp-init")
            && !answer.contains("ice-options")
    );
}
