//! What a report says in whole sentences: the verdict and its reasons. The same for the text and the page.

use super::figures::{count, ms};
use super::{Limit, Ramp, Report, Verdict};

impl Verdict {
    /// In a word or two.
    pub(super) fn title(self) -> &'static str {
        match self {
            Self::Passed => "PASSED",
            Self::FellShort => "FELL SHORT",
            Self::Invalid => "INVALID",
        }
    }
}

impl Report {
    /// Why the verdict is what it is.
    pub(super) fn reason(&self) -> String {
        match (self.verdict, &self.ramp) {
            (Verdict::Invalid, ramp) => {
                let reached = ramp.as_ref().map(|ramp| format!(" {}", capacity(ramp)));
                format!(
                    "the generator itself did not keep up: {}. Delays and losses below are not the server's.{}",
                    self.lateness(),
                    reached.unwrap_or_default()
                )
            }
            (_, Some(ramp)) => capacity(ramp),
            (Verdict::Passed, None) => {
                "every packet came, exactly once and in order, and everybody joined.".to_owned()
            }
            (Verdict::FellShort, None) => self.shortcomings(),
        }
    }

    fn lateness(&self) -> String {
        let generator = &self.generator;
        let mut reasons = Vec::new();
        match generator.max_lag_ms {
            None => reasons.push("it sent nothing".to_owned()),
            Some(max) if max > generator.packet_interval_ms => reasons.push(format!(
                "it was up to {} late, more than one packet interval ({})",
                ms(Some(max)),
                ms(Some(generator.packet_interval_ms))
            )),
            Some(_) => {}
        }
        if generator.socket_drops > 0 {
            let drops = count(generator.socket_drops);
            reasons.push(format!(
                "its own sockets were full, and dropped {drops} packets"
            ));
        }
        if reasons.is_empty() {
            reasons.push("it was late in a step of the ramp".to_owned());
        }
        reasons.join(", and ")
    }

    fn shortcomings(&self) -> String {
        let delivery = &self.delivery;
        let faults = [
            (delivery.lost, "lost"),
            (delivery.duplicated, "doubled"),
            (delivery.reordered, "reordered"),
            (delivery.damaged, "damaged"),
        ];
        let faults = faults.iter().filter(|(number, _)| *number > 0);
        let mut faults: Vec<String> = faults
            .map(|(number, what)| format!("{} {what}", count(*number)))
            .collect();
        if delivery.offered == 0 {
            faults.push("no packet was offered to anybody".to_owned());
        } else if !faults.is_empty() {
            let offered = count(delivery.offered);
            faults = vec![format!("of {offered} packets {}", faults.join(", "))];
        }
        if self.failures.count > 0 {
            let failures = count(self.failures.count);
            faults.push(format!("{failures} failures of joining or connecting"));
        }
        if faults.is_empty() {
            faults.push("not every packet is accounted for".to_owned());
        }
        faults.join("; ") + "."
    }
}

fn capacity(ramp: &Ramp) -> String {
    let bound = match ramp.limit {
        Limit::Server => "the server carries",
        Limit::Generator | Limit::Steps => "the server carries at least",
    };
    let end = match ramp.limit {
        Limit::Server => "; with more it fell short.",
        Limit::Generator => "; with more it was the generator that did not keep up.",
        Limit::Steps => ", the most that were tried.",
    };
    match (ramp.capacity, ramp.steps.first()) {
        (Some(capacity), _) => format!("{bound} {} subscribers{end}", count(capacity)),
        (None, Some(first)) => format!(
            "the first step already, of {} subscribers, was too much.",
            count(first.subscribers)
        ),
        (None, None) => "no step was taken.".to_owned(),
    }
}
