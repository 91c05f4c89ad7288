//! Rooms of voices on several workers, which agree by links that take their time.

use super::*;

/// A room on several workers, with a link between any two of them that takes its time.
struct Spread {
    workers: Vec<Loudest>,
    /// Of each track, its worker and its key there.
    voices: Vec<(usize, usize)>,
    /// What is on its way: when it comes, from whom, to whom, and what is said.
    links: Vec<(Instant, usize, usize, Said)>,
    delay: Duration,
    /// A worker that nothing comes from.
    mute_worker: Option<usize>,
    now: Instant,
    packets: u32,
    changes: usize,
}

impl Spread {
    /// The tracks go round the workers.
    fn new(places: usize, workers: usize, tracks: usize, delay: Duration) -> Self {
        let mut rooms: Vec<_> = (0..workers).map(|_| Loudest::new(places)).collect();
        let voices = (0..tracks).map(|track| {
            let worker = track % workers;
            (worker, rooms[worker].add(TrackId::from_bits(track as u64)))
        });
        Self {
            voices: voices.collect(),
            workers: rooms,
            links: Vec::new(),
            delay,
            mute_worker: None,
            now: crate::test_time::start(),
            packets: 0,
            changes: 0,
        }
    }

    fn tell(&mut self, from: usize) {
        if self.mute_worker == Some(from) {
            return;
        }
        for to in (0..self.workers.len()).filter(|to| *to != from) {
            let said = self.workers[from].said();
            self.links.push((self.now + self.delay, from, to, said));
        }
    }

    fn deliver(&mut self) {
        let now = self.now;
        let mut due = self.links.clone();
        due.retain(|(at, ..)| *at <= now);
        self.links.retain(|(at, ..)| *at > now);
        for (_, from, to, said) in due {
            self.workers[to].take(from as u8, said);
        }
    }

    fn tell_changes(&mut self) {
        for worker in 0..self.workers.len() {
            if self.workers[worker].take_change() {
                self.tell(worker);
            }
        }
    }

    /// One packet of each, spread over its 20 ms. Gives who is heard.
    fn round(&mut self, levels: &[u8]) -> Vec<usize> {
        let step = PACKET / levels.len() as u32;
        for (track, level) in levels.iter().enumerate() {
            self.deliver();
            let (worker, key) = self.voices[track];
            let hearing = self.workers[worker].on_packet(self.now, key, Some(*level));
            self.changes += usize::from(hearing == Hearing::Begins);
            self.tell_changes();
            self.now += step;
        }
        self.packets += 1;
        if self.packets.is_multiple_of(10) {
            (0..self.workers.len()).for_each(|worker| self.tell(worker));
        }
        self.heard()
    }

    fn rounds(&mut self, count: usize, levels: &[u8]) -> Vec<usize> {
        (0..count).for_each(|_| drop(self.round(levels)));
        self.heard()
    }

    fn heard(&self) -> Vec<usize> {
        let is_heard = |track: &usize| {
            let (worker, key) = self.voices[*track];
            self.workers[worker].is_heard(key)
        };
        (0..self.voices.len()).filter(is_heard).collect()
    }

    /// Everything that is on its way has come, and nothing follows from it.
    fn settle(&mut self) {
        for _ in 0..4 {
            self.now += self.delay;
            self.deliver();
            self.tell_changes();
        }
        let told = |worker: &Loudest| {
            let heard = worker.heard.iter().map(|(claim, _)| claim.track);
            let mut heard: Vec<_> = heard.collect();
            heard.sort_unstable();
            heard
        };
        let first = told(&self.workers[0]);
        let heard = self.heard().into_iter();
        let heard: Vec<_> = heard
            .map(|track| TrackId::from_bits(track as u64))
            .collect();
        assert_eq!(first, heard);
        assert!(self.workers.iter().all(|worker| told(worker) == first));
    }
}

const LINK: Duration = Duration::from_millis(3);

#[test]
fn workers_that_all_give_away_the_same_places_soon_agree_who_has_them() {
    let mut room = Spread::new(2, 3, 9, LINK);
    // Each has two places to give when its first packets come.
    let voices = room.voices.clone();
    for (worker, key) in voices {
        room.workers[worker].on_packet(room.now, key, Some(SPEECH));
    }
    assert_eq!(room.heard().len(), 6);
    room.tell_changes();
    room.settle();
    assert_eq!(room.heard().len(), 2);
}

#[test]
fn a_voice_takes_the_place_of_a_silent_one_on_another_worker_within_three_packets() {
    let mut room = Spread::new(2, 2, 4, LINK);
    let before = room.rounds(100, &[QUIET; 4]);
    assert_eq!(before.len(), 2);
    for speaker in 0..4 {
        let mut levels = [QUIET; 4];
        levels[speaker] = SPEECH;
        let is_heard = |room: &mut Spread| room.round(&levels).contains(&speaker);
        let packets = (1..10).find(|_| is_heard(&mut room));
        assert!(packets <= Some(3), "{speaker}: {packets:?}");
        // A voice fades in some seconds.
        room.rounds(60, &levels);
        room.rounds(200, &[QUIET; 4]);
        room.settle();
        assert_eq!(room.heard().len(), 2);
    }
}

#[test]
fn of_two_who_take_a_place_at_the_same_moment_one_gets_it_and_the_other_another() {
    let mut room = Spread::new(2, 2, 4, LINK);
    room.rounds(100, &[QUIET, QUIET, QUIET, QUIET]);
    assert_eq!(room.heard(), [0, 1]);
    room.rounds(20, &[QUIET, QUIET, SPEECH, SPEECH]);
    room.settle();
    assert_eq!(room.heard(), [2, 3]);
}

#[test]
fn two_on_two_workers_who_speak_at_once_do_not_take_turns() {
    let mut room = Spread::new(1, 2, 2, LINK);
    room.rounds(100, &[SPEECH, QUIET]);
    room.settle();
    assert_eq!(room.heard(), [0]);
    let changes = room.changes;
    let mut random = Seeded::new(3);
    for _ in 0..1_000 {
        let mut level = || if random.chance(70) { SPEECH } else { 60 };
        let (one, other) = (level(), level());
        room.round(&[one, other]);
    }
    assert_eq!((room.heard(), room.changes), (vec![0], changes));
}

#[test]
fn a_worker_of_which_nothing_comes_holds_no_place_against_who_speaks() {
    let mut room = Spread::new(1, 2, 2, LINK);
    room.rounds(100, &[SPEECH, QUIET]);
    room.mute_worker = Some(0);
    room.rounds(100, &[SPEECH, SPEECH]);
    let (worker, key) = room.voices[1];
    assert!(room.workers[worker].is_heard(key));
    // It is told all the same, and the room has one voice.
    assert_eq!(room.heard(), [1]);
}

#[test]
fn a_worker_that_leaves_the_room_leaves_its_places_at_once() {
    let mut room = Spread::new(1, 2, 2, LINK);
    room.rounds(100, &[SPEECH, QUIET]);
    room.settle();
    let (worker, key) = room.voices[1];
    room.workers[worker].set_workers(&[]);
    let hearing = room.workers[worker].on_packet(room.now, key, Some(QUIET));
    assert_eq!(hearing, Hearing::Begins);
}

/// Rooms of chance on several workers: whoever is the loudest by far is heard within 1.2 s, as on one; when all has
/// been told, no more are heard than there are places, and all workers know who.
#[test]
fn in_any_room_on_several_workers_there_is_one_choice() {
    for seed in 0..100 {
        let mut random = Seeded::new(seed);
        let places = 1 + random.below(4) as usize;
        let workers = 2 + random.below(3) as usize;
        let tracks = places + 1 + random.below(12) as usize;
        let delay = Duration::from_micros(random.below(15_000));
        let mut room = Spread::new(places, workers, tracks, delay);
        for _ in 0..20 {
            let waited =
                until_the_loudest_is_heard(&mut random, tracks, |levels| room.round(levels));
            assert!(waited <= MOST_WAITED, "seed {seed}: {waited:?}");
            room.settle();
            assert!(room.heard().len() <= places, "seed {seed}");
        }
        let passed = room.now.duration_since(crate::test_time::start());
        // Those who were refused came and went in the time of a link.
        let most = 2 * places * (2 + passed.as_secs() as usize);
        assert!(
            room.changes <= most,
            "seed {seed}: {} of {most}",
            room.changes
        );
    }
}
