//! `classroom`: one tutor and students, all with cameras: the tutor sees all, all see the tutor.

use anyhow::Result;

use super::population::Newcomer;
use super::rooms::person;
use super::world::World;
use crate::measurements::Measurements;

pub(super) async fn run(mut world: World, students: usize) -> Result<Measurements> {
    // The first of a run, so this is their number.
    const TUTOR: u32 = 0;
    let tutor = person(&world, 0);
    world.gather(vec![tutor]).await?;
    let student = Newcomer {
        only: Some(TUTOR),
        ..person(&world, 0)
    };
    world.gather(vec![student; students]).await?;
    world.warm_up().await?;
    let count = world.count(|_, _| {}).await?;
    world.finish(count).await
}
