//! Whether a media worker keeps up, and how much video it must leave out to do so. It is told how its turns
//! went, and reads no clock itself.

use std::time::{Duration, Instant};

/// How long is looked at before anything is decided: some frames of video.
const WINDOW: Duration = Duration::from_millis(200);
/// A worker is late when whatever it receives has waited for so long: it takes up what waits before each turn, so
/// that in a window without overload some turn finds fresh datagrams alone. How much time it has to sleep says less:
/// where a core is shared it seems to sleep while others run.
const LATE: Duration = Duration::from_millis(20);
/// Then there is a backlog that will not go by itself.
const VERY_LATE: Duration = Duration::from_millis(100);
/// Being late for so long begins it, and a third of that where it is very late. Less may be a large key frame, or
/// many who come at once.
const LATE_FOR: Duration = Duration::from_millis(1_200);
/// Of a window that a worker must sleep through before it takes on more.
const PLENTY_IDLE: f32 = 0.20;
/// Percent of the video left out at first, and where it is very late. What is given back at once is a quarter of what
/// is left out, and no less than the smaller one.
const STEP: u8 = 10;
const LARGE_STEP: u8 = 30;
/// How long there must be plenty of time before a step is taken back. Doubled when that was too early.
const PATIENCE: Duration = Duration::from_secs(2);
const MOST_PATIENCE: Duration = Duration::from_secs(30);

/// How one turn of a worker went.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Turn {
    /// It slept so long before.
    pub(crate) idle: Duration,
    /// The first datagram that it received had waited for so long. `None`: there was none.
    pub(crate) waited: Option<Duration>,
    /// The kernel takes no more.
    pub(crate) is_congested: bool,
}

/// How one worker's time was spent lately.
#[derive(Debug)]
pub(crate) struct Load {
    window: Window,
    /// Of the window before.
    last_waited: Duration,
    /// How long it has been late, counted threefold where it was very late.
    late_for: Duration,
    calm_since: Option<Instant>,
    patience: Duration,
    /// When something was taken back last, and how much.
    taken_back: Option<(Instant, u8)>,
    /// More was left out in the window before: it takes a frame until that is seen.
    has_just_shed: bool,
    shed_percent: u8,
}

/// What is looked at together.
#[derive(Clone, Copy, Debug)]
struct Window {
    began: Instant,
    idle: Duration,
    /// Of the turns that received something.
    least_waited: Option<Duration>,
    most_waited: Duration,
    is_congested: bool,
}

impl Window {
    fn new(began: Instant) -> Self {
        Self {
            began,
            idle: Duration::ZERO,
            least_waited: None,
            most_waited: Duration::ZERO,
            is_congested: false,
        }
    }

    fn add(&mut self, turn: Turn) {
        self.idle += turn.idle;
        self.is_congested = turn.is_congested;
        if let Some(waited) = turn.waited {
            let least = self.least_waited.map_or(waited, |least| least.min(waited));
            self.least_waited = Some(least);
            self.most_waited = self.most_waited.max(waited);
        }
    }
}

impl Load {
    pub(crate) fn new(now: Instant) -> Self {
        Self {
            window: Window::new(now),
            last_waited: Duration::ZERO,
            late_for: Duration::ZERO,
            calm_since: None,
            patience: PATIENCE,
            taken_back: None,
            has_just_shed: false,
            shed_percent: 0,
        }
    }

    /// Percent of the video that is left out.
    pub(crate) fn shed_percent(&self) -> u8 {
        self.shed_percent
    }

    /// A turn is over. Gives how much video to leave out, if that is another part than before.
    pub(crate) fn on_turn(&mut self, now: Instant, turn: Turn) -> Option<u8> {
        self.window.add(turn);
        let length = now.saturating_duration_since(self.window.began);
        if length < WINDOW {
            return None;
        }
        let window = std::mem::replace(&mut self.window, Window::new(now));
        let before = self.shed_percent;
        let waited = window.least_waited.unwrap_or_default();
        if window.is_congested || waited >= LATE {
            self.on_late(now, length, waited, window.is_congested);
        } else {
            self.late_for = Duration::ZERO;
            self.has_just_shed = false;
            let idle = window.idle.as_secs_f32() / length.as_secs_f32();
            self.on_time_left(now, idle >= PLENTY_IDLE && window.most_waited < 2 * LATE);
        }
        self.last_waited = waited;
        (self.shed_percent != before).then_some(self.shed_percent)
    }

    fn on_late(&mut self, now: Instant, length: Duration, waited: Duration, is_congested: bool) {
        self.calm_since = None;
        let is_very_late = waited >= VERY_LATE;
        self.late_for += length * if is_very_late { 3 } else { 1 };
        if self.shed_percent == 0 && self.late_for < LATE_FOR {
            return;
        }
        // What is left out now may be enough; it is, where the backlog goes.
        let is_shrinking = waited < self.last_waited && !is_congested;
        if std::mem::take(&mut self.has_just_shed) || (self.shed_percent > 0 && is_shrinking) {
            return;
        }
        let is_early = |at| now.saturating_duration_since(at) < self.patience * 2;
        let more = match self.taken_back.take() {
            // What was taken back last was too much: wait longer before the next time.
            Some((at, step)) if is_early(at) => {
                self.patience = (self.patience * 2).min(MOST_PATIENCE);
                step
            }
            _ if is_very_late => LARGE_STEP.max(self.shed_percent / 2),
            _ => STEP.max(self.shed_percent / 2),
        };
        self.shed_percent = self.shed_percent.saturating_add(more).min(100);
        self.has_just_shed = true;
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
        let step = STEP.max(self.shed_percent / 4).min(self.shed_percent);
        self.taken_back = Some((now, step));
        self.shed_percent -= step;
        if self.shed_percent == 0 {
            self.patience = PATIENCE;
        }
    }
}

#[cfg(test)]
mod tests {
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
                let waited = self.now.saturating_duration_since(self.next);
                self.longest_wait = self.longest_wait.max(waited);
                let left = 1.0 - f32::from(self.load.shed_percent()) / 100.0;
                for _ in 0..2 {
                    if self.next <= self.now {
                        self.next += FRAME;
                        self.now += FRAME.mul_f32(self.demand * left);
                    }
                }
                let turn = Turn {
                    idle,
                    waited: Some(waited),
                    is_congested: false,
                };
                changes.extend(self.load.on_turn(self.now, turn));
            }
            changes
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
            assert!(changes.len() < 60, "no more than a change in ten seconds");
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
            changes.extend(load.on_turn(now, turn));
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
            changes.extend(load.on_turn(now, turn));
        }
        assert_eq!(changes.first(), Some(&STEP));
    }
}
