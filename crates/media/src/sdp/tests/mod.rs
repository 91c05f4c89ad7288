//! Tests of offers and answers as a whole, over offers of real clients.

mod browsers;
mod conversation;
mod legality;
mod mutations;
mod refusals;

use super::*;
use crate::Limits;

macro_rules! fixtures {
    ($($name:literal),* $(,)?) => {
        /// Names and texts of the offers in `tests/sdp_fixtures`.
        const FIXTURES: &[(&str, &str)] =
            &[$(($name, include_str!(concat!("../../../tests/sdp_fixtures/", $name, ".sdp"))),)*];
    };
}

fixtures![
    "chromium-156-publish-and-receive",
    "chromium-156-publish-both-ways",
    "chromium-156-receive-and-data",
    "chromium-156-simulcast-publish",
    "firefox-153-publish-and-receive",
    "firefox-153-publish-both-ways",
    "firefox-153-simulcast-gathered",
    "libwebrtc-native-receive-and-data",
    "safari-shaped-publish",
];

fn fixture(name: &str) -> Offer {
    let (_, text) = FIXTURES
        .iter()
        .find(|(other, _)| *other == name)
        .expect("the fixture is listed");
    parse(text).expect("fixtures can be answered")
}

fn parse(text: &str) -> Result<Offer, OfferError> {
    parse_offer(text, &Limits::default())
}

/// The 32 bytes of a fingerprint.
const FINGERPRINT: &str = "01:23:45:67:89:AB:CD:EF:01:23:45:67:89:AB:CD:EF:01:23:45:67:89:AB:CD:EF:01:23:45:67:89:AB:CD:EF";

fn track(number: u32) -> SentTrack {
    SentTrack {
        stream_id: "PA_1".into(),
        track_id: format!("TR_{number}"),
        ssrc: 1_000 + number,
        rtx_ssrc: Some(2_000 + number),
        cname: "PA_1".into(),
    }
}

/// Accept everything that is offered, both ways.
fn accept_all(offer: &Offer) -> Vec<AnsweredSection> {
    let accept = |(number, section): (u32, &OfferedSection)| match section.media {
        Media::Application => AnsweredSection::Data,
        _ => AnsweredSection::SendReceive {
            rids: section.rids.clone(),
            track: track(number),
        },
    };
    (0..).zip(&offer.sections).map(accept).collect()
}

fn answer_with(offer: &Offer, sections: Vec<AnsweredSection>) -> String {
    let candidates = ["192.0.2.7:7882".parse(), "[2001:db8::7]:7882".parse()]
        .map(|address| address.expect("valid"));
    let answer = Answer {
        session_id: 7,
        version: 1,
        ice_ufrag: "serv",
        ice_pwd: "0123456789abcdefghijkl",
        fingerprint: FINGERPRINT,
        candidates: &candidates,
        max_message_size: 65_536,
        sections,
    };
    write_answer(offer, &answer)
}
