//! `late-join`: a publisher and some subscribers are there, and further subscribers come one by one while
//! packets are counted.

use anyhow::Result;

use super::fanout::subscribers_of;
use super::world::World;
use crate::measurements::Measurements;

pub(super) async fn run(
    mut world: World,
    subscribers: usize,
    joins_per_second: f64,
) -> Result<Measurements> {
    let mut people = vec![world.publisher(0)];
    people.extend(subscribers_of(0, subscribers));
    world.gather(people).await?;
    world.warm_up().await?;
    // The last one comes early enough to be connected when counting ends.
    let latest = world.run.duration.as_secs_f64() - 1.0;
    let mut joined = 0.0;
    let count = world
        .count(|world, elapsed| {
            let elapsed = elapsed.as_secs_f64();
            while joined <= elapsed * joins_per_second && elapsed < latest {
                joined += 1.0;
                for newcomer in subscribers_of(0, 1) {
                    world.population.admit(newcomer);
                }
            }
        })
        .await?;
    world.finish(count).await
}
