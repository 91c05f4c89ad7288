//! Read the header extensions of a section (RFC 8285), and say which of them the server uses in which
//! direction. It never renumbers one: the client's numbers hold for the whole BUNDLE.

use super::lines::{Attributes, parse_number};
use super::{Direction, OfferedSection};
use crate::extension::{Extension, ExtensionMap};

/// The extensions of a section.
#[derive(Debug, Default)]
pub(super) struct Extensions {
    pub ids: ExtensionMap,
    /// Those that are not for both directions.
    pub one_way: Vec<(Extension, Direction)>,
}

/// Read the extensions of a section; those of the session hold for each section.
pub(super) fn parse(
    section: &Attributes<'_>,
    session: &Attributes<'_>,
    allow_mixed: bool,
) -> Extensions {
    let mut extensions = Extensions::default();
    let mut taken = [false; 256];
    for value in section.values("extmap").chain(session.values("extmap")) {
        let mut words = value.split_ascii_whitespace();
        let (Some(number), Some(uri)) = (words.next(), words.next()) else {
            continue;
        };
        let (id, direction) = match number.split_once('/') {
            Some((id, direction)) => (id, Direction::from_name(direction)),
            None => (number, Some(Direction::SendRecv)),
        };
        let (Some(id), Some(direction)) = (parse_number(id), direction) else {
            continue;
        };
        if !is_usable(id, allow_mixed) || std::mem::replace(&mut taken[usize::from(id)], true) {
            continue;
        }
        let Some(extension) = Extension::from_uri(uri) else {
            continue;
        };
        if extensions.ids.id(extension).is_some() {
            continue;
        }
        extensions.ids.set(extension, id);
        if direction != Direction::SendRecv {
            extensions.one_way.push((extension, direction));
        }
    }
    extensions
}

/// RFC 8285, section 4.2 and 4.3: 15 is reserved in the one-byte form, 0 is padding.
fn is_usable(id: u8, allow_mixed: bool) -> bool {
    matches!(id, 1..=14) || (allow_mixed && id >= 16)
}

/// What the server reads from a publisher's packets.
const INBOUND: [Extension; 11] = [
    Extension::Mid,
    Extension::RtpStreamId,
    Extension::RepairedRtpStreamId,
    Extension::AudioLevel,
    Extension::AbsoluteSendTime,
    Extension::TransportSequenceNumber,
    Extension::VideoOrientation,
    Extension::PlayoutDelay,
    Extension::VideoContentType,
    Extension::ColorSpace,
    Extension::DependencyDescriptor,
];

/// What the server writes into a subscriber's packets. Not the rids: a subscriber gets one layer.
const OUTBOUND: [Extension; 9] = [
    Extension::Mid,
    Extension::AudioLevel,
    Extension::AbsoluteSendTime,
    Extension::TransportSequenceNumber,
    Extension::VideoOrientation,
    Extension::PlayoutDelay,
    Extension::VideoContentType,
    Extension::ColorSpace,
    Extension::DependencyDescriptor,
];

impl OfferedSection {
    /// The extensions that may be on packets from the client, once the section is answered so.
    pub(crate) fn inbound_extensions(&self) -> ExtensionMap {
        self.restricted(&INBOUND, Direction::sends)
    }

    /// The extensions that may be put on packets to the client, once the section is answered so.
    pub(crate) fn outbound_extensions(&self) -> ExtensionMap {
        self.restricted(&OUTBOUND, Direction::receives)
    }

    /// The direction in which the client offers an extension, in its own view.
    pub(super) fn extension_direction(&self, extension: Extension) -> Direction {
        let one_way = self
            .one_way_extensions
            .iter()
            .find(|(other, _)| *other == extension);
        one_way.map_or(Direction::SendRecv, |(_, direction)| *direction)
    }

    fn restricted(&self, used: &[Extension], allows: fn(Direction) -> bool) -> ExtensionMap {
        let mut map = ExtensionMap::default();
        for &extension in used {
            if let Some(id) = self
                .extensions
                .id(extension)
                .filter(|_| allows(self.extension_direction(extension)))
            {
                map.set(extension, id);
            }
        }
        map
    }
}

#[cfg(test)]
mod tests {
    use super::super::lines::Lines;
    use super::*;

    fn extensions(session: &str, section: &str, allow_mixed: bool) -> Extensions {
        let text = format!("v=0\n{session}\nm=video 9 UDP/TLS/RTP/SAVPF 96\n{section}");
        let lines = Lines::split(&text, 1).expect("well-formed");
        parse(&lines.sections[0].attributes, &lines.session, allow_mixed)
    }

    #[test]
    fn numbers_above_14_need_the_mixed_form_and_15_is_never_one() {
        let mid = Extension::Mid;
        for (id, alone, mixed) in [
            ("0", None, None),
            ("14", Some(14), Some(14)),
            ("15", None, None),
            ("16", None, Some(16)),
            ("255", None, Some(255)),
            ("256", None, None),
            ("4096", None, None),
        ] {
            let line = format!("a=extmap:{id} {}", mid.uri());
            assert_eq!(extensions("", &line, false).ids.id(mid), alone, "{id}");
            assert_eq!(
                extensions("", &line, true).ids.id(mid),
                mixed,
                "{id}, mixed"
            );
        }
    }

    #[test]
    fn a_number_is_given_once_and_the_session_speaks_last() {
        let (mid, rid) = (Extension::Mid.uri(), Extension::RtpStreamId.uri());
        let found = extensions(
            &format!("a=extmap:5 {rid}\na=extmap:6 {mid}"),
            &format!("a=extmap:5 {mid}"),
            false,
        );
        assert_eq!(found.ids.id(Extension::Mid), Some(5));
        assert_eq!(found.ids.id(Extension::RtpStreamId), None);
    }

    #[test]
    fn a_direction_that_is_no_word_of_sdp_takes_the_line_with_it() {
        let line = format!("a=extmap:5/sideways {}", Extension::Mid.uri());
        assert_eq!(extensions("", &line, false).ids, ExtensionMap::default());
    }
}
