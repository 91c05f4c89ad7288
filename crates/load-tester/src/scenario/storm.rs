//! `storm`: a publisher is there, and N subscribers join within one second, while packets are counted.

use anyhow::Result;

use super::fanout::subscribers_of;
use super::world::World;
use crate::measurements::Measurements;

pub(super) async fn run(mut world: World, subscribers: usize) -> Result<Measurements> {
    let publisher = world.publisher(0);
    world.gather(vec![publisher]).await?;
    let mut waiting = subscribers_of(0, subscribers).into_iter();
    let mut admitted = 0;
    let count = world
        .count(|world, elapsed| {
            let due = (elapsed.as_secs_f64().min(1.0) * subscribers as f64) as usize;
            for newcomer in waiting.by_ref().take(due - admitted) {
                world.population.admit(newcomer);
            }
            admitted = due;
        })
        .await?;
    world.finish(count).await
}
