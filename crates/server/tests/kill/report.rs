//! How a run of the kill test went, in numbers: printed, and as JSON where `KILL_REPORT` says. It judges
//! nothing but whether enough happened.

use std::sync::atomic::Ordering;
use std::time::Duration;

use serde_json::json;

use crate::database::Database;
use crate::ledger::Fact;
use crate::people::Load;

pub(crate) struct Report {
    pub(crate) cycles: u64,
    /// Cycles in which something had been acknowledged before the kill.
    worked: u64,
    starts: Vec<Duration>,
    people: Vec<Duration>,
    owners: Vec<Duration>,
    joined: u64,
    resumed: u64,
    facts: usize,
}

impl Report {
    pub(crate) fn new(cycles: u64) -> Self {
        Self {
            cycles,
            worked: 0,
            starts: Vec::new(),
            people: Vec::new(),
            owners: Vec::new(),
            joined: 0,
            resumed: 0,
            facts: 0,
        }
    }

    /// What was acknowledged since the kill before.
    pub(crate) fn killed(&mut self, facts: &[Fact]) {
        self.worked += u64::from(!facts.is_empty());
    }

    pub(crate) fn started(&mut self, took: Duration) {
        self.starts.push(took);
    }

    pub(crate) fn back(&mut self, people: Duration, owners: Duration) {
        self.people.push(people);
        self.owners.push(owners);
    }

    pub(crate) fn people(&mut self, load: &Load) {
        self.joined = load.joined.load(Ordering::Relaxed);
        self.resumed = load.resumed.load(Ordering::Relaxed);
    }

    /// Everything was compared, and nothing was missing: a run that ends here lost nothing.
    pub(crate) async fn end(&mut self, all: &[Fact], database: &Database) {
        self.facts = all.len();
        let of = |is: fn(&Fact) -> bool| all.iter().filter(|fact| is(fact)).count();
        let times = |times: &[Duration]| {
            let mut sorted = times.to_vec();
            sorted.sort();
            let at = |part: usize| sorted.get(sorted.len() * part / 100).or(sorted.last());
            let milliseconds = |part| at(part).map_or(0, Duration::as_millis);
            json!({ "p50": milliseconds(50), "p99": milliseconds(99), "max": milliseconds(100) })
        };
        let report = json!({
            "kills": self.cycles,
            "acknowledged": {
                "rooms_made": of(|fact| matches!(fact, Fact::RoomMade { .. })),
                "sessions_started": of(|fact| matches!(fact, Fact::SessionStarted { .. })),
                "joined": of(|fact| matches!(fact, Fact::Joined { .. })),
                "left": of(|fact| matches!(fact, Fact::Left { .. })),
                "sessions_ended": of(|fact| matches!(fact, Fact::SessionEnded { .. })),
            },
            "acknowledged_and_lost": 0,
            "stuck_rooms": 0,
            "joined": self.joined,
            "resumed": self.resumed,
            "in_the_database_at_the_end": {
                "rooms": database.rows("rooms").await,
                "sessions": database.rows("sessions").await,
                "attendance": database.rows("attendance").await,
            },
            "milliseconds_from_start": {
                "listening": times(&self.starts),
                "everybody_back": times(&self.people),
                "every_owner_live": times(&self.owners),
            },
        });
        let text = serde_json::to_string_pretty(&report).unwrap();
        println!("{text}");
        if let Ok(path) = std::env::var("KILL_REPORT") {
            std::fs::write(path, text + "\n").unwrap();
        }
    }

    /// A run in which nothing was acknowledged proves nothing.
    pub(crate) fn is_worth_its_time(&self) {
        assert!(
            self.worked * 2 > self.cycles,
            "{} of {}",
            self.worked,
            self.cycles
        );
        assert!(self.facts as u64 > self.cycles * 10, "{} facts", self.facts);
        assert!(self.joined > self.cycles && self.resumed > 0);
    }
}
