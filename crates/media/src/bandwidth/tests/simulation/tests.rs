//! What must hold of the estimate on each kind of path.

use std::time::Instant;

use super::library::Library;
use super::link::{Link, Settings};
use super::sender::{Controller, Flow, Source, moment};
use crate::bandwidth::Bandwidth;

const PATH: Settings = Settings {
    bps: 2e6,
    queue_ms: 300,
    delay_ms: 25,
    loss_percent: 0,
    jitter_ms: 0,
};

/// One flow or more through one link, and what was seen of them in each tenth of a second.
struct World {
    start: Instant,
    now_us: u64,
    link: Link,
    flows: Vec<Flow>,
    samples: Vec<Sample>,
}

struct Sample {
    at_ms: u64,
    estimates: Vec<f64>,
    arrived: Vec<f64>,
    worst_queue_ms: f64,
    layers: Vec<usize>,
}

impl World {
    fn new(settings: Settings, sources: &[Source]) -> Self {
        Self::with(settings, sources, |start| {
            let mut bandwidth = Bandwidth::new(start);
            bandwidth.enable();
            Box::new(bandwidth)
        })
    }

    fn with(
        settings: Settings,
        sources: &[Source],
        controller: impl Fn(Instant) -> Box<dyn Controller>,
    ) -> Self {
        let start = crate::test_time::start();
        let flows = sources
            .iter()
            .map(|source| Flow::new(start, controller(start), source.clone()))
            .collect();
        Self {
            start,
            now_us: 0,
            link: Link::new(settings, 5),
            flows,
            samples: Vec::new(),
        }
    }

    fn elastic(settings: Settings) -> Self {
        Self::new(settings, &[Source::Elastic { most_bps: 20e6 }])
    }

    fn run(&mut self, seconds: f64) {
        let end = self.now_us + (seconds * 1e6) as u64;
        let mut out = Vec::new();
        let mut worst_queue_ms: f64 = 0.0;
        while self.now_us < end {
            let now = moment(self.start, self.now_us);
            for (index, flow) in self.flows.iter_mut().enumerate() {
                flow.step(index, self.now_us, now, &mut out);
            }
            out.drain(..).for_each(|packet| self.link.send(packet));
            for (at, packet) in self.link.step(self.now_us) {
                self.flows[packet.flow].arrive(moment(self.start, at), packet);
            }
            let delay_us = self.link.settings.delay_ms * 1_000;
            for flow in &mut self.flows {
                flow.report(self.now_us, now, delay_us);
            }
            worst_queue_ms = worst_queue_ms.max(self.link.queue_ms());
            self.now_us += 1_000;
            if self.now_us.is_multiple_of(100_000) {
                let arrived =
                    |flow: &mut Flow| std::mem::take(&mut flow.arrived_bytes) as f64 * 80.0;
                self.samples.push(Sample {
                    at_ms: self.now_us / 1_000,
                    estimates: self
                        .flows
                        .iter()
                        .map(|flow| flow.controller.bps())
                        .collect(),
                    arrived: self.flows.iter_mut().map(arrived).collect(),
                    worst_queue_ms: std::mem::take(&mut worst_queue_ms),
                    layers: self.flows.iter().map(|flow| flow.layer).collect(),
                });
            }
        }
    }

    /// The samples after `from` until `to`, in seconds.
    fn between(&self, from: f64, to: f64) -> impl Iterator<Item = &Sample> {
        self.samples.iter().filter(move |sample| {
            sample.at_ms > (from * 1e3) as u64 && sample.at_ms <= (to * 1e3) as u64
        })
    }

    fn mean(&self, flow: usize, from: f64, to: f64) -> f64 {
        let count = self.between(from, to).count() as f64;
        self.between(from, to)
            .map(|sample| sample.estimates[flow])
            .sum::<f64>()
            / count
    }

    fn arrived(&self, flow: usize, from: f64, to: f64) -> f64 {
        let count = self.between(from, to).count() as f64;
        self.between(from, to)
            .map(|sample| sample.arrived[flow])
            .sum::<f64>()
            / count
    }

    fn worst_queue_ms(&self, from: f64, to: f64) -> f64 {
        self.between(from, to)
            .map(|sample| sample.worst_queue_ms)
            .fold(0.0, f64::max)
    }

    /// When after `from` the estimate first fulfilled this, in seconds after it.
    fn first(&self, flow: usize, from: f64, fulfils: impl Fn(f64) -> bool) -> Option<f64> {
        self.between(from, f64::MAX)
            .find(|sample| fulfils(sample.estimates[flow]))
            .map(|sample| sample.at_ms as f64 / 1e3 - from)
    }
}

#[test]
fn it_finds_what_the_path_carries_within_ten_seconds() {
    for bps in [0.3e6, 0.5e6, 1e6, 2e6, 4e6, 8e6, 16e6] {
        for delay_ms in [5, 25, 75] {
            let mut world = World::elastic(Settings {
                bps,
                delay_ms,
                ..PATH
            });
            world.run(30.0);
            let early = world.mean(0, 5.0, 10.0) / bps;
            let late = world.mean(0, 10.0, 30.0) / bps;
            let there = world.first(0, 0.0, |estimate| (0.85..1.05).contains(&(estimate / bps)));
            let arrived = world.arrived(0, 5.0, 30.0) / bps;
            println!(
                "{:4.1} Mbit/s, {delay_ms:2} ms: estimate {:3.0} % at 5-10 s, {:3.0} % later, there after {there:?} s, arrived {:3.0} %, worst queue {:3.0} ms after 5 s, probed {} KB",
                bps / 1e6,
                early * 100.0,
                late * 100.0,
                arrived * 100.0,
                world.worst_queue_ms(5.0, 30.0),
                world.flows[0].probed_bytes / 1_000,
            );
            assert!((0.85..1.05).contains(&late), "{late}");
            assert!(there.is_some_and(|seconds| seconds <= 10.0), "{there:?}");
        }
    }
}

#[test]
fn it_falls_when_the_path_narrows_and_climbs_when_it_widens() {
    for (bps, delay_ms) in [(1e6, 25), (2e6, 5), (2e6, 25), (2e6, 75), (8e6, 25)] {
        // A queue so long that only we can keep it short.
        let mut world = World::elastic(Settings {
            bps,
            delay_ms,
            queue_ms: 2_000,
            ..PATH
        });
        world.run(20.0);
        world.link.settings.bps = bps / 2.0;
        world.run(20.0);
        world.link.settings.bps = bps;
        world.run(20.0);
        let fallen = world.first(0, 20.0, |estimate| estimate < bps / 2.0);
        let climbed = world.first(0, 40.0, |estimate| estimate > bps * 0.85);
        let drained = world
            .between(20.3, 40.0)
            .find(|sample| sample.worst_queue_ms < 60.0)
            .map(|sample| sample.at_ms as f64 / 1e3 - 20.0);
        println!(
            "{:3.1} Mbit/s, {delay_ms:2} ms, halved at 20 s: below after {fallen:?} s, queue at most {:3.0} ms, under 60 ms after {drained:?} s, mean {:3.0} % of it; doubled at 40 s: there after {climbed:?} s",
            bps / 1e6,
            world.worst_queue_ms(20.0, 40.0),
            world.mean(0, 25.0, 40.0) / bps * 200.0,
        );
        assert!(fallen.is_some_and(|seconds| seconds <= 1.0), "{fallen:?}");
        assert!(drained.is_some_and(|seconds| seconds <= 3.0), "{drained:?}");
        assert!(world.worst_queue_ms(20.0, 40.0) < 700.0);
        assert!(
            climbed.is_some_and(|seconds| seconds <= 10.0),
            "{climbed:?}"
        );
    }
}

#[test]
fn losses_by_chance_are_no_congestion_until_they_are_many() {
    for loss_percent in [0, 1, 2, 5, 10, 15, 30] {
        for jitter_ms in [0, 30] {
            let mut world = World::elastic(Settings {
                loss_percent,
                jitter_ms,
                delay_ms: 50,
                ..PATH
            });
            world.run(40.0);
            let share = world.mean(0, 10.0, 40.0) / 2e6;
            println!(
                "{loss_percent:2} % lost, {jitter_ms:2} ms jitter: estimate {:3.0} % of the path at 10-40 s",
                share * 100.0,
            );
            match loss_percent {
                0..=5 => assert!((0.85..1.05).contains(&share), "{share}"),
                15.. => assert!((0.3..0.75).contains(&share), "{share}"),
                _ => {}
            }
        }
    }
}

#[test]
fn two_flows_share_a_path() {
    for second_starts in [0.0, 10.0] {
        let source = Source::Elastic { most_bps: 20e6 };
        let settings = Settings { bps: 4e6, ..PATH };
        let mut world = World::new(settings, &[source.clone(), source]);
        world.flows[1].starts_us = (second_starts * 1e6) as u64;
        world.run(90.0);
        println!(
            "second flow from {second_starts:2} s: {:3.0} % and {:3.0} % of the path arrived at 30-60 s, {:3.0} % and {:3.0} % at 60-90 s, worst queue {:3.0} ms",
            world.arrived(0, 30.0, 60.0) / 4e4,
            world.arrived(1, 30.0, 60.0) / 4e4,
            world.arrived(0, 60.0, 90.0) / 4e4,
            world.arrived(1, 60.0, 90.0) / 4e4,
            world.worst_queue_ms(20.0, 90.0),
        );
        let shares = [0, 1].map(|flow| world.arrived(flow, 30.0, 90.0) / 4e6);
        assert!(shares.iter().all(|share| *share > 0.25), "{shares:?}");
        assert!(shares.iter().sum::<f64>() > 0.75, "{shares:?}");
    }
}

#[test]
fn cross_traffic_is_made_room_for() {
    let sources = [Source::Elastic { most_bps: 20e6 }, Source::Constant(1.2e6)];
    let mut world = World::new(PATH, &sources);
    world.flows[1].starts_us = 20_000_000;
    world.flows[1].ends_us = 40_000_000;
    world.run(60.0);
    println!(
        "1.2 of 2 Mbit/s taken from 20 s to 40 s: estimate {:4.0} kbit/s before, {:4.0} at 22-40 s, {:4.0} at 45-60 s; worst queue {:3.0} ms",
        world.mean(0, 10.0, 20.0) / 1e3,
        world.mean(0, 22.0, 40.0) / 1e3,
        world.mean(0, 45.0, 60.0) / 1e3,
        world.worst_queue_ms(22.0, 40.0),
    );
    assert!((0.5e6..0.9e6).contains(&world.mean(0, 22.0, 40.0)));
    assert!(world.mean(0, 45.0, 60.0) > 1.6e6);
}

const LAYERS: [f64; 3] = [150e3, 500e3, 2.5e6];

#[test]
fn layers_follow_the_path() {
    for bps in [0.3e6, 0.7e6, 1e6, 2e6, 3e6, 3.5e6, 5e6, 20e6] {
        let mut world = World::new(Settings { bps, ..PATH }, &[Source::Layers(LAYERS.to_vec())]);
        world.run(60.0);
        let layers: Vec<usize> = world
            .between(5.0, 60.0)
            .map(|sample| sample.layers[0])
            .collect();
        let switches = layers.windows(2).filter(|pair| pair[0] != pair[1]).count();
        let there = world
            .between(0.0, 60.0)
            .find(|sample| sample.layers[0] == *layers.iter().max().unwrap())
            .map(|sample| sample.at_ms);
        let mean = layers.iter().sum::<usize>() as f64 / layers.len() as f64;
        println!(
            "{:4.1} Mbit/s: best layer after {there:?} ms, mean layer {mean:.2}, {switches} switches at 5-60 s, worst queue {:3.0} ms, worst wait {:3.0} ms, {} frames dropped, probed {} KB",
            bps / 1e6,
            world.worst_queue_ms(5.0, 60.0),
            world.flows[0].worst_wait_us as f64 / 1e3,
            world.flows[0].frames_dropped,
            world.flows[0].probed_bytes / 1_000,
        );
        assert_eq!(world.flows[0].frames_dropped, 0);
        let (least, most) = match bps {
            ..0.5e6 => (0.0, 0.1),
            ..0.9e6 => (0.2, 1.0),
            ..2.5e6 => (1.0, 1.0),
            ..3.2e6 => (1.0, 2.0),
            _ => (2.0, 2.0),
        };
        assert!((least..=most).contains(&mean), "{mean}");
        assert!(there.is_some_and(|ms| ms <= 1_000), "{there:?}");
    }
}

#[test]
fn a_layer_is_left_in_time_when_the_path_narrows_and_taken_again() {
    for (wide, narrow) in [(5e6, 1e6), (5e6, 0.4e6), (3.5e6, 2e6)] {
        let mut world = World::new(
            Settings { bps: wide, ..PATH },
            &[Source::Layers(LAYERS.to_vec())],
        );
        world.run(20.0);
        let before = world.flows[0].layer;
        world.link.settings.bps = narrow;
        world.run(20.0);
        world.link.settings.bps = wide;
        world.run(20.0);
        let left = world
            .between(20.0, 40.0)
            .find(|sample| sample.layers[0] < before)
            .map(|sample| sample.at_ms as i64 - 20_000);
        let again = world
            .between(40.0, 60.0)
            .find(|sample| sample.layers[0] == before)
            .map(|sample| sample.at_ms as i64 - 40_000);
        println!(
            "{:3.1} to {:3.1} Mbit/s: layer {before} left after {left:?} ms, queue at most {:3.0} ms and {:3.0} ms after 3 s, taken again after {again:?} ms of the old rate, {} frames dropped",
            wide / 1e6,
            narrow / 1e6,
            world.worst_queue_ms(20.0, 40.0),
            world.worst_queue_ms(23.0, 40.0),
            world.flows[0].frames_dropped,
        );
        assert!(left.is_some_and(|ms| ms <= 1_000), "{left:?}");
        assert!(world.worst_queue_ms(23.0, 40.0) < 150.0);
        assert!(again.is_some_and(|ms| ms <= 10_000), "{again:?}");
    }
}

/// Why there is an estimator of our own: docs/decisions/0013.
#[test]
fn the_librarys_estimator_finds_a_fast_path_much_later() {
    let mut ours_first = 0;
    for bps in [0.5e6, 2e6, 8e6, 16e6] {
        let settings = Settings { bps, ..PATH };
        let source = [Source::Elastic { most_bps: 20e6 }];
        let mut theirs = World::with(settings, &source, |_| Box::new(Library::new()));
        let mut ours = World::new(settings, &source);
        let mut found = [&mut ours, &mut theirs].map(|world| {
            world.run(30.0);
            world.link.settings.bps = bps / 2.0;
            world.run(20.0);
            let found = world.first(0, 0.0, |estimate| {
                (0.85..1.05).contains(&(estimate / bps))
            });
            let fallen = world.first(0, 30.0, |estimate| estimate < bps / 2.0);
            println!(
                "{:4.1} Mbit/s: found after {found:?} s, estimate {:3.0} % at 10-30 s, arrived {:3.0} %, worst queue {:3.0} ms; halved: below after {fallen:?} s, estimate {:3.0} % at 5-20 s, worst queue {:3.0} ms",
                bps / 1e6,
                world.mean(0, 10.0, 30.0) / bps * 100.0,
                world.arrived(0, 10.0, 30.0) / bps * 100.0,
                world.worst_queue_ms(10.0, 30.0),
                world.mean(0, 35.0, 50.0) / bps * 200.0,
                world.worst_queue_ms(35.0, 50.0),
            );
            found
        });
        let theirs = found[1].take().unwrap_or(f64::INFINITY);
        ours_first += i32::from(found[0].take().unwrap() * 5.0 < theirs && bps > 4e6);
    }
    assert_eq!(ours_first, 2);
}
