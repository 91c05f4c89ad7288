//! What every scenario has at hand: the run as asked for, the crowd, its people, the server's process. It
//! puts the measurements together at the end.

use std::sync::Arc;
use std::time::Duration;

use anyhow::{Result, bail};
use tokio::sync::watch;

use super::counting::Count;
use super::failures::Failures;
use super::interrupt;
use super::population::{Newcomer, Population};
use super::progress;
use crate::command_line::{Feedback, Run};
use crate::crowd::{Crowd, CrowdOptions, Detour, PublishSpec};
use crate::measurements::{Generator, Measurements, PacketBytes};
use crate::report::process::Sampler;
use crate::servers::Signaling;

/// What every scenario has at hand.
pub(super) struct World {
    pub(super) run: Run,
    pub(super) population: Population,
    pub(super) failures: Failures,
    pub(super) sampler: Option<Sampler>,
    pub(super) interrupted: watch::Receiver<bool>,
    server: String,
}

impl World {
    /// Find the server, and start the crowd.
    pub(super) async fn begin(
        run: &Run,
        signaling: Arc<dyn Signaling>,
        detour: Option<Detour>,
    ) -> Result<Self> {
        let server = signaling.server().await?;
        progress::say(&format!(
            "{server} at {}: scenario {}",
            run.url,
            run.scenario.name()
        ));
        let sampler = run.pid.map(Sampler::attach).transpose()?;
        let crowd = Arc::new(Crowd::start(CrowdOptions {
            receive_threads: run.receive_threads,
            gro: run.gro,
            seed: run.seed,
            detour,
        })?);
        let failures = Failures::default();
        let transport_cc = run.feedback == Feedback::TransportCc;
        Ok(Self {
            run: run.clone(),
            population: Population::new(crowd, signaling, failures.clone(), transport_cc),
            failures,
            sampler,
            interrupted: interrupt::interrupted(),
            server,
        })
    }

    /// What a publisher publishes in this run.
    pub(super) fn publishes(&self) -> Vec<PublishSpec> {
        let audio = self.run.audio.then_some(PublishSpec::Audio);
        let video = self.run.video.map(PublishSpec::Video);
        audio.into_iter().chain(video).collect()
    }

    /// Somebody who publishes what is published in this run.
    pub(super) fn publisher(&self, room: u32) -> Newcomer {
        Newcomer {
            room,
            publishes: self.publishes(),
            ..Newcomer::default()
        }
    }

    /// Let these join at the pace asked for, and wait until they are connected.
    pub(super) async fn gather(&mut self, newcomers: Vec<Newcomer>) -> Result<()> {
        let per_second = self.run.join_rate;
        let count = newcomers.len();
        progress::say(&format!("{count} join, {per_second} a second"));
        let mut interrupted = self.interrupted.clone();
        tokio::select! {
            gathered = self.population.gather(newcomers, per_second) => gathered,
            Ok(_) = interrupted.wait_for(|is| *is) => bail!("interrupted before packets were counted"),
        }
    }

    /// The packets of a picture leave together, so the shortest interval is that of pictures; sound goes
    /// every 20 ms.
    pub(super) fn packet_interval(&self) -> Duration {
        let audio = self.run.audio.then_some(Duration::from_millis(20));
        let frames_per_second = self.run.video.map(|video| video.frames_per_second.max(1));
        let video = frames_per_second.map(|rate| Duration::from_secs(1) / rate);
        audio.into_iter().chain(video).min().unwrap_or_default()
    }

    /// Everybody leaves; the measurements of what was counted.
    pub(super) async fn finish(mut self, count: Count) -> Result<Measurements> {
        let members = self.population.members();
        let threads = self.population.crowd.threads();
        let packet_interval = self.packet_interval();
        self.population.leave().await;
        Ok(Measurements {
            scenario: self.run.scenario.name().to_owned(),
            settings: self.run.settings(),
            server: self.server,
            url: self.run.url.clone(),
            srtp_profiles: count.srtp_profiles,
            counted: count.counted,
            interrupted: count.interrupted,
            joins: members.iter().map(|member| member.join()).collect(),
            failures: self.failures.first(),
            failure_count: self.failures.count(),
            delivery: count.delivery,
            delay_us: count.delay_us,
            kinds: count.kinds,
            seconds: count.seconds,
            generator: Generator {
                lag_us: count.lag_us,
                packet_interval,
                cpu_seconds: count.generator_cpu_seconds,
                socket_drops: count.socket_drops,
                threads,
            },
            packet_bytes: count.packet_bytes,
            process: count.process,
            steps: Vec::new(),
        })
    }
}

/// The sizes of the packets of both kinds, where there were any.
pub(super) fn packet_bytes(sizes: impl Iterator<Item = (bool, usize, usize)>) -> Vec<PacketBytes> {
    let mut kinds: Vec<PacketBytes> = Vec::new();
    for (is_audio, smallest, largest) in sizes {
        let kind = if is_audio { "audio" } else { "video" };
        let (smallest, largest) = (smallest as u64, largest as u64);
        match kinds.iter_mut().find(|known| known.kind == kind) {
            Some(known) => {
                known.smallest = known.smallest.min(smallest);
                known.largest = known.largest.max(largest);
            }
            None => kinds.push(PacketBytes {
                kind: kind.to_owned(),
                smallest,
                largest,
            }),
        }
    }
    kinds.sort_by(|a, b| a.kind.cmp(&b.kind));
    kinds
}
