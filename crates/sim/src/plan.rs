//! What a seed decides before anything happens: who there is, which rooms, how small the limits, how bad
//! the network, the store and the server. Each world is of another kind, so that rare things are common
//! somewhere.

use std::time::Duration;

use protocol::{Identity, RoomName, RoomSettings};
use signaling::{Limits, Permissions};

use crate::seed::Seed;

/// The kind of world.
#[derive(Clone, Debug)]
pub(crate) struct Plan {
    pub(crate) limits: Limits,
    pub(crate) people: Vec<Person>,
    pub(crate) places: Vec<Place>,
    /// How often chaos and calm take turns.
    pub(crate) rounds: u64,
    /// How long chaos lasts each time.
    pub(crate) chaos: Duration,
    /// The longest that somebody thinks before they act, in milliseconds.
    pub(crate) thinking: u64,
    /// The longest way of a message, in milliseconds.
    pub(crate) delay: u64,
    /// The longest time that the store takes for a batch, in milliseconds.
    pub(crate) commit: u64,
    /// How many of a hundred moments of chance are a crash of the server.
    pub(crate) crashes: u64,
    /// And how many a clean stop.
    pub(crate) stops: u64,
    /// And how many an outage of the database.
    pub(crate) outages: u64,
    /// How many of a hundred actions are the loss of a connection.
    pub(crate) cuts: u64,
    /// Requests over HTTP while there is chaos.
    pub(crate) calls: u64,
    /// Who asks over HTTP begins and ends sessions all the time.
    pub(crate) is_hasty: bool,
}

/// Somebody.
#[derive(Clone, Debug)]
pub(crate) struct Person {
    pub(crate) identity: Identity,
    pub(crate) role: &'static str,
    pub(crate) moderates: bool,
    pub(crate) is_hidden: bool,
    pub(crate) tabs: u64,
}

/// A room that people know of.
#[derive(Clone, Debug)]
pub(crate) struct Place {
    pub(crate) name: RoomName,
    pub(crate) kind: Kind,
}

/// How a room comes into being.
#[derive(Clone, Debug)]
pub(crate) enum Kind {
    /// By the first join.
    Joined,
    /// By its owner, who asks for their room.
    Mine(Identity),
    /// By a backend.
    Made {
        owner: Option<Identity>,
        settings: RoomSettings,
    },
}

impl Person {
    pub(crate) fn permissions(&self) -> Permissions {
        Permissions {
            publish: true,
            subscribe: true,
            publish_data: true,
            moderate: self.moderates,
            hidden: self.is_hidden,
        }
    }
}

impl Plan {
    /// The world that this seed makes.
    pub(crate) fn of(seed: &mut Seed) -> Self {
        let people = people(seed);
        Self {
            limits: limits(seed),
            places: places(seed),
            people,
            rounds: seed.between(1, 3),
            chaos: Duration::from_secs(seed.between(10, 60)),
            thinking: pick(seed, &[300, 1_000, 4_000]),
            delay: pick(seed, &[2, 60, 800]),
            commit: pick(seed, &[3, 40, 1_500]),
            crashes: pick(seed, &[0, 0, 2, 10]),
            stops: pick(seed, &[0, 0, 2]),
            outages: pick(seed, &[0, 0, 2, 10]),
            cuts: pick(seed, &[0, 2, 10, 30]),
            calls: pick(seed, &[0, 20, 100, 300]),
            is_hasty: seed.once_in(4),
        }
    }
}

fn pick(seed: &mut Seed, choices: &[u64]) -> u64 {
    seed.of(choices).copied().unwrap_or_default()
}

fn people(seed: &mut Seed) -> Vec<Person> {
    let person = |identity: &str, role: &'static str| Person {
        identity: Identity(identity.into()),
        role,
        moderates: false,
        is_hidden: false,
        tabs: 1,
    };
    let mut people = vec![
        person("anna", "host"),
        person("ben", "provider"),
        Person {
            moderates: true,
            ..person("tutor", "tutor")
        },
        Person {
            is_hidden: true,
            moderates: seed.once_in(2),
            ..person("ghost", "guest")
        },
    ];
    let guests = [
        "cleo", "dora", "emil", "finn", "gwen", "hugo", "iris", "jan",
    ];
    let many = seed.between(1, guests.len() as u64) as usize;
    people.extend(guests[..many].iter().map(|guest| person(guest, "guest")));
    for person in &mut people {
        person.tabs = 1 + u64::from(seed.once_in(3));
    }
    people
}

fn places(seed: &mut Seed) -> Vec<Place> {
    let mut settings = || RoomSettings {
        title: "A title".into(),
        lobby: seed.once_in(2),
        locked: seed.once_in(10),
        max_participants: seed.once_in(4).then_some(3),
    };
    let place = |name: &str, kind| Place {
        name: RoomName(name.into()),
        kind,
    };
    let mut places = vec![
        place("class", Kind::Joined),
        place("anna", Kind::Mine(Identity("anna".into()))),
        place(
            "studio",
            Kind::Made {
                owner: Some(Identity("ben".into())),
                settings: settings(),
            },
        ),
        place(
            "hall",
            Kind::Made {
                owner: None,
                settings: settings(),
            },
        ),
    ];
    // Often there is one room only, in which then much happens.
    while places.len() > 1 && seed.once_in(2) {
        places.remove(seed.below(places.len() as u64) as usize);
    }
    places
}

/// Limits as they are, or so small that each is met often.
fn limits(seed: &mut Seed) -> Limits {
    let usual = Limits {
        host_grace: Duration::from_secs(seed.between(2, 40)),
        presence_batched_above: pick(seed, &[100, 100, 1, 3]) as usize,
        ..Limits::default()
    };
    if !seed.once_in(3) {
        return usual;
    }
    Limits {
        rooms: 2,
        kept_rooms: 3,
        participants: 6,
        participants_per_room: 4,
        waiting_per_room: 2,
        scheduled_per_room: 2,
        bans_per_room: 2,
        tracks_per_participant: 2,
        subscriptions_per_participant: 3,
        unanswered_offers: 3,
        logged_changes: 6,
        ..usual
    }
}
