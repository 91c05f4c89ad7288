//! Receivers that are not always let run: what has arrived waits until they look, and is told of as of then. That
//! is no queue on the path, and no picture may be broken off for it.

use super::link::{Link, Sent, Settings};
use super::sender::{Flow, Source, moment};
use crate::bandwidth::Bandwidth;
use crate::rtp::seeded::Seeded;

/// Loopback.
const PATH: Settings = Settings {
    bps: 1e9,
    queue_ms: 300,
    delay_ms: 0,
    loss_percent: 0,
    jitter_ms: 0,
};

/// The receiver runs, and then does not for a while: each by chance, up to so many milliseconds.
#[derive(Clone, Copy, Debug)]
struct Starvation {
    runs_ms: u64,
    waits_ms: u64,
}

/// One video, and what became of it: the lowest estimate after 3 s in bit/s, the longest wait in the pacer, and how
/// many pictures were broken off.
fn watch(layers: &[f64], starvation: Starvation, seed: u64) -> (f64, u64, u64) {
    let start = crate::test_time::start();
    let mut random = Seeded::new(seed);
    let mut bandwidth = Bandwidth::new(start);
    bandwidth.enable();
    let mut flow = Flow::new(start, Box::new(bandwidth), Source::Layers(layers.to_vec()));
    let mut link = Link::new(PATH, seed);
    let mut unread: Vec<Sent> = Vec::new();
    let (mut is_running, mut turns_us) = (true, 0);
    let (mut least, mut out) = (f64::INFINITY, Vec::new());
    for now_us in (0..60_000_000).step_by(1_000) {
        let now = moment(start, now_us);
        flow.step(0, now_us, now, &mut out);
        out.drain(..).for_each(|packet| link.send(packet));
        unread.extend(link.step(now_us).into_iter().map(|(_, packet)| packet));
        if now_us >= turns_us {
            is_running = !is_running;
            let most_ms = match is_running {
                true => starvation.runs_ms,
                false => starvation.waits_ms,
            };
            turns_us = now_us + random.below(most_ms * 1_000);
        }
        if is_running {
            unread.drain(..).for_each(|packet| flow.arrive(now, packet));
            flow.report(now_us, now, 0);
        }
        if now_us > 3_000_000 {
            least = least.min(flow.controller.bps());
        }
    }
    (least, flow.worst_wait_us / 1_000, flow.frames_dropped)
}

#[test]
fn a_receiver_that_is_seldom_let_run_gets_its_whole_picture() {
    for (runs_ms, waits_ms) in [
        (200, 20),
        (100, 50),
        (100, 100),
        (50, 200),
        (100, 400),
        (20, 300),
    ] {
        let starvation = Starvation { runs_ms, waits_ms };
        for bps in [150e3, 600e3, 2.5e6] {
            let mut all = (f64::INFINITY, 0, 0);
            for seed in 0..10 {
                let (least, wait_ms, broken_off) = watch(&[bps], starvation, seed);
                all = (all.0.min(least), all.1.max(wait_ms), all.2 + broken_off);
            }
            let (least, wait_ms, broken_off) = all;
            println!(
                "runs up to {runs_ms} ms, waits up to {waits_ms} ms, a video of {:4.0} kbit/s: estimate at least {:4.0} kbit/s, longest wait {wait_ms} ms, {broken_off} pictures broken off",
                bps / 1e3,
                least / 1e3,
            );
            assert_eq!(broken_off, 0);
            assert!(least > 0.8 * bps, "{least}");
        }
    }
}
