//! Read an offer: the limits, then the session, then each section. It never guesses what is missing.

use super::lines::Lines;
use super::section::parse_section;
use super::{Direction, Offer, OfferError, OfferedSection, transport};
use crate::Limits;

/// Read a client's offer.
pub(crate) fn parse_offer(text: &str, limits: &Limits) -> Result<Offer, OfferError> {
    if text.len() > limits.sdp_bytes {
        return Err(OfferError::TooLarge {
            limit: limits.sdp_bytes,
        });
    }
    let lines = Lines::split(text, limits.media_sections)?;
    keep_limits(&lines, limits)?;

    let group: Vec<&str> = bundle_group(&lines).ok_or(OfferError::NoBundle)?;
    let mut sections: Vec<OfferedSection> = Vec::with_capacity(lines.sections.len());
    for (index, section) in lines.sections.iter().enumerate() {
        let section = parse_section(index + 1, section, &lines.session, &group)?;
        if !section.mid.is_empty() && sections.iter().any(|other| other.mid == section.mid) {
            return Err(OfferError::DuplicateMid { mid: section.mid });
        }
        sections.push(section);
    }

    // RFC 8843, section 9.2: the first section of the group speaks for the transport of all.
    let tagged = group
        .iter()
        .find_map(|mid| {
            sections
                .iter()
                .position(|section| section.mid == *mid && !section.rejected)
        })
        .ok_or(OfferError::NothingOffered)?;
    let attributes = &lines.sections[tagged].attributes;
    let transport = transport::parse(attributes, &lines.session)?;

    let mut bundle: Vec<String> = Vec::new();
    for mid in group {
        if !bundle.iter().any(|other| other == mid)
            && sections.iter().any(|section| section.mid == mid)
        {
            bundle.push(mid.to_owned());
        }
    }
    Ok(Offer {
        ice_ufrag: transport.ice_ufrag,
        ice_pwd: transport.ice_pwd,
        fingerprint: transport.fingerprint,
        extmap_allow_mixed: lines.session.has("extmap-allow-mixed"),
        sections,
        bundle,
    })
}

/// The mids of the first BUNDLE group. Sections of a second one are not bundled with the rest, and so
/// not to be used.
fn bundle_group<'a>(lines: &Lines<'a>) -> Option<Vec<&'a str>> {
    lines.session.values("group").find_map(|group| {
        let mut words = group.split_ascii_whitespace();
        (words.next() == Some("BUNDLE")).then(|| words.collect())
    })
}

fn keep_limits(lines: &Lines<'_>, limits: &Limits) -> Result<(), OfferError> {
    let mut ssrc_lines = 0;
    for section in &lines.sections {
        // Firefox names one SSRC, for its receiver reports, in each section that it only receives on: a
        // viewer of many would otherwise be over the limit of a publisher.
        let sends = direction(&section.attributes, &lines.session).sends();
        ssrc_lines += section
            .attributes
            .values("ssrc")
            .skip(usize::from(!sends))
            .count();
        // A client that gathers before it offers repeats its candidates in every section.
        if section.attributes.values("candidate").count() > limits.candidates {
            return Err(OfferError::TooManyCandidates {
                limit: limits.candidates,
            });
        }
    }
    if ssrc_lines > limits.ssrc_lines {
        return Err(OfferError::TooManySsrcLines {
            limit: limits.ssrc_lines,
        });
    }
    Ok(())
}

/// The direction of a section: its own, else the session's, else both ways (RFC 8866, section 6.7).
pub(super) fn direction(
    section: &super::lines::Attributes<'_>,
    session: &super::lines::Attributes<'_>,
) -> Direction {
    [section, session]
        .into_iter()
        .find_map(|attributes| {
            attributes
                .iter()
                .find_map(|(name, _)| Direction::from_name(name))
        })
        .unwrap_or(Direction::SendRecv)
}
