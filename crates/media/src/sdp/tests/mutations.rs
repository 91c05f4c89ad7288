//! Damaged offers of real clients: reading never panics, and whatever is read is answered legally.

use super::legality::assert_legal;
use super::*;

/// xorshift64*: the same damage in every run.
struct Random(u64);

impl Random {
    fn below(&mut self, limit: usize) -> usize {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        (self.0.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 33) as usize % limit.max(1)
    }
}

fn damage(text: &str, random: &mut Random) -> String {
    let mut lines: Vec<&str> = text.split_inclusive('\n').collect();
    let place = random.below(lines.len());
    match random.below(7) {
        0 => {
            return text
                .get(..random.below(text.len()))
                .unwrap_or_default()
                .to_owned();
        }
        1 => _ = lines.remove(place),
        2 => lines.insert(random.below(lines.len()), lines[place]),
        3 => lines.swap(place, random.below(text.lines().count())),
        4 => {
            let (from, to) = (place, (place + random.below(20)).min(lines.len()));
            lines.drain(from..to);
        }
        5 => {
            let mut bytes = text.as_bytes().to_vec();
            for _ in 0..=random.below(20) {
                let at = random.below(bytes.len());
                bytes[at] = random.below(256) as u8;
            }
            return String::from_utf8_lossy(&bytes).into_owned();
        }
        // A number for another number: payload types, ids, ports, SSRCs.
        _ => {
            let mut bytes = text.as_bytes().to_vec();
            let digits: Vec<usize> = (0..bytes.len())
                .filter(|&at| bytes[at].is_ascii_digit())
                .collect();
            for _ in 0..=random.below(30) {
                bytes[digits[random.below(digits.len())]] = b'0' + random.below(10) as u8;
            }
            return String::from_utf8_lossy(&bytes).into_owned();
        }
    }
    lines.concat()
}

fn any_answer(offer: &Offer, random: &mut Random) -> Vec<AnsweredSection> {
    let any = |section: &OfferedSection, random: &mut Random| match random.below(6) {
        0 => AnsweredSection::Rejected,
        1 => AnsweredSection::Inactive,
        2 => AnsweredSection::Receive {
            rids: section.rids.iter().take(random.below(4)).cloned().collect(),
        },
        3 => AnsweredSection::Send(track(3)),
        4 => AnsweredSection::SendReceive {
            rids: section.rids.clone(),
            track: track(4),
        },
        _ => AnsweredSection::Data,
    };
    offer
        .sections
        .iter()
        .map(|section| any(section, random))
        .collect()
}

#[test]
fn a_damaged_offer_is_refused_or_answered_legally_and_never_panics() {
    let mut random = Random(0x5eed_0000_0000_0001);
    let (mut refused, mut answered) = (0, 0);
    for round in 0..720 {
        let (name, text) = FIXTURES[round % FIXTURES.len()];
        let mut text = text.to_owned();
        for _ in 0..=random.below(4) {
            text = damage(&text, &mut random);
        }
        let Ok(offer) = parse(&text) else {
            refused += 1;
            continue;
        };
        answered += 1;
        for sections in [accept_all(&offer), any_answer(&offer, &mut random)] {
            let answer = answer_with(&offer, sections);
            let legal = std::panic::catch_unwind(|| assert_legal(&text, &answer));
            assert!(legal.is_ok(), "round {round} of {name}:\n{text}\n{answer}");
        }
    }
    assert!(
        refused > 100 && answered > 100,
        "the damage is neither too small nor too great: {refused}, {answered}"
    );
}

#[test]
fn an_offer_made_to_be_slow_is_read_quickly() {
    let limits = Limits::default();
    let (_, text) = FIXTURES[1];
    for line in [
        "a=rtcp-fb:* nack\r\n",
        "a=group:BUNDLE 0\r\n",
        "a=rid:a send\r\n",
        "a=mid:0\r\n",
        "a=extmap:1 x\r\n",
        "a=ssrc-group:FID 1 1\r\n",
    ] {
        let text = text.to_owned() + &line.repeat((limits.sdp_bytes - text.len()) / line.len());
        let offer = parse(&text).expect("nothing in it is wrong");
        assert!(!answer_with(&offer, accept_all(&offer)).is_empty());
    }
    let many: String = (0..15_000)
        .map(|number| format!(" {}", number % 128))
        .collect();
    let text = text.replacen("SAVPF 111", &format!("SAVPF 111{many}"), 1);
    assert!(text.len() < limits.sdp_bytes && parse(&text).is_ok());
}
