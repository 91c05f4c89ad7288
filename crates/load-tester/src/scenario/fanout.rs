//! `fanout`: one publisher, N subscribers.

use anyhow::Result;

use super::population::Newcomer;
use super::world::World;
use crate::measurements::Measurements;

pub(super) async fn run(mut world: World, subscribers: usize) -> Result<Measurements> {
    let mut people = vec![world.publisher(0)];
    people.extend(subscribers_of(0, subscribers));
    world.gather(people).await?;
    world.warm_up().await?;
    let count = world.count(|_, _| {}).await?;
    world.finish(count).await
}

/// People who receive, and publish nothing.
pub(super) fn subscribers_of(room: u32, count: usize) -> Vec<Newcomer> {
    let subscriber = Newcomer {
        room,
        subscribes: true,
        ..Newcomer::default()
    };
    vec![subscriber; count]
}
