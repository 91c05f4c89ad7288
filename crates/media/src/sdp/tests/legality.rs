//! What must hold of every answer to every offer (RFC 3264, 8843, 8285, 8853), read from the two texts
//! alone: it never uses the parser that it checks.

use super::*;

type Section<'a> = Vec<&'a str>;

/// Take a text apart at its m-lines; the first part is the session's.
pub(super) fn sections(text: &str) -> Vec<Section<'_>> {
    let mut sections = vec![Vec::new()];
    for line in text
        .split(['\r', '\n'])
        .map(str::trim)
        .filter(|line| !line.is_empty())
    {
        if line.starts_with("m=") {
            sections.push(Vec::new());
        }
        sections.last_mut().expect("there is always one").push(line);
    }
    sections
}

pub(super) fn values<'a>(section: &[&'a str], prefix: &str) -> Vec<&'a str> {
    section
        .iter()
        .filter_map(|line| line.strip_prefix(prefix))
        .map(str::trim)
        .collect()
}

pub(super) fn formats<'a>(section: &[&'a str]) -> Vec<&'a str> {
    section
        .first()
        .map(|line| line.split_ascii_whitespace().skip(3).collect())
        .unwrap_or_default()
}

fn first_word(line: &str) -> &str {
    line.split([' ', '/']).next().unwrap_or_default()
}

/// Panics where an answer is not one that the offer allows.
pub(super) fn assert_legal(offer: &str, answer: &str) {
    let (offered, answered) = (sections(offer), sections(answer));
    assert_eq!(offered.len(), answered.len(), "as many sections as offered");
    assert!(answered[0].contains(&"a=ice-lite"));
    let session = &offered[0];

    let mut accepted = Vec::new();
    for (offered, answered) in offered.iter().zip(&answered).skip(1) {
        let media_line: Vec<&str> = answered[0].split_ascii_whitespace().collect();
        let offered_line: Vec<&str> = offered[0].split_ascii_whitespace().collect();
        assert_eq!(
            (media_line[0], media_line[2]),
            (offered_line[0], offered_line[2]),
            "media and protocol"
        );
        assert_formats(offered, answered);
        let mid = values(answered, "a=mid:");
        assert_eq!(
            mid.first(),
            values(offered, "a=mid:")
                .first()
                .filter(|mid| !mid.is_empty()),
            "the same mid"
        );
        if media_line[1] == "0" {
            continue;
        }
        accepted.push(mid[0]);
        for line in [
            "a=ice-ufrag:",
            "a=ice-pwd:",
            "a=fingerprint:sha-256 ",
            "a=setup:passive",
        ] {
            assert_eq!(values(answered, line).len(), 1, "{line}");
        }
        if media_line[0] != "m=application" {
            assert!(answered.contains(&"a=rtcp-mux"));
            let with_defaults: Section<'_> = offered.iter().chain(session).copied().collect();
            assert_directions(offered_direction(&with_defaults), answered);
            assert_extensions(&with_defaults, answered);
        }
        assert_layers(offered, answered);
    }

    let group = values(&answered[0], "a=group:BUNDLE");
    let mut bundled: Vec<&str> = group
        .first()
        .map(|mids| mids.split(' ').collect())
        .unwrap_or_default();
    bundled.sort_unstable();
    accepted.sort_unstable();
    assert_eq!(bundled, accepted, "the group is the accepted sections");
}

fn assert_formats(offered: &[&str], answered: &[&str]) {
    let (offered_formats, formats) = (formats(offered), formats(answered));
    assert!(!formats.is_empty());
    for (index, format) in formats.iter().enumerate() {
        assert!(
            offered_formats.contains(format),
            "{format} was not offered in {}",
            offered[0]
        );
        assert!(
            !formats[..index].contains(format),
            "{format} twice in {}",
            answered[0]
        );
    }
    for prefix in ["a=rtpmap:", "a=fmtp:", "a=rtcp-fb:"] {
        for value in values(answered, prefix) {
            assert!(
                formats.contains(&first_word(value)),
                "{prefix}{value} is of no format"
            );
        }
    }
    let offered_rtpmaps = values(offered, "a=rtpmap:");
    for rtpmap in values(answered, "a=rtpmap:") {
        assert!(
            offered_rtpmaps
                .iter()
                .any(|other| other.eq_ignore_ascii_case(rtpmap)),
            "{rtpmap}"
        );
        if rtpmap.contains(" rtx/") {
            let fmtp = format!("a=fmtp:{} apt=", first_word(rtpmap));
            let of = values(answered, &fmtp);
            assert!(
                of.len() == 1 && formats.contains(&of[0]),
                "{rtpmap} of {of:?}"
            );
            assert!(
                values(offered, &fmtp)
                    .iter()
                    .any(|value| first_word(&value.replace(';', " ")) == of[0]),
                "{fmtp}"
            );
        }
    }
    let offered_feedback = values(offered, "a=rtcp-fb:");
    for feedback in values(answered, "a=rtcp-fb:") {
        let (_, kind) = feedback.split_once(' ').expect("a kind");
        let offers = |value: &&str| {
            value.split_once(' ').is_some_and(|(format, other)| {
                other.trim() == kind && (format == "*" || format == first_word(feedback))
            })
        };
        assert!(
            offered_feedback.iter().any(offers),
            "{feedback} was not offered"
        );
    }
}

const DIRECTIONS: [&str; 4] = ["a=sendrecv", "a=sendonly", "a=recvonly", "a=inactive"];

fn offered_direction<'a>(lines: &[&'a str]) -> &'a str {
    lines
        .iter()
        .find(|line| DIRECTIONS.contains(line))
        .copied()
        .unwrap_or("a=sendrecv")
}

fn assert_directions(offered: &str, answered: &[&str]) {
    let allowed: &[&str] = match offered {
        "a=sendonly" => &["a=recvonly", "a=inactive"],
        "a=recvonly" => &["a=sendonly", "a=inactive"],
        "a=inactive" => &["a=inactive"],
        _ => &DIRECTIONS,
    };
    let said: Vec<&&str> = answered
        .iter()
        .filter(|line| DIRECTIONS.contains(line))
        .collect();
    assert!(
        said.len() == 1 && allowed.contains(said[0]),
        "{said:?} to {offered}"
    );
    let sends = ["a=sendonly", "a=sendrecv"].contains(said[0]);
    assert_eq!(
        answered.iter().any(|line| line.starts_with("a=msid:")),
        sends,
        "a track where, and only where, it is sent"
    );
}

fn assert_extensions(offered: &[&str], answered: &[&str]) {
    let mut ids = Vec::new();
    for extension in values(answered, "a=extmap:") {
        let uri = extension.split(' ').nth(1).expect("a URI");
        let id = first_word(extension);
        let same = |other: &&str| {
            first_word(other) == id && other.split_ascii_whitespace().nth(1) == Some(uri)
        };
        assert!(
            values(offered, "a=extmap:").iter().any(same),
            "{extension} was not offered"
        );
        assert!(!ids.contains(&id), "{id} twice");
        ids.push(id);
    }
}

fn assert_layers(offered: &[&str], answered: &[&str]) {
    let rids = values(answered, "a=rid:");
    for rid in &rids {
        let send = rid.replace(" recv", " send");
        assert!(
            values(offered, "a=rid:")
                .iter()
                .any(|other| other.starts_with(&send)),
            "{rid}"
        );
    }
    let layers: Vec<&str> = rids.iter().map(|rid| first_word(rid)).collect();
    let simulcast = values(answered, "a=simulcast:recv");
    assert_eq!(
        simulcast
            .first()
            .map_or(vec![], |value| value.split(';').collect()),
        layers
    );
}

#[test]
fn every_answer_to_every_client_is_legal() {
    for (name, text) in FIXTURES {
        let offer = fixture(name);
        let count = offer.sections.len();
        let receive: Vec<AnsweredSection> = offer
            .sections
            .iter()
            .map(|section| AnsweredSection::Receive {
                rids: section.rids.clone(),
            })
            .collect();
        let mut without_first = accept_all(&offer);
        without_first[0] = AnsweredSection::Rejected;
        let choices = [
            accept_all(&offer),
            receive,
            (0..)
                .take(count)
                .map(|number| AnsweredSection::Send(track(number)))
                .collect(),
            vec![AnsweredSection::Inactive; count],
            vec![AnsweredSection::Data; count],
            vec![],
            without_first,
        ];
        for sections in choices {
            assert_legal(text, &answer_with(&offer, sections));
        }
    }
}

#[test]
fn every_section_of_every_client_is_used_when_all_are_accepted() {
    for (name, text) in FIXTURES {
        let answer = answer_with(&fixture(name), accept_all(&fixture(name)));
        let rejected = sections(&answer)
            .iter()
            .skip(1)
            .filter(|section| section[0].contains(" 0 "))
            .count();
        assert_eq!(rejected, 0, "{name}");
        assert_eq!(
            values(&sections(&answer)[0], "a=group:BUNDLE "),
            values(&sections(text)[0], "a=group:BUNDLE ")
        );
    }
}
