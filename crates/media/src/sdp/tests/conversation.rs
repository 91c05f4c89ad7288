//! Small offers and their exact answers.

use super::*;

/// A publisher of sound and simulcast pictures, with a section in the middle that cannot be used.
pub(super) const SMALL: &str = "v=0\r\n\
o=- 1 2 IN IP4 127.0.0.1\r\n\
s=-\r\n\
t=0 0\r\n\
a=group:BUNDLE a v t d\r\n\
a=extmap-allow-mixed\r\n\
a=ice-options:trickle\r\n\
a=fingerprint:sha-256 01:23:45:67:89:AB:CD:EF:01:23:45:67:89:AB:CD:EF:01:23:45:67:89:AB:CD:EF:01:23:45:67:89:AB:CD:EF\r\n\
m=audio 9 UDP/TLS/RTP/SAVPF 0 111\r\n\
c=IN IP4 0.0.0.0\r\n\
a=ice-ufrag:clnt\r\n\
a=ice-pwd:lkjihgfedcba9876543210\r\n\
a=setup:actpass\r\n\
a=mid:a\r\n\
a=sendrecv\r\n\
a=rtcp-mux\r\n\
a=extmap:1 urn:ietf:params:rtp-hdrext:ssrc-audio-level\r\n\
a=extmap:4/sendonly urn:ietf:params:rtp-hdrext:sdes:mid\r\n\
a=extmap:14 urn:ietf:params:rtp-hdrext:toffset\r\n\
a=rtpmap:0 PCMU/8000\r\n\
a=rtpmap:111 opus/48000/2\r\n\
a=fmtp:111 minptime=10;useinbandfec=1\r\n\
a=rtcp-fb:111 transport-cc\r\n\
m=video 9 UDP/TLS/RTP/SAVPF 96 97 98\r\n\
c=IN IP4 0.0.0.0\r\n\
a=mid:v\r\n\
a=sendonly\r\n\
a=rtcp-mux\r\n\
a=rtcp-rsize\r\n\
a=extmap:20 urn:ietf:params:rtp-hdrext:sdes:rtp-stream-id\r\n\
a=rtpmap:96 VP8/90000\r\n\
a=fmtp:96 max-fs=12288\r\n\
a=rtcp-fb:96 goog-remb\r\n\
a=rtcp-fb:96 nack\r\n\
a=rtcp-fb:96 nack pli\r\n\
a=rtpmap:97 rtx/90000\r\n\
a=fmtp:97 apt=96\r\n\
a=rtpmap:98 H264/90000\r\n\
a=fmtp:98 level-asymmetry-allowed=1;packetization-mode=1;profile-level-id=42e01f\r\n\
a=rid:q send\r\n\
a=rid:h send\r\n\
a=simulcast:send q;~h\r\n\
m=text 9 UDP/TLS/RTP/SAVPF 100\r\n\
a=mid:t\r\n\
a=rtcp-mux\r\n\
m=application 9 UDP/DTLS/SCTP webrtc-datachannel\r\n\
a=mid:d\r\n\
a=sctp-port:5001\r\n\
a=max-message-size:262144\r\n";

const ANSWER: &str = "v=0\r\n\
o=- 7 1 IN IP4 127.0.0.1\r\n\
s=-\r\n\
t=0 0\r\n\
a=ice-lite\r\n\
a=group:BUNDLE a v d\r\n\
a=extmap-allow-mixed\r\n\
m=audio 9 UDP/TLS/RTP/SAVPF 111\r\n\
c=IN IP4 0.0.0.0\r\n\
a=mid:a\r\n\
a=sendrecv\r\n\
a=rtcp-mux\r\n\
a=extmap:4/recvonly urn:ietf:params:rtp-hdrext:sdes:mid\r\n\
a=extmap:1 urn:ietf:params:rtp-hdrext:ssrc-audio-level\r\n\
a=rtpmap:111 opus/48000/2\r\n\
a=fmtp:111 minptime=10;useinbandfec=1\r\n\
a=rtcp-fb:111 transport-cc\r\n\
a=msid:PA_1 TR_0\r\n\
a=ssrc:1000 cname:PA_1\r\n\
a=ssrc:1000 msid:PA_1 TR_0\r\n\
a=ice-ufrag:serv\r\n\
a=ice-pwd:0123456789abcdefghijkl\r\n\
a=fingerprint:sha-256 01:23:45:67:89:AB:CD:EF:01:23:45:67:89:AB:CD:EF:01:23:45:67:89:AB:CD:EF:01:23:45:67:89:AB:CD:EF\r\n\
a=setup:passive\r\n\
a=candidate:1 1 udp 2130706431 192.0.2.7 7882 typ host\r\n\
a=candidate:2 1 udp 2130706175 2001:db8::7 7882 typ host\r\n\
a=end-of-candidates\r\n\
m=video 9 UDP/TLS/RTP/SAVPF 96 97 98\r\n\
c=IN IP4 0.0.0.0\r\n\
a=mid:v\r\n\
a=recvonly\r\n\
a=rtcp-mux\r\n\
a=rtcp-rsize\r\n\
a=extmap:20 urn:ietf:params:rtp-hdrext:sdes:rtp-stream-id\r\n\
a=rtpmap:96 VP8/90000\r\n\
a=rtcp-fb:96 goog-remb\r\n\
a=rtcp-fb:96 nack\r\n\
a=rtcp-fb:96 nack pli\r\n\
a=rtpmap:97 rtx/90000\r\n\
a=fmtp:97 apt=96\r\n\
a=rtpmap:98 H264/90000\r\n\
a=fmtp:98 level-asymmetry-allowed=1;packetization-mode=1;profile-level-id=42e01f\r\n\
a=rid:h recv\r\n\
a=simulcast:recv h\r\n\
a=ice-ufrag:serv\r\n\
a=ice-pwd:0123456789abcdefghijkl\r\n\
a=fingerprint:sha-256 01:23:45:67:89:AB:CD:EF:01:23:45:67:89:AB:CD:EF:01:23:45:67:89:AB:CD:EF:01:23:45:67:89:AB:CD:EF\r\n\
a=setup:passive\r\n\
m=text 0 UDP/TLS/RTP/SAVPF 100\r\n\
c=IN IP4 0.0.0.0\r\n\
a=mid:t\r\n\
a=inactive\r\n\
m=application 9 UDP/DTLS/SCTP webrtc-datachannel\r\n\
c=IN IP4 0.0.0.0\r\n\
a=mid:d\r\n\
a=sctp-port:5000\r\n\
a=max-message-size:65536\r\n\
a=ice-ufrag:serv\r\n\
a=ice-pwd:0123456789abcdefghijkl\r\n\
a=fingerprint:sha-256 01:23:45:67:89:AB:CD:EF:01:23:45:67:89:AB:CD:EF:01:23:45:67:89:AB:CD:EF:01:23:45:67:89:AB:CD:EF\r\n\
a=setup:passive\r\n";

#[test]
fn a_small_offer_is_answered_exactly_so() {
    let offer = parse(SMALL).expect("it is a good offer");
    let mut sections = accept_all(&offer);
    sections[1] = AnsweredSection::Receive {
        rids: vec!["h".into(), "not-offered".into()],
    };
    assert_eq!(answer_with(&offer, sections), ANSWER);
}

#[test]
fn the_small_offer_is_understood() {
    let offer = parse(SMALL).expect("it is a good offer");
    assert_eq!(
        (offer.ice_ufrag.as_str(), offer.ice_pwd.as_str()),
        ("clnt", "lkjihgfedcba9876543210")
    );
    assert_eq!(offer.fingerprint.algorithm, HashFunction::Sha256);
    assert_eq!(offer.fingerprint.bytes[..3], [0x01, 0x23, 0x45]);
    assert_eq!(offer.bundle, ["a", "v", "t", "d"]);
    let [audio, video, text, data] = offer.sections.as_slice() else {
        panic!("four sections")
    };
    assert!(audio.is_usable() && video.is_usable() && !text.is_usable() && data.is_usable());
    assert_eq!(
        (audio.direction, video.direction),
        (Direction::SendRecv, Direction::SendOnly)
    );
    assert_eq!(video.rids, ["q", "h"]);
    assert_eq!(
        (data.sctp_port, data.max_message_size),
        (Some(5001), 262_144)
    );
}

#[test]
fn what_the_client_does_not_offer_to_do_is_not_answered() {
    let offer = parse(SMALL).expect("it is a good offer");
    let sections = vec![
        AnsweredSection::Data,
        AnsweredSection::Send(track(1)),
        AnsweredSection::Inactive,
        AnsweredSection::Receive { rids: vec![] },
    ];
    let answer = answer_with(&offer, sections);
    let media: Vec<&str> = answer
        .lines()
        .filter(|line| line.starts_with("m="))
        .collect();
    assert_eq!(
        media,
        [
            "m=audio 0 UDP/TLS/RTP/SAVPF 0",
            "m=video 9 UDP/TLS/RTP/SAVPF 96 97 98",
            "m=text 0 UDP/TLS/RTP/SAVPF 100",
            "m=application 0 UDP/DTLS/SCTP webrtc-datachannel",
        ]
    );
    assert!(answer.contains("a=group:BUNDLE v\r\n") && !answer.contains("a=msid:"));
    assert_eq!(
        answer.matches("a=inactive").count(),
        3,
        "two rejected, one that the client would only send"
    );
    assert!(
        answer.contains("a=candidate:1 "),
        "candidates move to the first section that is used"
    );
}

#[test]
fn a_section_without_a_codec_that_is_forwarded_is_rejected() {
    let text = SMALL.replace("opus/48000/2", "opus/48000/1");
    let offer = parse(&text).expect("the other sections are good");
    let answer = answer_with(&offer, accept_all(&offer));
    assert!(answer.contains("m=audio 0 UDP/TLS/RTP/SAVPF 0\r\n"));
    assert!(answer.contains("a=group:BUNDLE v d\r\n"));
}

#[test]
fn a_stopped_section_stays_rejected_and_may_lack_everything() {
    let text = SMALL.replace(
        "m=text 9 UDP/TLS/RTP/SAVPF 100\r\na=mid:t\r\na=rtcp-mux",
        "m=video 0 UDP/TLS/RTP/SAVPF 120\r\na=inactive",
    );
    assert_ne!(text, SMALL);
    let offer = parse(&text).expect("stopped sections need no mid");
    assert!(offer.sections[2].rejected && offer.bundle == ["a", "v", "d"]);
    let answer = answer_with(&offer, accept_all(&offer));
    assert!(answer.contains(
        "m=video 0 UDP/TLS/RTP/SAVPF 120\r\nc=IN IP4 0.0.0.0\r\na=inactive\r\nm=application 9"
    ));
}

#[test]
fn a_section_outside_of_the_group_is_rejected() {
    let text = SMALL.replace("BUNDLE a v t d", "BUNDLE v d\r\na=group:BUNDLE a t");
    let text = text.replace(
        "a=mid:v\r\n",
        "a=mid:v\r\na=ice-ufrag:second\r\na=ice-pwd:lkjihgfedcba9876543210\r\n",
    );
    let offer = parse(&text).expect("the rest is bundled");
    let rejected: Vec<bool> = offer
        .sections
        .iter()
        .map(|section| section.rejected)
        .collect();
    assert_eq!(rejected, [true, false, true, false]);
    assert_eq!(
        offer.ice_ufrag, "second",
        "the first section of the group speaks for the transport"
    );
}

#[test]
fn the_first_section_of_the_group_does_not_speak_for_the_transport_when_it_is_stopped() {
    let text = SMALL.replace("m=audio 9", "m=audio 0").replace(
        "a=mid:v\r\n",
        "a=mid:v\r\na=ice-ufrag:next\r\na=ice-pwd:lkjihgfedcba9876543210\r\n",
    );
    let offer = parse(&text).expect("the others are in use");
    assert_eq!(offer.ice_ufrag, "next");
}

#[test]
fn a_section_without_a_direction_has_that_of_the_session() {
    let text = SMALL.replace("a=sendrecv\r\n", "");
    let direction = |text: &str| parse(text).map(|offer| offer.sections[0].direction);
    assert_eq!(direction(&text), Ok(Direction::SendRecv));
    let text = text.replace("t=0 0\r\n", "t=0 0\r\na=recvonly\r\n");
    assert_eq!(direction(&text), Ok(Direction::RecvOnly));
}
