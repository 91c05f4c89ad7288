//! `audio`: some speak, to each other and to many who listen.

use anyhow::Result;

use super::fanout::subscribers_of;
use super::rooms::person;
use super::world::World;
use crate::measurements::Measurements;

pub(super) async fn run(
    mut world: World,
    speakers: usize,
    subscribers: usize,
) -> Result<Measurements> {
    let mut people = vec![person(&world, 0); speakers];
    people.extend(subscribers_of(0, subscribers));
    world.gather(people).await?;
    world.warm_up().await?;
    let count = world.count(|_, _| {}).await?;
    world.finish(count).await
}
