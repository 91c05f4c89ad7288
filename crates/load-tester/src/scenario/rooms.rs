//! `rooms`: rooms of people who all publish, and all receive each other.

use anyhow::Result;

use super::population::Newcomer;
use super::world::World;
use crate::measurements::Measurements;

pub(super) async fn run(
    mut world: World,
    rooms: usize,
    participants: usize,
) -> Result<Measurements> {
    let people =
        (0..rooms * participants).map(|place| person(&world, (place / participants) as u32));
    let people = people.collect();
    world.gather(people).await?;
    world.warm_up().await?;
    let count = world.count(|_, _| {}).await?;
    world.finish(count).await
}

/// Somebody who publishes and receives.
pub(super) fn person(world: &World, room: u32) -> Newcomer {
    Newcomer {
        subscribes: true,
        ..world.publisher(room)
    }
}
