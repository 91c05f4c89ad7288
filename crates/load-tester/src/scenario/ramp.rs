//! `ramp`: one publisher and more and more subscribers, until packets are lost or the generator lags.

use anyhow::{Context, Result};

use super::fanout::subscribers_of;
use super::world::World;
use crate::measurements::{Measurements, Step};

pub(super) async fn run(
    mut world: World,
    from: usize,
    step: usize,
    most: usize,
) -> Result<Measurements> {
    let publisher = world.publisher(0);
    world.gather(vec![publisher]).await?;
    let mut steps = Vec::new();
    let mut there = 0;
    let mut wanted = from;
    let mut last = None;
    while wanted <= most {
        world.gather(subscribers_of(0, wanted - there)).await?;
        there = wanted;
        world.warm_up().await?;
        let count = world.count(|_, _| {}).await?;
        let interval = world.packet_interval();
        let is_valid =
            count.socket_drops == 0 && u128::from(count.lag_us.max()) <= interval.as_micros();
        let delivery = count.delivery;
        steps.push(Step {
            subscribers: there as u64,
            delivery,
            delay_p99_us: count.delay_us.value_at_quantile(0.99),
            server_cpu_us_per_packet: count
                .process
                .filter(|_| delivery.delivered > 0)
                .map(|process| process.cpu_seconds * 1e6 / delivery.delivered as f64),
            valid: is_valid,
        });
        let is_perfect = delivery.lost + delivery.duplicated + delivery.reordered == 0
            && delivery.damaged == 0
            && delivery.offered > 0;
        let ends = !is_perfect || !is_valid || count.interrupted;
        last = Some(count);
        if ends {
            break;
        }
        wanted += step;
    }
    let count = last.context("the ramp has no step")?;
    let measurements = world.finish(count).await?;
    Ok(Measurements {
        steps,
        ..measurements
    })
}
