//! The estimator of `rtc-interceptor` on the same paths, without its chain of interceptors, for comparison: with
//! our pacer's rule and no probes, for it has none.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use rtc::interceptor::{BandwidthEstimator, Gcc, PacketReport};
use rtc::rtcp::transport_feedbacks::cc_feedback_report::Ecn;

use super::sender::Controller;
use crate::bandwidth::estimator::FIRST_BPS;
use crate::bandwidth::{ReceiverClock, TransportFeedback};

pub(super) struct Library {
    gcc: Gcc,
    clock: ReceiverClock,
    sent: VecDeque<(u16, Instant, usize)>,
    next: u16,
    reports: u64,
}

impl Library {
    pub(super) fn new() -> Self {
        Self {
            gcc: Gcc::new(FIRST_BPS, 50e3, 200e6),
            clock: ReceiverClock::default(),
            sent: VecDeque::new(),
            next: 0,
            reports: 0,
        }
    }
}

impl Controller for Library {
    fn number(&mut self, now: Instant, bytes: usize) -> u16 {
        self.next = self.next.wrapping_add(1);
        self.sent.push_back((self.next, now, bytes));
        self.next
    }

    fn may_send(&mut self, _now: Instant) -> bool {
        true
    }

    fn probe(&mut self, _now: Instant) -> usize {
        0
    }

    fn is_probing(&self) -> bool {
        false
    }

    fn feedback(&mut self, now: Instant, packet: &[u8]) {
        let feedback = TransportFeedback::parse(packet).unwrap();
        let reference_us = self.clock.reference_us(feedback.reference());
        let mut reports = Vec::new();
        for told in feedback.packets() {
            while self
                .sent
                .front()
                .is_some_and(|(number, ..)| (told.number.wrapping_sub(*number) as i16) > 0)
            {
                self.sent.pop_front();
            }
            let Some((_, departure, size)) = self
                .sent
                .pop_front_if(|(number, ..)| *number == told.number)
            else {
                continue;
            };
            self.reports += 1;
            reports.push(PacketReport {
                ssrc: 1,
                id: self.reports,
                rtp_sequence_number: told.number,
                is_twcc: true,
                twcc_sequence_number: told.number,
                size,
                arrived: told.arrival_us.is_some(),
                departure,
                arrival: told
                    .arrival_us
                    .map(|arrival| Duration::from_micros((reference_us + arrival) as u64)),
                ecn: Ecn::default(),
            });
        }
        self.gcc.on_reports(now, &reports);
    }

    fn tick(&mut self, _now: Instant) {}

    fn want(&mut self, _bps: f64) {}

    fn bps(&self) -> f64 {
        self.gcc.target_bitrate()
    }
}
