//! A world from one seed: the server, its store, people, a network, and the clock that moves from one
//! event to the next. Nothing outside is asked for anything, so the same seed is the same run.

mod api;
mod calm;
mod keys;
mod network;
mod people;
mod requests;
mod serving;
mod troubles;

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::time::Duration;
use std::{fmt, ops};

use protocol::{ConnectionId, PeerId, RoomId, ServerMessage, SessionId, Timestamp};
use signaling::{ApiResult, Recorded};

use crate::bug::{Bug, Planted};
use crate::plan::Plan;
use crate::promises::Promise;
use crate::seed::Seed;
use crate::server::Server;
use crate::store::Store;
use crate::tab::Tab;
use crate::trace::Trace;

use api::Call;
use network::{Link, Said};
use troubles::Trouble;

/// When every world begins.
const START: Timestamp = Timestamp(1_000_000);
/// Events at one moment, beyond which time stands still.
const MOST_AT_ONCE: u32 = 100_000;

/// A world.
#[derive(Debug)]
pub(crate) struct World {
    pub(crate) seed: Seed,
    pub(crate) plan: Plan,
    pub(crate) now: Timestamp,
    pub(crate) trace: Trace,
    /// The commands of the server's present life.
    pub(crate) recorded: Vec<Recorded>,
    pub(crate) counted: Counted,
    planted: Planted,
    queue: BTreeMap<(Timestamp, u64), Event>,
    next_event: u64,
    drawn: u64,
    /// Nobody thinks of anything new, and nothing breaks.
    is_calm: bool,
    store: Store,
    /// `None` while it is down.
    server: Option<Server>,
    lives: u64,
    /// The database answers nobody until then.
    database_away_until: Timestamp,
    is_commit_due: bool,
    tabs: Vec<Tab>,
    links: BTreeMap<ConnectionId, Link>,
    calls: Vec<Call>,
    promises: BTreeSet<Promise>,
    /// Which session each of the last keys of a room gave, in this life of the server.
    keys: BTreeMap<RoomId, VecDeque<(String, SessionId)>>,
}

/// How much happened, to see that a world is worth its time.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counted {
    /// Commands that the rooms were given.
    pub commands: u64,
    /// Crashes of the server.
    pub crashes: u64,
    /// Transactions that a crash lost.
    pub lost: u64,
    /// Who came into a room anew.
    pub joined: u64,
    /// Who came back and got what they missed.
    pub resumed: u64,
    /// Who was told to wait.
    pub waiting: u64,
    /// Requests that were done.
    pub done: u64,
    /// Promises made.
    pub promises: u64,
}

impl ops::AddAssign for Counted {
    fn add_assign(&mut self, other: Self) {
        self.commands += other.commands;
        self.crashes += other.crashes;
        self.lost += other.lost;
        self.joined += other.joined;
        self.resumed += other.resumed;
        self.waiting += other.waiting;
        self.done += other.done;
        self.promises += other.promises;
    }
}

impl fmt::Display for Counted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{} commands, {} crashes that lost {} transactions, {} joined, {} resumed, {} waited, \
             {} requests done, {} promises kept",
            self.commands,
            self.crashes,
            self.lost,
            self.joined,
            self.resumed,
            self.waiting,
            self.done,
            self.promises
        )
    }
}

/// Something that will happen.
#[derive(Debug)]
enum Event {
    /// Somebody does something.
    Act { tab: usize },
    /// A tab tries to connect again.
    Connect { tab: usize },
    /// A connection is made, or refused.
    Connected { connection: ConnectionId },
    /// A message of a client arrives.
    Up {
        connection: ConnectionId,
        said: Said,
    },
    /// A message of the server arrives.
    Down {
        connection: ConnectionId,
        message: Box<ServerMessage>,
    },
    /// A client sees that its connection is over.
    ClientNotices { connection: ConnectionId },
    /// The server sees that a connection is over.
    ServerNotices { connection: ConnectionId },
    /// The database commits.
    Commit { life: u64 },
    /// The node learns of it.
    Committed { life: u64, number: u64 },
    /// The server says that it lives.
    Heartbeat { life: u64 },
    /// The media plane has read an offer.
    Answer {
        life: u64,
        peer: PeerId,
        is_refused: bool,
    },
    /// Somebody thinks of something to ask over HTTP.
    Think,
    /// A request over HTTP arrives.
    Asked { call: usize },
    /// Its answer arrives.
    Answered { call: usize, result: Box<ApiResult> },
    /// Nobody answered.
    GiveUp { call: usize, attempt: u32 },
    /// Something breaks, or does not.
    Chance,
    /// A trouble begins or ends.
    Trouble(Trouble),
}

impl World {
    /// A world before anything happened, with a fault planted in it or none.
    pub(crate) fn new(number: u64, bug: Option<Bug>) -> Self {
        let mut seed = Seed::new(number);
        let plan = Plan::of(&mut seed);
        let people = plan.people.clone();
        let tabs = people
            .iter()
            .flat_map(|person| (0..person.tabs).map(|_| Tab::new(person.clone())));
        Self {
            tabs: tabs.collect(),
            seed,
            plan,
            now: START,
            trace: Trace::new(),
            recorded: Vec::new(),
            counted: Counted::default(),
            planted: Planted::new(bug),
            queue: BTreeMap::new(),
            next_event: 0,
            drawn: 0,
            is_calm: true,
            store: Store::default(),
            server: None,
            lives: 0,
            database_away_until: START,
            is_commit_due: false,
            links: BTreeMap::new(),
            calls: Vec::new(),
            promises: BTreeSet::new(),
            keys: BTreeMap::new(),
        }
    }

    /// From the beginning to the end.
    ///
    /// # Panics
    /// When something is not as it must be.
    pub(crate) fn run(&mut self) {
        self.start();
        for _ in 0..self.plan.rounds {
            self.live_through_chaos();
            self.settle();
        }
        self.farewell();
    }

    fn live_through_chaos(&mut self) {
        self.is_calm = false;
        for tab in 0..self.tabs.len() {
            self.think(tab);
        }
        for _ in 0..self.plan.calls {
            let within = self.plan.chaos.as_millis() as u64;
            let wait = self.seed.below(within);
            self.after(wait, Event::Think);
        }
        self.after(500, Event::Chance);
        self.pass(self.plan.chaos);
        self.is_calm = true;
    }

    /// Lets time pass.
    fn pass(&mut self, duration: Duration) {
        let end = self.now + duration;
        let mut at_once = 0;
        while let Some(at) = self.next_time().filter(|at| *at <= end) {
            at_once = if at > self.now { 0 } else { at_once + 1 };
            assert!(at_once < MOST_AT_ONCE, "time goes on");
            self.now = self.now.max(at);
            self.step();
        }
        self.now = end;
    }

    fn next_time(&self) -> Option<Timestamp> {
        let queued = self.queue.keys().next().map(|(at, _)| *at);
        let due = self.due();
        queued.into_iter().chain(due).min()
    }

    /// When the rooms have something to do by themselves.
    fn due(&self) -> Option<Timestamp> {
        self.server.as_ref()?.rooms.poll_timeout()
    }

    fn step(&mut self) {
        if self.due().is_some_and(|due| due <= self.now) {
            return self.command(None);
        }
        let Some((_, event)) = self.queue.pop_first() else {
            return;
        };
        match event {
            Event::Act { tab } => self.act(tab),
            Event::Connect { tab } => self.connect(tab),
            Event::Connected { connection } => self.connected(connection),
            Event::Up { connection, said } => self.arrive(connection, said),
            Event::Down {
                connection,
                message,
            } => self.hear(connection, *message),
            Event::ClientNotices { connection } => self.client_notices(connection),
            Event::ServerNotices { connection } => self.server_notices(connection),
            Event::Commit { life } => self.commit(life),
            Event::Committed { life, number } => self.committed(life, number),
            Event::Heartbeat { life } => self.heartbeat(life),
            Event::Answer {
                life,
                peer,
                is_refused,
            } => self.answer(life, peer, is_refused),
            Event::Think => self.think_of_a_call(),
            Event::Asked { call } => self.asked(call),
            Event::Answered { call, result } => self.answered(call, *result),
            Event::GiveUp { call, attempt } => self.give_up(call, attempt),
            Event::Chance => self.chance(),
            Event::Trouble(trouble) => self.trouble(trouble),
        }
    }

    /// Lets an event happen so many milliseconds from now, after everything planned for that moment.
    fn after(&mut self, milliseconds: u64, event: Event) {
        let at = self.now + Duration::from_millis(milliseconds);
        self.at(at, event);
    }

    fn at(&mut self, at: Timestamp, event: Event) {
        self.next_event += 1;
        self.queue.insert((at, self.next_event), event);
    }

    /// 64 bits for an id that nothing had before.
    fn draw(&mut self) -> u64 {
        self.drawn += 1;
        self.drawn
    }

    /// The same for everything that lives only while this life of the server does.
    fn life(&self) -> Option<u64> {
        self.server.as_ref().map(|server| server.life)
    }
}
