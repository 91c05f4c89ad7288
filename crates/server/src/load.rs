//! Whether a media worker keeps up, and how much video it must leave out to do so. It is told how its time was
//! spent, and reads no clock itself.

use std::time::{Duration, Instant};

/// How long is looked at before anything is decided: some frames of video.
const WINDOW: Duration = Duration::from_millis(200);
/// Of a window that a worker slept through at least, if it keeps up: its turns end.
const LEAST_IDLE: f32 = 0.03;
/// Of a window that a worker must sleep through before it takes on more.
const PLENTY_IDLE: f32 = 0.20;
/// What arrives waits for the end of the turn. A worker that never sleeps but has short turns only works in
/// small batches, and could do more in larger ones.
const LONG_TURN: Duration = Duration::from_millis(10);
/// Windows in a row before the first frame is left out: 2 seconds. Less may be another process's doing, or many who
/// come at once.
const WINDOWS: u32 = 10;
/// Percent of the video left out at first, and taken back at once.
const STEP: u8 = 10;
/// How long there must be plenty of time before a step is taken back. Doubled when that was too early.
const PATIENCE: Duration = Duration::from_secs(2);
const MOST_PATIENCE: Duration = Duration::from_secs(30);

/// How one worker's time was spent lately.
#[derive(Debug)]
pub(crate) struct Load {
    window_began: Instant,
    idle: Duration,
    turns: u32,
    windows_over: u32,
    calm_since: Option<Instant>,
    patience: Duration,
    taken_back_at: Option<Instant>,
    shed_percent: u8,
}

impl Load {
    pub(crate) fn new(now: Instant) -> Self {
        Self {
            window_began: now,
            idle: Duration::ZERO,
            turns: 0,
            windows_over: 0,
            calm_since: None,
            patience: PATIENCE,
            taken_back_at: None,
            shed_percent: 0,
        }
    }

    /// Percent of the video that is left out.
    pub(crate) fn shed_percent(&self) -> u8 {
        self.shed_percent
    }

    /// A turn is over, before which the worker slept for `idle`. `is_congested`: the kernel takes no more.
    /// Gives how much video to leave out, if that is another part than before.
    pub(crate) fn on_turn(
        &mut self,
        now: Instant,
        idle: Duration,
        is_congested: bool,
    ) -> Option<u8> {
        self.idle += idle;
        self.turns += 1;
        let window = now.saturating_duration_since(self.window_began);
        if window < WINDOW {
            return None;
        }
        let idle = self.idle.as_secs_f32() / window.as_secs_f32();
        let has_long_turns = window / self.turns >= LONG_TURN;
        let before = self.shed_percent;
        if is_congested || (idle < LEAST_IDLE && has_long_turns) {
            self.on_overload(now);
        } else {
            self.windows_over = 0;
            self.on_time_left(now, idle >= PLENTY_IDLE);
        }
        self.window_began = now;
        self.idle = Duration::ZERO;
        self.turns = 0;
        (self.shed_percent != before).then_some(self.shed_percent)
    }

    fn on_overload(&mut self, now: Instant) {
        self.calm_since = None;
        self.windows_over += 1;
        if self.windows_over < WINDOWS && self.shed_percent == 0 {
            return;
        }
        // What was taken back last was too much: wait longer before the next time.
        let since = self.taken_back_at.take();
        if since.is_some_and(|at| now.saturating_duration_since(at) < self.patience * 2) {
            self.patience = (self.patience * 2).min(MOST_PATIENCE);
        }
        let more = STEP.max(self.shed_percent / 2);
        self.shed_percent = self.shed_percent.saturating_add(more).min(100);
    }

    fn on_time_left(&mut self, now: Instant, is_plenty: bool) {
        if self.shed_percent == 0 {
            return;
        }
        if !is_plenty {
            self.calm_since = None;
            return;
        }
        let since = *self.calm_since.get_or_insert(now);
        if now.saturating_duration_since(since) < self.patience {
            return;
        }
        self.calm_since = Some(now);
        self.taken_back_at = Some(now);
        self.shed_percent = self.shed_percent.saturating_sub(STEP);
        if self.shed_percent == 0 {
            self.patience = PATIENCE;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A worker with so much to do: all of it would take `demand` of its time.
    struct Worker {
        load: Load,
        now: Instant,
        demand: f32,
    }

    impl Worker {
        fn new(demand: f32) -> Self {
            let now = Instant::now();
            let load = Load::new(now);
            Self { load, now, demand }
        }

        /// Turns of frames, 30 a second. Gives every change.
        fn run(&mut self, seconds: u32) -> Vec<u8> {
            let frame = Duration::from_millis(33);
            let mut changes = Vec::new();
            let end = self.now + Duration::from_secs(seconds.into());
            while self.now < end {
                let left = 1.0 - f32::from(self.load.shed_percent()) / 100.0;
                let work = frame.mul_f32(self.demand * left);
                self.now += work.max(frame);
                let idle = frame.saturating_sub(work);
                changes.extend(self.load.on_turn(self.now, idle, false));
            }
            changes
        }
    }

    #[test]
    fn a_worker_that_sleeps_now_and_then_leaves_nothing_out() {
        assert!(Worker::new(0.9).run(60).is_empty());
    }

    #[test]
    fn too_much_work_is_less_two_seconds_after_it_was_noticed_and_comes_to_rest() {
        for demand in [1.1, 1.5, 2.0, 3.0] {
            let mut worker = Worker::new(demand);
            worker.run(5);
            let left = 1.0 - f32::from(worker.load.shed_percent()) / 100.0;
            assert!(demand * left < 1.0, "{demand}: {left}");
            assert!(
                worker.run(600).len() < 60,
                "no more than a change in ten seconds"
            );
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

    #[test]
    fn many_short_turns_without_sleep_are_no_overload_and_one_long_one_is_none() {
        let mut now = Instant::now();
        let mut load = Load::new(now);
        for _ in 0..10_000 {
            now += Duration::from_millis(1);
            assert_eq!(load.on_turn(now, Duration::ZERO, false), None);
        }
        let mut load = Load::new(now);
        assert_eq!(
            load.on_turn(now + Duration::from_secs(1), Duration::ZERO, false),
            None
        );
    }

    #[test]
    fn a_backlog_that_ends_within_a_second_is_no_overload() {
        let mut now = Instant::now();
        let mut load = Load::new(now);
        for turn in 0..10_000 {
            now += Duration::from_millis(50);
            // Once in a second and a half there is time to sleep.
            let idle = Duration::from_millis(if turn % 30 == 0 { 30 } else { 0 });
            assert_eq!(load.on_turn(now, idle, false), None);
        }
    }

    #[test]
    fn a_network_card_that_takes_no_more_is_overload_too() {
        let mut now = Instant::now();
        let mut load = Load::new(now);
        let mut changes = Vec::new();
        for _ in 0..3_000 {
            now += Duration::from_millis(1);
            changes.extend(load.on_turn(now, Duration::from_micros(900), true));
        }
        assert_eq!(changes.first(), Some(&STEP));
    }
}
