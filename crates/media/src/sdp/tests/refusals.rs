//! Each way in which an offer is refused.

use super::conversation::SMALL;
use super::*;

/// The small offer with one text put for another, which must be there.
fn with(from: &str, to: &str) -> String {
    assert!(SMALL.contains(from), "{from}");
    SMALL.replace(from, to)
}

fn refusal(text: &str) -> Option<OfferError> {
    parse(text).err()
}

#[test]
fn what_is_no_sdp_is_refused() {
    for text in [
        "",
        "hello",
        "v=1\r\n",
        "{\"type\":\"offer\"}",
        "m=audio 9 UDP/TLS/RTP/SAVPF 111",
    ] {
        assert_eq!(refusal(text), Some(OfferError::NotSdp), "{text:?}");
    }
    assert_eq!(
        refusal(&with("m=text 9 ", "m=text ")),
        Some(OfferError::BrokenMediaLine { number: 3 })
    );
}

#[test]
fn each_limit_has_its_own_refusal_and_holds_to_the_last_one() {
    let limits = Limits::default();
    let fill = |line: &str, count: usize| {
        with("a=mid:v\r\n", &format!("a=mid:v\r\n{}", line.repeat(count)))
    };
    for (line, limit, error) in [
        (
            "a=ssrc:1 cname:c\r\n",
            limits.ssrc_lines,
            OfferError::TooManySsrcLines { limit: 64 },
        ),
        (
            "a=candidate:1 1 udp 1 192.0.2.1 9 typ host\r\n",
            limits.candidates,
            OfferError::TooManyCandidates { limit: 64 },
        ),
    ] {
        assert_eq!(refusal(&fill(line, limit)), None);
        assert_eq!(refusal(&fill(line, limit + 1)), Some(error));
    }
    let sections = |count: usize| SMALL.to_owned() + &"m=audio 0 P 0\r\n".repeat(count);
    assert_eq!(refusal(&sections(limits.media_sections - 4)), None);
    assert_eq!(
        refusal(&sections(limits.media_sections - 3)),
        Some(OfferError::TooManySections { limit: 64 })
    );
    let padded = |size: usize| format!("{SMALL}a=x:{}", "x".repeat(size - SMALL.len() - 4));
    assert_eq!(refusal(&padded(limits.sdp_bytes)), None);
    assert_eq!(
        refusal(&padded(limits.sdp_bytes + 1)),
        Some(OfferError::TooLarge { limit: 262_144 })
    );
}

#[test]
fn mids_must_be_there_valid_and_different() {
    assert_eq!(
        refusal(&with("a=mid:v\r\n", "")),
        Some(OfferError::NoMid { number: 2 })
    );
    for mid in ["12345678901234567", "a b", "a:b", "ä"] {
        let refused = refusal(&with("a=mid:v\r\n", &format!("a=mid:{mid}\r\n")));
        assert_eq!(refused, Some(OfferError::InvalidMid { number: 2 }), "{mid}");
    }
    assert_eq!(
        refusal(&with("a=mid:v\r\n", "a=mid:a\r\n")),
        Some(OfferError::DuplicateMid { mid: "a".into() })
    );
    let longest = SMALL
        .replace("a=mid:v", "a=mid:1234567890123456")
        .replace("BUNDLE a v", "BUNDLE a 1234567890123456");
    assert_eq!(refusal(&longest), None);
}

#[test]
fn everything_shares_one_transport() {
    assert_eq!(
        refusal(&with("a=group:BUNDLE a v t d\r\n", "")),
        Some(OfferError::NoBundle)
    );
    assert_eq!(
        refusal(&with("a=group:BUNDLE a v t d", "a=group:LS a v")),
        Some(OfferError::NoBundle)
    );
    assert_eq!(
        refusal(&with("BUNDLE a v t d", "BUNDLE")),
        Some(OfferError::NothingOffered)
    );
    assert_eq!(
        refusal(&with("BUNDLE a v t d", "BUNDLE elsewhere")),
        Some(OfferError::NothingOffered)
    );
    let not_muxed = with(
        "a=mid:v\r\na=sendonly\r\na=rtcp-mux\r\n",
        "a=mid:v\r\na=sendonly\r\n",
    );
    assert_eq!(
        refusal(&not_muxed),
        Some(OfferError::NoRtcpMux { mid: "v".into() })
    );
}

#[test]
fn the_transport_must_be_whole() {
    assert_eq!(
        refusal(&with("a=ice-ufrag:clnt\r\n", "")),
        Some(OfferError::NoIceCredentials)
    );
    assert_eq!(
        refusal(&with("a=ice-pwd:lkji", "a=other:lkji")),
        Some(OfferError::NoIceCredentials)
    );
    assert_eq!(
        refusal(&with("a=ice-ufrag:clnt", "a=ice-ufrag:cl")),
        Some(OfferError::InvalidIceUfrag)
    );
    assert_eq!(
        refusal(&with("a=ice-pwd:lkji", "a=ice-pwd:")),
        Some(OfferError::InvalidIcePwd)
    );
    assert_eq!(
        refusal(&with("a=fingerprint:", "a=other:")),
        Some(OfferError::NoFingerprint)
    );
    assert_eq!(
        refusal(&with("sha-256 ", "md5 ")),
        Some(OfferError::UnsupportedFingerprint)
    );
    assert_eq!(
        refusal(&with("sha-256 01:", "sha-256 ")),
        Some(OfferError::InvalidFingerprint)
    );
    assert_eq!(
        refusal(&with("setup:actpass", "setup:passive")),
        Some(OfferError::SetupNotActive)
    );
    assert_eq!(refusal(&with("setup:actpass", "setup:active")), None);
    assert_eq!(
        refusal(&with("t=0 0\r\n", "t=0 0\r\na=ice-lite\r\n")),
        Some(OfferError::IceLite)
    );
}

#[test]
fn each_refusal_says_what_to_do() {
    let all = [
        OfferError::NotSdp,
        OfferError::NoBundle,
        OfferError::NoMid { number: 2 },
        OfferError::TooManySections { limit: 64 },
        OfferError::InvalidIcePwd,
    ];
    for error in all {
        assert!(
            error.to_string().contains(':'),
            "a fault, and after the colon the advice: {error}"
        );
    }
}
