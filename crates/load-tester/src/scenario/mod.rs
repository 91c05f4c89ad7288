//! The scenarios of a load test: who joins when, who publishes, when packets are counted. Each gives the
//! run's measurements; none judges them.

mod audio;
mod churn;
mod classroom;
mod counting;
mod failures;
mod fanout;
mod interrupt;
mod late_join;
mod population;
mod progress;
mod ramp;
mod rooms;
mod storm;
mod world;

use std::sync::Arc;

use anyhow::Result;

use crate::command_line::{Run, Scenario, ServerKind};
use crate::crowd::Detour;
use crate::measurements::Measurements;
use crate::servers::Signaling;
use crate::servers::janus::Janus;
use crate::servers::plenum::Plenum;
use world::World;

/// Carry out a run. `detour`: clients send media elsewhere than the server says, as through a relay. It is
/// an error if nothing could be measured: nobody answers, nobody is let in, the server ends.
pub async fn run(run: &Run, detour: Option<Detour>) -> Result<Measurements> {
    let signaling: Arc<dyn Signaling> = match run.server {
        ServerKind::Plenum => Arc::new(Plenum::at(&run.url, run.key.clone()).await?),
        ServerKind::Janus => Arc::new(Janus::at(&run.url).await?),
    };
    let world = World::begin(run, signaling, detour).await?;
    match run.scenario {
        Scenario::Fanout { subscribers } => fanout::run(world, subscribers).await,
        Scenario::Rooms {
            rooms,
            participants,
        } => rooms::run(world, rooms, participants).await,
        Scenario::Audio {
            speakers,
            subscribers,
        } => audio::run(world, speakers, subscribers).await,
        Scenario::Classroom { students } => classroom::run(world, students).await,
        Scenario::Churn {
            rooms,
            participants,
            joins_per_second,
        } => churn::run(world, rooms, participants, joins_per_second).await,
        Scenario::LateJoin {
            subscribers,
            joins_per_second,
        } => late_join::run(world, subscribers, joins_per_second).await,
        Scenario::Storm { subscribers } => storm::run(world, subscribers).await,
        Scenario::Ramp { from, step, most } => ramp::run(world, from, step, most).await,
    }
}
