//! The general grammar of SDP: lines, the session's part, the sections with their attributes. It never
//! knows what an attribute means, and copies nothing.

use super::OfferError;

/// A text, taken apart.
pub(super) struct Lines<'a> {
    /// The attributes before the first m-line.
    pub session: Attributes<'a>,
    /// One for each m-line.
    pub sections: Vec<SectionLines<'a>>,
}

/// An m-line and the attributes under it.
pub(super) struct SectionLines<'a> {
    pub media: &'a str,
    pub port: u16,
    pub protocol: &'a str,
    /// At least one.
    pub formats: Vec<&'a str>,
    pub attributes: Attributes<'a>,
}

/// `a=` lines in their order: names, and values that are empty where there are none.
#[derive(Default)]
pub(super) struct Attributes<'a>(Vec<(&'a str, &'a str)>);

impl<'a> Lines<'a> {
    /// Take a text apart. Lines end with CR, LF or both, so that no line holds either; lines other than
    /// `v=`, `m=` and `a=` say nothing to a WebRTC server and are passed over.
    pub(super) fn split(text: &'a str, most_sections: usize) -> Result<Self, OfferError> {
        let mut lines = text
            .split(['\r', '\n'])
            .map(str::trim)
            .filter(|line| !line.is_empty());
        if lines.next() != Some("v=0") {
            return Err(OfferError::NotSdp);
        }
        let mut session = Attributes::default();
        let mut sections: Vec<SectionLines<'a>> = Vec::new();
        for line in lines {
            if let Some(media_line) = line.strip_prefix("m=") {
                if sections.len() == most_sections {
                    return Err(OfferError::TooManySections {
                        limit: most_sections,
                    });
                }
                let number = sections.len() + 1;
                let section = SectionLines::parse(media_line)
                    .ok_or(OfferError::BrokenMediaLine { number })?;
                sections.push(section);
            } else if let Some(attribute) = line.strip_prefix("a=") {
                let (name, value) = attribute.split_once(':').unwrap_or((attribute, ""));
                let attributes = sections
                    .last_mut()
                    .map_or(&mut session, |section| &mut section.attributes);
                attributes.0.push((name, value.trim()));
            }
        }
        Ok(Self { session, sections })
    }
}

impl<'a> SectionLines<'a> {
    fn parse(media_line: &'a str) -> Option<Self> {
        let mut words = media_line.split_ascii_whitespace();
        let media = words.next()?;
        let port = words.next()?.split('/').next()?.parse().ok()?;
        let protocol = words.next()?;
        let formats: Vec<_> = words.collect();
        if formats.is_empty() {
            return None;
        }
        Some(Self {
            media,
            port,
            protocol,
            formats,
            attributes: Attributes::default(),
        })
    }
}

impl<'a> Attributes<'a> {
    /// The first value under a name.
    pub(super) fn value(&self, name: &str) -> Option<&'a str> {
        self.values(name).next()
    }

    /// Every value under a name, in order.
    pub(super) fn values(&self, name: &str) -> impl Iterator<Item = &'a str> {
        self.iter()
            .filter(move |(other, _)| *other == name)
            .map(|(_, value)| value)
    }

    /// Whether there is such an attribute.
    pub(super) fn has(&self, name: &str) -> bool {
        self.value(name).is_some()
    }

    /// Names and values, in order.
    pub(super) fn iter(&self) -> impl Iterator<Item = (&'a str, &'a str)> {
        self.0.iter().copied()
    }
}

/// A number up to 255 in its one spelling: `07` and `+7` are not 7, so that the answer repeats what was said.
pub(super) fn parse_number(text: &str) -> Option<u8> {
    let is_plain = text == "0" || text.starts_with(|first: char| matches!(first, '1'..='9'));
    text.parse().ok().filter(|_| is_plain)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_may_end_in_any_way_and_none_holds_a_line_break() {
        let text = "v=0\na=one:1\r\nm=audio 9/2 P 1 2\ra=two\n\n";
        let lines = Lines::split(text, 1).expect("it is well-formed");
        assert_eq!(lines.session.value("one"), Some("1"));
        assert_eq!(lines.sections[0].formats, ["1", "2"]);
        assert_eq!(lines.sections[0].port, 9);
        assert_eq!(lines.sections[0].attributes.value("two"), Some(""));
    }

    #[test]
    fn a_broken_media_line_is_told_by_its_number() {
        for broken in [
            "m=audio",
            "m=audio x P 1",
            "m=audio 9 P",
            "m=audio 70000 P 1",
            "m=",
        ] {
            let text = format!("v=0\r\nm=video 9 P 1\r\n{broken}\r\n");
            let refused = Lines::split(&text, 64).err();
            assert_eq!(
                refused,
                Some(OfferError::BrokenMediaLine { number: 2 }),
                "{broken}"
            );
        }
    }
}
