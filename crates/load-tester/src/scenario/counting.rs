//! Counting: a window of time in which every packet that is sent must arrive, with what happened in each
//! second of it. Who is there is the scenarios' business.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use hdrhistogram::Histogram;
use nix::time::ClockId;

use super::progress;
use super::world::{World, packet_bytes};
use crate::crowd::{Window, judge};
use crate::measurements::{Delivery, Kinds, PacketBytes, Process, Second};

/// Between two looks at what is to be done while packets are counted.
const TICK: Duration = Duration::from_millis(10);
/// What is under way when counting ends has this long to arrive, and as long again if some is missing.
const DRAIN: Duration = Duration::from_millis(1_000);
/// Everybody is to receive everything before packets are counted: looked at for so long, so often at most.
const TRIAL: Duration = Duration::from_millis(600);
const TRIALS: usize = 25;

/// What was counted.
pub(super) struct Count {
    pub(super) delivery: Delivery,
    pub(super) delay_us: Histogram<u64>,
    pub(super) kinds: Kinds,
    pub(super) lag_us: Histogram<u64>,
    pub(super) seconds: Vec<Second>,
    pub(super) srtp_profiles: Vec<String>,
    pub(super) packet_bytes: Vec<PacketBytes>,
    pub(super) counted: Duration,
    pub(super) interrupted: bool,
    pub(super) generator_cpu_seconds: f64,
    pub(super) socket_drops: u64,
    pub(super) process: Option<Process>,
}

impl World {
    /// Wait until everybody receives everything that is meant for them. Who does not in time is counted
    /// with what they get.
    pub(super) async fn warm_up(&mut self) -> Result<()> {
        let crowd = self.population.crowd.clone();
        for _ in 0..TRIALS {
            let from = crowd.begin_counting();
            tokio::time::sleep_until((from + TRIAL).into()).await;
            let until = crowd.end_counting(Instant::now());
            tokio::time::sleep_until((until + TRIAL / 2).into()).await;
            self.population.check_alive()?;
            let counted = crowd.counted().await?;
            let window = Window { from, until };
            let verdict = judge(&self.population.members(), &counted, window);
            if verdict.forgotten == 0 || *self.interrupted.borrow() {
                return Ok(());
            }
        }
        progress::say("not everybody receives everything; counting begins all the same");
        Ok(())
    }

    /// Count what is sent in the time asked for, or until somebody interrupts. `meanwhile` is called often,
    /// with the time that has passed.
    pub(super) async fn count(
        &mut self,
        mut meanwhile: impl FnMut(&mut Self, Duration),
    ) -> Result<Count> {
        let crowd = self.population.crowd.clone();
        progress::say(&format!("counting for {} s", self.run.duration.as_secs()));
        let from = crowd.begin_counting();
        tokio::time::sleep_until(from.into()).await;
        crowd.second().await?;
        if let Some(sampler) = &mut self.sampler {
            sampler.begin()?;
        }
        let cpu_before = own_cpu()?;
        let mut drops = Drops::begin(crowd.socket_drops());
        let mut seconds = Vec::new();
        let end = from + self.run.duration;
        let mut until = None;
        let interrupted = loop {
            let now = Instant::now();
            let is_interrupted = *self.interrupted.borrow();
            if now + 2 * TICK >= end.checked_sub(Duration::from_millis(100)).unwrap_or(end) {
                until.get_or_insert_with(|| crowd.end_counting(end));
            }
            if now >= end || is_interrupted {
                break is_interrupted && now < end;
            }
            if now.duration_since(from) >= Duration::from_secs(seconds.len() as u64 + 1) {
                seconds.push(self.second(seconds.len() + 1).await?);
                drops.look(crowd.socket_drops());
                self.population
                    .check_alive()
                    .with_context(|| format!("ended after {} s of counting", seconds.len()))?;
            }
            meanwhile(self, now.duration_since(from));
            tokio::time::sleep(TICK).await;
        };
        let until = match until {
            Some(until) if !interrupted => until,
            _ => crowd.end_counting(Instant::now()),
        };
        tokio::time::sleep_until(until.into()).await;
        let counted_time = until.duration_since(from);
        // The last second, if it is whole.
        if counted_time.as_secs() as usize > seconds.len() {
            seconds.push(self.second(seconds.len() + 1).await?);
        }
        let generator_cpu_seconds = (own_cpu()? - cpu_before).as_secs_f64();
        let process = match &mut self.sampler {
            Some(sampler) => Some(sampler.end()?),
            None => None,
        };
        let window = Window { from, until };
        let mut last = None;
        for _ in 0..2 {
            tokio::time::sleep(DRAIN).await;
            let counted = crowd.counted().await?;
            let verdict = judge(&self.population.members(), &counted, window);
            let is_whole = verdict.delivery.lost == 0;
            last = Some((counted, verdict));
            if is_whole {
                break;
            }
        }
        let (counted, verdict) = last.context("nothing was counted")?;
        self.population
            .check_alive()
            .context("ended while packets were counted")?;
        drops.look(crowd.socket_drops());
        if verdict.forgotten > 0 {
            self.failures.add(format!(
                "of {} tracks that were meant for them, participants received nothing (tracks times participants)",
                verdict.forgotten
            ));
        }
        let sizes = counted.tracks.iter();
        let sizes = sizes.map(|track| (track.is_audio, track.smallest_bytes, track.largest_bytes));
        Ok(Count {
            delivery: verdict.delivery,
            packet_bytes: packet_bytes(sizes),
            delay_us: counted.delay_us,
            kinds: Kinds {
                sound: verdict.sound,
                sound_delay_us: counted.sound_delay_us,
                whole_frames: counted.pictures.whole,
                broken_frames: counted.pictures.broken,
            },
            lag_us: counted.lag_us,
            srtp_profiles: counted
                .srtp_profiles
                .into_iter()
                .map(str::to_owned)
                .collect(),
            seconds,
            counted: counted_time,
            interrupted,
            generator_cpu_seconds,
            socket_drops: drops.sum(),
            process,
        })
    }

    async fn second(&mut self, number: usize) -> Result<Second> {
        let count = self.population.crowd.second().await?;
        let sample = match &mut self.sampler {
            Some(sampler) => {
                let sample = sampler.sample();
                Some(sample.with_context(|| format!("ended after {number} s of counting"))?)
            }
            None => None,
        };
        let second = Second {
            at: number as f64,
            packets: count.packets,
            bytes: count.bytes,
            delay_p50_us: count.delay_us.value_at_quantile(0.5),
            delay_p99_us: count.delay_us.value_at_quantile(0.99),
            server_cpu_seconds: sample.map(|sample| sample.cpu_seconds),
            server_rss_bytes: sample.map(|sample| sample.rss_bytes),
            server_descriptors: sample.and_then(|sample| sample.descriptors),
            participants: self.population.connected(),
        };
        progress::second(&second);
        Ok(second)
    }
}

/// CPU time of this process.
fn own_cpu() -> Result<Duration> {
    let clock = ClockId::CLOCK_PROCESS_CPUTIME_ID;
    Ok(clock.now().context("the generator's own CPU time")?.into())
}

/// Datagrams that the kernel dropped since counting began. A socket that is closed keeps its last count.
struct Drops {
    before: HashMap<u16, u64>,
    last: HashMap<u16, u64>,
}

impl Drops {
    fn begin(now: HashMap<u16, u64>) -> Self {
        Self {
            last: now.clone(),
            before: now,
        }
    }

    fn look(&mut self, now: HashMap<u16, u64>) {
        self.last.extend(now);
    }

    fn sum(&self) -> u64 {
        let pairs = self.last.iter();
        let since = pairs.map(|(port, count)| {
            let before = self.before.get(port).copied().unwrap_or(0);
            count.saturating_sub(before)
        });
        since.sum()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn drops_are_those_since_counting_began_also_of_sockets_that_are_closed() {
        let mut drops = Drops::begin([(1, 10), (2, 0)].into());
        drops.look([(1, 12), (2, 5), (3, 7)].into());
        drops.look([(1, 13)].into());
        assert_eq!(drops.sum(), 3 + 5 + 7);
    }
}
