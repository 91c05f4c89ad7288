//! Whether a media worker keeps up, and how much video it must leave out to do so. It is told how its turns
//! went, and reads no clock itself.

use std::time::{Duration, Instant};

#[cfg(test)]
mod tests;

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
/// A backlog that will be gone in so many windows, at the pace of the last, goes soon.
const WINDOWS_TO_CATCH_UP: u32 = 20;
/// Percent of the video left out at first, and where it is very late.
const STEP: u8 = 10;
const LARGE_STEP: u8 = 30;
/// What is given back at once is at most as much again as is sent already, for nobody knows what the rest takes; and
/// not less than this, but for the last of it: whoever gets a video again needs a key frame.
const LEAST_STEP: u8 = 5;
/// Of a worker's time, what may be taken when something is given back. Frames come unevenly, and key frames in bursts.
const FULL: f32 = 0.80;
/// How long is looked at before something is given back, without anything late in between.
const CALM: Duration = Duration::from_millis(400);
/// After that was too early nothing is given back for so long, and twice as long each time it is so again: unless less
/// than half as much of the time is taken as it was before, so that what was too much has ended.
const PATIENCE: Patience = Patience {
    first: Duration::from_secs(15),
    most: Duration::from_secs(60),
    ended_below: 0.5,
};
/// The same after a trial that was too much. Where nearly all is video most of them are, and each shows somebody a
/// picture that goes again.
const PATIENCE_WITH_TRIALS: Patience = Patience {
    first: Duration::from_secs(30),
    most: Duration::from_secs(120),
    ended_below: 0.75,
};
/// Who is late within this time has been given too much; later, it has another cause.
const TOO_EARLY: Duration = Duration::from_secs(3);

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
    calm: Option<Calm>,
    pause: Pause,
    pause_of_trials: Pause,
    /// What was given back last.
    given_back: Option<GivenBack>,
    /// More was left out in the window before: it takes a frame until that is seen.
    has_just_shed: bool,
    shed_percent: u8,
}

#[derive(Clone, Copy, Debug)]
struct GivenBack {
    at: Instant,
    percent: u8,
    /// Of the time, before that.
    share: f32,
    /// There was room, but by the usual reckoning not for so much.
    is_trial: bool,
}

/// How long nothing is given back after that was too early.
#[derive(Clone, Copy, Debug)]
struct Patience {
    first: Duration,
    most: Duration,
    /// Of the share of the time that was taken before the mistake: less than this part of it ends the wait.
    ended_below: f32,
}

/// The wait after a mistake. It is not made longer by what is late meanwhile.
#[derive(Clone, Copy, Debug)]
struct Pause {
    patience: Patience,
    length: Duration,
    until: Option<Instant>,
    /// The share of the time that was taken when something was given back too early.
    misleading_share: f32,
}

impl Pause {
    fn new(patience: Patience) -> Self {
        Self {
            patience,
            length: Duration::ZERO,
            until: None,
            misleading_share: 0.0,
        }
    }

    fn on_mistake(&mut self, now: Instant, share: f32) {
        let Patience { first, most, .. } = self.patience;
        self.length = (self.length * 2).clamp(first, most);
        self.until = Some(now + self.length);
        self.misleading_share = share;
    }

    /// Whether it is over, where this share of the time is taken.
    fn is_over(&self, now: Instant, share: f32) -> bool {
        let has_ended = share < self.misleading_share * self.patience.ended_below;
        has_ended || self.until.is_none_or(|until| until <= now)
    }
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

/// Since when nothing was late and nothing changed.
#[derive(Clone, Copy, Debug)]
struct Calm {
    since: Instant,
    /// What the thread had run or waited for by then.
    wanted: Option<Duration>,
    /// How long it slept since.
    idle: Duration,
}

impl Calm {
    /// What part of the time since was taken: the thread ran, or waited for a core on which others ran. So a worker
    /// on a core that it shares has less left than it sleeps. Without word of that, it is when it did not sleep.
    fn share(&self, now: Instant, wanted: Option<Duration>) -> f32 {
        let passed = now.saturating_duration_since(self.since);
        let taken = match self.wanted.zip(wanted) {
            Some((before, wanted)) => wanted.saturating_sub(before),
            None => passed.saturating_sub(self.idle),
        };
        taken.as_secs_f32() / passed.as_secs_f32().max(0.001)
    }
}

impl Load {
    pub(crate) fn new(now: Instant) -> Self {
        Self {
            window: Window::new(now),
            last_waited: Duration::ZERO,
            late_for: Duration::ZERO,
            calm: None,
            pause: Pause::new(PATIENCE),
            pause_of_trials: Pause::new(PATIENCE_WITH_TRIALS),
            given_back: None,
            has_just_shed: false,
            shed_percent: 0,
        }
    }

    /// Percent of the video that is left out.
    pub(crate) fn shed_percent(&self) -> u8 {
        self.shed_percent
    }

    /// A turn is over. Gives how much video to leave out, if that is another part than before. `wanted` is how long
    /// the thread has run so far, or waited to run, if that is known: it is asked only while something is left out.
    pub(crate) fn on_turn(
        &mut self,
        now: Instant,
        turn: Turn,
        wanted: impl FnOnce() -> Option<Duration>,
    ) -> Option<u8> {
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
            let is_calm = self.shed_percent > 0 && window.most_waited < 2 * LATE;
            match is_calm {
                true => self.on_calm(now, window.idle, wanted()),
                false => self.calm = None,
            }
        }
        self.last_waited = waited;
        (self.shed_percent != before).then_some(self.shed_percent)
    }

    fn on_late(&mut self, now: Instant, length: Duration, waited: Duration, is_congested: bool) {
        self.calm = None;
        let is_very_late = waited >= VERY_LATE;
        self.late_for += length * if is_very_late { 3 } else { 1 };
        if self.shed_percent == 0 && self.late_for < LATE_FOR {
            return;
        }
        self.mind_proof(now);
        // What is left out now may be enough; it is, where the backlog goes, and soon.
        let gone = self.last_waited.saturating_sub(waited);
        let is_shrinking = !is_congested && waited < gone * WINDOWS_TO_CATCH_UP;
        if std::mem::take(&mut self.has_just_shed) || (self.shed_percent > 0 && is_shrinking) {
            return;
        }
        let more = match self.given_back.take() {
            Some(last) => {
                self.on_mistake(now, last);
                last.percent
            }
            None => {
                let least = if is_very_late { LARGE_STEP } else { STEP };
                least.max(self.shed_percent / 2)
            }
        };
        self.shed_percent = self.shed_percent.saturating_add(more).min(100);
        self.has_just_shed = true;
    }

    /// A window in which nothing was late.
    fn on_calm(&mut self, now: Instant, idle: Duration, wanted: Option<Duration>) {
        let began = Calm {
            since: now,
            wanted,
            idle: Duration::ZERO,
        };
        self.mind_proof(now);
        // The first window after a change still has what was before it.
        let Some(calm) = &mut self.calm else {
            self.calm = Some(began);
            return;
        };
        calm.idle += idle;
        let passed = now.saturating_duration_since(calm.since);
        let share = calm.share(now, wanted);
        if passed < CALM {
            return;
        }
        if share > FULL
            && let Some(last) = self.given_back.take_if(|last| last.is_trial)
        {
            self.calm = None;
            self.on_mistake(now, last);
            self.shed_percent = self.shed_percent.saturating_add(last.percent).min(100);
            return;
        }
        if !self.pause.is_over(now, share) {
            return;
        }
        let (percent, is_trial) = match step(self.shed_percent, share) {
            0 if self.pause_of_trials.is_over(now, share) => {
                (trial(self.shed_percent, share), true)
            }
            percent => (percent, false),
        };
        if percent == 0 {
            self.calm = Some(began);
            return;
        }
        self.calm = None;
        self.given_back = Some(GivenBack {
            at: now,
            percent,
            share,
            is_trial,
        });
        self.shed_percent -= percent;
    }

    /// What was given back last was too much: wait longer before the next time.
    fn on_mistake(&mut self, now: Instant, last: GivenBack) {
        let pause = match last.is_trial {
            true => &mut self.pause_of_trials,
            false => &mut self.pause,
        };
        pause.on_mistake(now, last.share);
    }

    /// What was given back some time ago has turned out well.
    fn mind_proof(&mut self, now: Instant) {
        let is_proven = |last: &GivenBack| now.saturating_duration_since(last.at) >= TOO_EARLY;
        let Some(last) = self.given_back.take_if(|last| is_proven(last)) else {
            return;
        };
        let is_all = self.shed_percent == 0;
        if last.is_trial || is_all {
            self.pause_of_trials = Pause::new(PATIENCE_WITH_TRIALS);
        }
        if !last.is_trial || is_all {
            self.pause = Pause::new(PATIENCE);
        }
    }
}

/// How much may be given back of what is left out, in percent, where this share of the time is taken by all the rest.
/// All of it is taken to be video, so that each percent more takes as much as each of those that are sent.
fn step(left_out: u8, share: f32) -> u8 {
    let sent = f32::from(100 - left_out);
    if sent == 0.0 {
        return if share < FULL / 2.0 { STEP } else { 0 };
    }
    let possible = sent * (FULL / share.max(0.01) - 1.0);
    let step = (possible.min(sent.max(STEP.into())) as u8).min(left_out);
    match step >= LEAST_STEP.min(left_out) {
        true => step,
        false => 0,
    }
}

/// How much may be given back where `step` sees no room for anything, but there is some. It counts all that is done as
/// video; where much of it is sound, that is no measure, and only a trial tells.
fn trial(left_out: u8, share: f32) -> u8 {
    match share < FULL {
        true => LEAST_STEP.min(left_out),
        false => 0,
    }
}
