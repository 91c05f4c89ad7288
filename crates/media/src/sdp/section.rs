//! Read one media section of an offer. It never looks at another section.

use super::lines::{Attributes, SectionLines};
use super::parse::direction;
use super::{Media, OfferError, OfferedSection, codecs, extensions, simulcast, ssrc};

/// The mid travels in a one-byte header extension, which holds 16 bytes.
const MID_LENGTH: usize = 16;

/// RFC 8841: what a client takes that does not say how much it takes.
const DEFAULT_MESSAGE_SIZE: u64 = 65_536;

/// Read the section of m-line `number`, counted from 1. `group` has the mids of the BUNDLE group.
pub(super) fn parse_section(
    number: usize,
    lines: &SectionLines<'_>,
    session: &Attributes<'_>,
    group: &[&str],
) -> Result<OfferedSection, OfferError> {
    let attributes = &lines.attributes;
    let mid = attributes.value("mid").unwrap_or_default();
    let disabled = lines.port == 0 && !attributes.has("bundle-only");
    if mid.is_empty() && !disabled {
        return Err(OfferError::NoMid { number });
    }
    if mid.len() > MID_LENGTH || !mid.bytes().all(is_token_byte) {
        return Err(OfferError::InvalidMid { number });
    }
    let rejected = disabled || !group.contains(&mid);

    let media = match lines.media {
        "audio" => Media::Audio,
        "video" => Media::Video,
        "application" => Media::Application,
        other => Media::Other(other.to_owned()),
    };
    let extmap_allow_mixed =
        session.has("extmap-allow-mixed") || attributes.has("extmap-allow-mixed");
    let codecs = media
        .kind()
        .map(|kind| codecs::parse(kind, lines))
        .unwrap_or_default();
    let extensions = extensions::parse(attributes, session, extmap_allow_mixed);
    let sources = ssrc::parse(attributes);

    let section = OfferedSection {
        mid: mid.to_owned(),
        media,
        direction: direction(attributes, session),
        rejected,
        protocol: lines.protocol.to_owned(),
        first_format: lines.formats.first().copied().unwrap_or("0").to_owned(),
        codecs,
        extensions: extensions.ids,
        one_way_extensions: extensions.one_way,
        extmap_allow_mixed,
        rtcp_rsize: attributes.has("rtcp-rsize"),
        rids: simulcast::parse(attributes),
        ssrcs: sources.ssrcs,
        rtx_ssrcs: sources.rtx_ssrcs,
        simulcast_ssrcs: sources.simulcast_ssrcs,
        sctp_port: attributes
            .value("sctp-port")
            .and_then(|port| port.parse().ok()),
        max_message_size: attributes
            .value("max-message-size")
            .and_then(|size| size.parse().ok())
            .unwrap_or(DEFAULT_MESSAGE_SIZE),
    };
    let is_rtp = section.media.kind().is_some();
    if is_rtp && section.is_usable() && !attributes.has("rtcp-mux") {
        return Err(OfferError::NoRtcpMux { mid: section.mid });
    }
    Ok(section)
}

/// RFC 8866, section 9: `token-char`.
fn is_token_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`{|}~".contains(&byte)
}
