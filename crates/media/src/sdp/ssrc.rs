//! Read the SSRCs that a section announces and how they belong together (RFC 5576). It never keeps one
//! that has no `a=ssrc` line, so that the limit of those lines is the limit of everything here.

use super::lines::Attributes;

/// The SSRCs of a section.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Sources {
    /// Of media, in order.
    pub ssrcs: Vec<u32>,
    /// Of media, with that of its retransmissions.
    pub rtx_ssrcs: Vec<(u32, u32)>,
    /// Of a `SIM` group.
    pub simulcast_ssrcs: Vec<u32>,
}

/// Read the SSRCs of a section.
pub(super) fn parse(attributes: &Attributes<'_>) -> Sources {
    let mut all: Vec<u32> = Vec::new();
    for ssrc in attributes
        .values("ssrc")
        .filter_map(|value| value.split(' ').next()?.parse().ok())
    {
        if !all.contains(&ssrc) {
            all.push(ssrc);
        }
    }

    let mut sources = Sources::default();
    let mut secondary: Vec<u32> = Vec::new();
    for group in attributes.values("ssrc-group") {
        let mut words = group.split_ascii_whitespace();
        let semantics = words.next().unwrap_or_default();
        // A group with more members than there are SSRCs repeats one; no need to read it all.
        let members: Option<Vec<u32>> = words
            .take(all.len() + 1)
            .map(|word| word.parse().ok())
            .collect();
        let Some(members) = members.filter(|members| members.iter().all(|ssrc| all.contains(ssrc)))
        else {
            continue;
        };
        match (semantics, members.as_slice()) {
            ("FID", &[primary, rtx]) if primary != rtx && !secondary.contains(&rtx) => {
                if !sources.rtx_ssrcs.iter().any(|(other, _)| *other == primary) {
                    sources.rtx_ssrcs.push((primary, rtx));
                }
                secondary.push(rtx);
            }
            ("FEC-FR", &[_, repair]) if !secondary.contains(&repair) => secondary.push(repair),
            ("SIM", layers) if sources.simulcast_ssrcs.is_empty() && layers.len() <= all.len() => {
                sources.simulcast_ssrcs = layers.to_vec();
            }
            _ => {}
        }
    }
    sources
        .rtx_ssrcs
        .retain(|(primary, _)| !secondary.contains(primary));
    sources.ssrcs = all
        .into_iter()
        .filter(|ssrc| !secondary.contains(ssrc))
        .collect();
    sources
}

#[cfg(test)]
mod tests {
    use super::super::lines::Lines;
    use super::*;

    fn sources(attributes: &str) -> Sources {
        let text = format!("v=0\nm=video 9 UDP/TLS/RTP/SAVPF 96\n{attributes}");
        parse(&Lines::split(&text, 1).expect("well-formed").sections[0].attributes)
    }

    #[test]
    fn layers_and_their_retransmissions_are_told_apart() {
        let found = sources(
            "a=ssrc-group:SIM 1 2\na=ssrc-group:FID 1 11\na=ssrc-group:FID 2 12\na=ssrc-group:FEC-FR 1 21\n\
             a=ssrc:1 cname:c\na=ssrc:1 msid:s t\na=ssrc:2 cname:c\na=ssrc:11 cname:c\na=ssrc:12 cname:c\na=ssrc:21 cname:c",
        );
        let expected = Sources {
            ssrcs: vec![1, 2],
            rtx_ssrcs: vec![(1, 11), (2, 12)],
            simulcast_ssrcs: vec![1, 2],
        };
        assert_eq!(found, expected);
    }

    #[test]
    fn a_group_of_ssrcs_without_lines_is_passed_over() {
        let found = sources(
            "a=ssrc:1 cname:c\na=ssrc-group:FID 1 2\na=ssrc-group:SIM 1 3\na=ssrc-group:FID 1 x\na=ssrc-group:FID 1 1",
        );
        assert_eq!(
            found,
            Sources {
                ssrcs: vec![1],
                ..Sources::default()
            }
        );
    }
}
