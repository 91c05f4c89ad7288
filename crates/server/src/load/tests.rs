//! Workers with too much to do, by themselves or because of others, in a world without threads.

use super::*;

const FRAME: Duration = Duration::from_millis(33);

/// A worker with so much to do: all of it would take `demand` of its time. A frame comes 30 times a second, and
/// a turn takes up what has come, of frames two at most.
struct Worker {
    load: Load,
    now: Instant,
    /// When the frame comes that is to be served next.
    next: Instant,
    demand: f32,
    /// The part of that which is sound, and what has to be done in any case.
    sound: f32,
    /// A little else delays it for a moment, so often.
    hiccups: Option<Duration>,
    next_hiccup: Instant,
    /// What other work leaves of its core. Hidden, it delays nothing as long as it leaves enough.
    capacity: f32,
    is_hidden: bool,
    /// How long it ran or waited for others, and whether anybody says so.
    wanted: Duration,
    tells_wanted: bool,
    longest_wait: Duration,
}

impl Worker {
    fn new(demand: f32) -> Self {
        let now = Instant::now();
        Self {
            load: Load::new(now),
            now,
            next: now,
            demand,
            sound: 0.07,
            hiccups: None,
            next_hiccup: now,
            capacity: 1.0,
            is_hidden: false,
            wanted: Duration::ZERO,
            tells_wanted: true,
            longest_wait: Duration::ZERO,
        }
    }

    /// Gives every change.
    fn run(&mut self, seconds: u32) -> Vec<u8> {
        let mut changes = Vec::new();
        let end = self.now + Duration::from_secs(seconds.into());
        while self.now < end {
            let idle = self.next.saturating_duration_since(self.now);
            self.now += idle;
            self.hiccup();
            let waited = self.now.saturating_duration_since(self.next);
            self.longest_wait = self.longest_wait.max(waited);
            let video = 1.0 - self.sound;
            let left = 1.0 - video * f32::from(self.load.shed_percent()) / 100.0;
            let demand = self.demand * left;
            let capacity = match self.is_hidden && demand < self.capacity {
                true => 1.0,
                false => self.capacity,
            };
            for _ in 0..2 {
                if self.next <= self.now {
                    self.next += FRAME;
                    let took = FRAME.mul_f32(demand / capacity);
                    self.now += took;
                    self.wanted += took;
                }
            }
            let turn = Turn {
                idle,
                waited: Some(waited),
                is_congested: false,
            };
            let wanted = self.tells_wanted.then_some(self.wanted);
            changes.extend(self.load.on_turn(self.now, turn, || wanted));
        }
        changes
    }

    /// Longer than calm allows for, and too short for an overload.
    fn hiccup(&mut self) {
        let Some(interval) = self.hiccups else {
            return;
        };
        if self.next_hiccup <= self.now {
            self.next_hiccup = self.now + interval;
            self.now += 2 * LATE + Duration::from_millis(5);
        }
    }
}

#[test]
fn a_worker_that_keeps_up_leaves_nothing_out() {
    assert!(Worker::new(0.95).run(60).is_empty());
}

#[test]
fn too_much_work_is_less_within_a_second_or_two_and_comes_to_rest() {
    for demand in [1.1, 1.5, 2.0, 3.0, 6.0] {
        let mut worker = Worker::new(demand);
        worker.run(5);
        let left = 1.0 - f32::from(worker.load.shed_percent()) / 100.0;
        assert!(demand * left < 1.0, "{demand}: {left}");
        assert!(
            worker.longest_wait < Duration::from_secs(2),
            "{demand}: {:?}",
            worker.longest_wait
        );
        worker.run(10);
        worker.longest_wait = Duration::ZERO;
        let changes = worker.run(600);
        // A trial in two minutes, and what was tried is taken back.
        assert!(changes.len() <= 12, "{demand}: {changes:?}");
        assert!(worker.longest_wait < Duration::from_millis(500));
        assert!(worker.load.shed_percent() > 0);
    }
}

#[test]
fn when_the_load_is_gone_everything_comes_back() {
    let mut worker = Worker::new(2.0);
    worker.run(10);
    worker.demand = 0.5;
    let changes = worker.run(300);
    assert_eq!(changes.last(), Some(&0));
    assert!(changes.is_sorted_by(|one, next| one > next), "{changes:?}");
    assert!(worker.run(60).is_empty());
}

/// How often more was left out again after some was given back.
fn early(changes: &[u8]) -> usize {
    let is_early = |of: &&[u8]| of[0] > of[1] && of[1] < of[2];
    changes.windows(3).filter(is_early).count()
}

/// What there is to do, the part of it which is sound, and what other work leaves of the core.
const OTHER_WORK: [(f32, f32, f32); 9] = [
    (0.35, 0.07, 0.2),
    (0.35, 0.07, 0.1),
    (0.5, 0.07, 0.2),
    (0.7, 0.07, 0.5),
    (0.7, 0.07, 0.05),
    (0.75, 0.07, 0.6),
    (0.6, 0.5, 0.2),
    (0.75, 0.6, 0.4),
    (0.75, 0.6, 0.5),
];

#[test]
fn twenty_seconds_of_other_work_are_soon_made_up_for() {
    for (demand, sound, capacity) in OTHER_WORK {
        for tells_wanted in [true, false] {
            let mut worker = Worker::new(demand);
            worker.sound = sound;
            worker.tells_wanted = tells_wanted;
            assert!(worker.run(10).is_empty());
            worker.capacity = capacity;
            let during = worker.run(20);
            worker.capacity = 1.0;
            // All is taken to be video: the more of it is not, the smaller are the steps.
            let after = worker.run(if sound < 0.5 { 5 } else { 15 });
            let text =
                format!("{demand}, {sound} of it sound, of {capacity}: {during:?}, then {after:?}");
            assert!(early(&during) <= 1, "{text}");
            assert_eq!(after.last(), Some(&0), "{text}");
            assert!(after.is_sorted_by(|one, next| one > next), "{text}");
        }
    }
}

#[test]
fn other_work_that_shows_only_when_there_is_too_little_left_is_not_tried_often() {
    for (demand, sound, capacity) in OTHER_WORK {
        let mut worker = Worker::new(demand);
        worker.sound = sound;
        worker.is_hidden = true;
        worker.capacity = capacity;
        let during = worker.run(300);
        worker.capacity = 1.0;
        let after = worker.run(80);
        let text =
            format!("{demand}, {sound} of it sound, of {capacity}: {during:?}, then {after:?}");
        assert!(early(&during) <= 8, "{text}");
        assert_eq!(after.last(), Some(&0), "{text}");
    }
}

#[test]
fn what_delays_a_worker_for_a_moment_does_not_make_a_mistake_last_longer() {
    let mut worker = Worker::new(0.5);
    worker.is_hidden = true;
    worker.capacity = 0.2;
    let during = worker.run(60);
    assert!(early(&during) > 0, "{during:?}");
    worker.capacity = 1.0;
    // More often than the shortest wait after a mistake.
    worker.hiccups = Some(Duration::from_secs(14));
    let after = worker.run(80);
    assert_eq!(after.last(), Some(&0), "{after:?}");
}

/// Turns of 10 ms without sleep, and what their first datagrams had waited for.
fn changes(waits: impl IntoIterator<Item = u64>) -> Vec<u8> {
    let mut now = Instant::now();
    let mut load = Load::new(now);
    let mut changes = Vec::new();
    for waited in waits {
        now += Duration::from_millis(10);
        let turn = Turn {
            waited: Some(Duration::from_millis(waited)),
            ..Turn::default()
        };
        changes.extend(load.on_turn(now, turn, || None));
    }
    changes
}

#[test]
fn turns_without_sleep_are_no_overload_while_what_comes_is_taken_up_at_once() {
    assert!(changes([5; 10_000]).is_empty());
}

#[test]
fn a_backlog_that_goes_by_itself_within_a_second_is_no_overload() {
    let one = (0..100).map(|turn| if turn < 90 { 60 } else { 1 });
    assert!(changes(one.cycle().take(10_000)).is_empty());
    let burst = [300; 35].into_iter().chain([1; 100]);
    assert!(
        changes(burst).is_empty(),
        "a key frame, or a storm of joins"
    );
}

#[test]
fn the_later_the_sooner_and_the_more() {
    assert_eq!(changes([60; 130]).first(), Some(&STEP));
    assert_eq!(changes([300; 50]).first(), Some(&LARGE_STEP));
}

#[test]
fn a_network_card_that_takes_no_more_is_overload_too() {
    let mut now = Instant::now();
    let mut load = Load::new(now);
    let mut changes = Vec::new();
    for _ in 0..3_000 {
        now += Duration::from_millis(1);
        let turn = Turn {
            idle: Duration::from_micros(900),
            waited: None,
            is_congested: true,
        };
        changes.extend(load.on_turn(now, turn, || None));
    }
    assert_eq!(changes.first(), Some(&STEP));
}
