//! Read which simulcast layers a client would send (RFC 8853, rids by RFC 8851). It never takes a layer
//! that has no `a=rid` line of its own.

use super::lines::Attributes;

/// The rid travels in a one-byte header extension, which holds 16 bytes.
const RID_LENGTH: usize = 16;

/// Browsers send at most three layers; a few more cost nothing, thousands would.
const MOST_LAYERS: usize = 8;

/// The rids that the client would send, in the order of `a=simulcast`. Of alternatives (`q,x`) the first,
/// which the client prefers; layers that start paused (`~q`) too.
pub(super) fn parse(attributes: &Attributes<'_>) -> Vec<String> {
    let mut rids: Vec<String> = Vec::new();
    for layer in sent_layers(attributes) {
        let rid = layer.split(',').next().unwrap_or_default();
        let rid = rid.strip_prefix('~').unwrap_or(rid);
        if rids.len() < MOST_LAYERS
            && is_sent(attributes, rid)
            && !rids.iter().any(|other| other == rid)
        {
            rids.push(rid.to_owned());
        }
    }
    rids
}

/// The value of `a=simulcast` is `send q;h;f`, `recv …`, or one after the other.
fn sent_layers<'a>(attributes: &Attributes<'a>) -> impl Iterator<Item = &'a str> {
    let mut words = attributes
        .value("simulcast")
        .unwrap_or_default()
        .split_ascii_whitespace();
    let layers = words
        .find(|word| *word == "send")
        .and_then(|_| words.next());
    layers.unwrap_or_default().split(';').take(2 * MOST_LAYERS)
}

fn is_sent(attributes: &Attributes<'_>, rid: &str) -> bool {
    let is_rid = (1..=RID_LENGTH).contains(&rid.len())
        && rid
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_');
    is_rid
        && attributes.values("rid").any(|value| {
            let mut words = value.split_ascii_whitespace();
            words.next() == Some(rid) && words.next() == Some("send")
        })
}

#[cfg(test)]
mod tests {
    use super::super::lines::Lines;
    use super::*;

    fn rids(attributes: &str) -> Vec<String> {
        let text = format!("v=0\nm=video 9 UDP/TLS/RTP/SAVPF 96\n{attributes}");
        parse(&Lines::split(&text, 1).expect("well-formed").sections[0].attributes)
    }

    #[test]
    fn layers_come_in_the_order_of_simulcast() {
        assert_eq!(
            rids("a=rid:f send\na=rid:q send max-width=320\na=simulcast:send q;f"),
            ["q", "f"]
        );
    }

    #[test]
    fn a_paused_layer_counts_and_of_alternatives_the_first() {
        let lines = "a=rid:q send\na=rid:x send\na=rid:h send\na=simulcast:recv a send q,x;~h";
        assert_eq!(rids(lines), ["q", "h"]);
    }

    #[test]
    fn a_layer_needs_a_sending_rid_line_and_a_valid_name() {
        let lines =
            "a=rid:q recv\na=rid:h send\na=rid:a.b send\na=simulcast:send q;a.b;missing;h;h";
        assert_eq!(rids(lines), ["h"]);
        assert!(
            rids("a=rid:q send").is_empty() && rids("a=rid:q send\na=simulcast:recv q").is_empty()
        );
    }

    #[test]
    fn there_are_never_more_layers_than_the_limit() {
        let names: Vec<String> = (0..100).map(|number| format!("l{number}")).collect();
        let lines: String = names
            .iter()
            .map(|name| format!("a=rid:{name} send\n"))
            .collect();
        assert_eq!(
            rids(&format!("{lines}a=simulcast:send {}", names.join(";"))).len(),
            MOST_LAYERS
        );
    }
}
