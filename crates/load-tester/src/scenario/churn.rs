//! `churn`: people come and go all the time. For each who comes somebody leaves; a room whose people have
//! all been replaced is left to those who are still there, and a new one begins.

use std::collections::VecDeque;

use anyhow::Result;
use rand::rngs::SmallRng;
use rand::{RngExt, SeedableRng};

use super::rooms::person;
use super::world::World;
use crate::measurements::Measurements;

pub(super) async fn run(
    mut world: World,
    rooms: usize,
    participants: usize,
    joins_per_second: f64,
) -> Result<Measurements> {
    let mut places: Vec<Place> = (0..rooms as u32).map(Place::new).collect();
    let people = (0..rooms * participants).map(|at| person(&world, (at % rooms) as u32));
    let people = people.collect();
    world.gather(people).await?;
    for (at, member) in world.population.members().iter().enumerate() {
        places[at % rooms].people.push_back(member.id);
    }
    world.warm_up().await?;
    let mut random = SmallRng::seed_from_u64(world.run.seed);
    let mut next_room = rooms as u32;
    let mut joined = 0.0;
    let count = world
        .count(|world, elapsed| {
            while joined <= elapsed.as_secs_f64() * joins_per_second {
                joined += 1.0;
                let place = &mut places[random.random_range(0..rooms)];
                if let Some(oldest) = place.people.pop_front() {
                    world.population.dismiss(oldest);
                }
                if place.replaced == participants {
                    *place = Place {
                        people: std::mem::take(&mut place.people),
                        ..Place::new(next_room)
                    };
                    next_room += 1;
                }
                place.replaced += 1;
                let newcomer = person(world, place.room);
                place.people.push_back(world.population.admit(newcomer));
            }
        })
        .await?;
    world.finish(count).await
}

/// Where newcomers go: a room, and its successor when as many have come as it has places.
struct Place {
    room: u32,
    people: VecDeque<u32>,
    replaced: usize,
}

impl Place {
    fn new(room: u32) -> Self {
        Self {
            room,
            people: VecDeque::new(),
            replaced: 0,
        }
    }
}
