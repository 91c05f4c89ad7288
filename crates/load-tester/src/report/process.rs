//! What the server's process uses, as the kernel counts it: CPU, memory, descriptors. It only looks: it
//! sends no signal and resets no counter of the process.

use std::fs;
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use nix::errno::Errno;
use nix::time::ClockId;
use nix::unistd::Pid;

use crate::measurements::Process;

/// Watches one process, from before the first participant joins until counting has ended.
#[derive(Debug)]
pub struct Sampler {
    pid: u32,
    /// When the process began, in clock ticks since the machine did: another process that gets the same
    /// number later has another.
    began: u64,
    /// All its threads, those that have ended included, in nanoseconds. `/proc/PID/stat` counts in ticks
    /// of 10 ms, too coarse for a second, and the sum of `task/*/schedstat` forgets threads that ended.
    clock: ClockId,
    rss_idle_bytes: u64,
    /// The kernel's own mark of the most memory when we began to look.
    peak_before: u64,
    /// The most memory that a sample has seen.
    peak_seen: u64,
    cpu_at_begin: Duration,
    cpu_at_sample: Duration,
}

/// What a process used since the sample before.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Sample {
    /// CPU seconds of all its threads since the sample before, or since `begin`.
    pub cpu_seconds: f64,
    /// Its resident memory.
    pub rss_bytes: u64,
    /// Its open file descriptors, if we may see them.
    pub descriptors: Option<u64>,
}

impl Sampler {
    /// Watch a process of this machine. What it holds now is its idle memory: attach before anybody joins.
    /// It is an error if there is no such process.
    pub fn attach(pid: u32) -> Result<Self> {
        let number = i32::try_from(pid).ok().filter(|number| *number > 0);
        let number = number.with_context(|| format!("{pid} is no number of a process"))?;
        let Stat { began, .. } = Stat::read(pid)
            .with_context(|| format!("there is no process {pid} on this machine to measure"))?;
        let clock = ClockId::pid_cpu_clock_id(Pid::from_raw(number))
            .with_context(|| format!("the CPU time of process {pid} cannot be read"))?;
        let mut sampler = Self {
            pid,
            began,
            clock,
            rss_idle_bytes: 0,
            peak_before: 0,
            peak_seen: 0,
            cpu_at_begin: Duration::ZERO,
            cpu_at_sample: Duration::ZERO,
        };
        sampler.rss_idle_bytes = sampler.exact_rss_bytes()?;
        sampler.peak_before = sampler.status()?.peak_bytes;
        Ok(sampler)
    }

    /// Counting begins.
    pub fn begin(&mut self) -> Result<()> {
        self.cpu_at_begin = self.cpu()?;
        self.cpu_at_sample = self.cpu_at_begin;
        Ok(())
    }

    /// What the process used since the sample before: once a second. It is an error if it has ended.
    pub fn sample(&mut self) -> Result<Sample> {
        let cpu = self.cpu()?;
        let used = cpu.saturating_sub(self.cpu_at_sample);
        self.cpu_at_sample = cpu;
        let Status { rss_bytes, .. } = self.status()?;
        self.peak_seen = self.peak_seen.max(rss_bytes);
        // Not ours to see if the process is another user's.
        let descriptors = fs::read_dir(format!("/proc/{}/fd", self.pid)).ok();
        Ok(Sample {
            cpu_seconds: used.as_secs_f64(),
            rss_bytes,
            descriptors: descriptors.map(|entries| entries.count() as u64),
        })
    }

    /// Counting has ended, and everybody is still there. It is an error if the process has ended.
    pub fn end(&mut self) -> Result<Process> {
        let cpu = self.cpu()?;
        let rss_bytes = self.exact_rss_bytes()?;
        let Status { peak_bytes, .. } = self.status()?;
        // The kernel's mark is that of the process's whole life. If it has risen since we came, the peak
        // was in this run; if not, the samples say how high this run went.
        let kernels = if peak_bytes > self.peak_before {
            peak_bytes
        } else {
            0
        };
        Ok(Process {
            cpu_seconds: cpu.saturating_sub(self.cpu_at_begin).as_secs_f64(),
            rss_idle_bytes: self.rss_idle_bytes,
            rss_peak_bytes: kernels.max(self.peak_seen).max(rss_bytes),
            rss_bytes,
        })
    }

    fn cpu(&self) -> Result<Duration> {
        self.check_alive()?;
        match self.clock.now() {
            Ok(time) => Ok(time.into()),
            Err(Errno::EINVAL | Errno::ESRCH) => {
                bail!("the server's process {} has ended", self.pid)
            }
            Err(error) => Err(error).context("the server's CPU time cannot be read"),
        }
    }

    fn check_alive(&self) -> Result<()> {
        let stat = Stat::read(self.pid);
        let is_alive = stat.is_ok_and(|stat| stat.began == self.began && !stat.is_dead);
        ensure!(is_alive, "the server's process {} has ended", self.pid);
        Ok(())
    }

    fn status(&self) -> Result<Status> {
        let text = self.read("status")?;
        let rss_bytes = kilobytes(&text, "VmRSS:");
        let peak_bytes = kilobytes(&text, "VmHWM:");
        match (rss_bytes, peak_bytes) {
            (Some(rss_bytes), Some(peak_bytes)) => Ok(Status {
                rss_bytes,
                peak_bytes,
            }),
            // The kernel shows no memory of a process that is ending.
            _ => bail!("the server's process {} has ended", self.pid),
        }
    }

    /// Resident memory, page by page: `status` may be some hundred KB behind, the memory of ten subscribers.
    /// Walking the pages takes the process milliseconds, so not while packets are counted.
    fn exact_rss_bytes(&self) -> Result<u64> {
        let exact = self.read("smaps_rollup").ok();
        match exact.and_then(|text| kilobytes(&text, "Rss:")) {
            Some(bytes) => Ok(bytes),
            None => Ok(self.status()?.rss_bytes), // another user's
        }
    }

    fn read(&self, name: &str) -> Result<String> {
        self.check_alive()?;
        let path = format!("/proc/{}/{name}", self.pid);
        fs::read_to_string(&path).with_context(|| format!("cannot read {path}"))
    }
}

struct Status {
    rss_bytes: u64,
    peak_bytes: u64,
}

struct Stat {
    began: u64,
    is_dead: bool,
}

impl Stat {
    fn read(pid: u32) -> Result<Self> {
        Self::parse(&fs::read_to_string(format!("/proc/{pid}/stat"))?)
            .context("/proc/PID/stat is not as proc(5) says")
    }

    /// proc(5): the name, second, may hold spaces and brackets; the state is third, the start time 22nd.
    fn parse(text: &str) -> Option<Self> {
        let (_, after_name) = text.rsplit_once(") ")?;
        let mut fields = after_name.split_ascii_whitespace();
        let state = fields.next()?;
        Some(Self {
            is_dead: matches!(state, "Z" | "X"),
            began: fields.nth(18)?.parse().ok()?,
        })
    }
}

fn kilobytes(text: &str, key: &str) -> Option<u64> {
    let line = text.lines().find_map(|line| line.strip_prefix(key))?;
    let number = line.trim().strip_suffix("kB")?.trim().parse::<u64>().ok()?;
    Some(number * 1024)
}

#[cfg(test)]
mod tests {
    use std::process::{Child, Command, Stdio};
    use std::time::Instant;

    use super::*;

    fn sleeper() -> Child {
        Command::new("sleep").arg("60").spawn().unwrap()
    }

    #[test]
    fn the_name_of_a_process_may_hold_brackets() {
        let fields: Vec<String> = (4..=30).map(|number| number.to_string()).collect();
        let stat = Stat::parse(&format!("7 (a) b) Z {}", fields.join(" "))).unwrap();
        assert!(stat.is_dead);
        assert_eq!(stat.began, 22);
    }

    #[test]
    fn a_process_that_does_not_exist_is_a_clear_error() {
        for pid in [0, u32::MAX, 4_194_305] {
            let error = Sampler::attach(pid).unwrap_err().to_string();
            assert!(error.contains(&pid.to_string()), "{error}");
        }
    }

    #[test]
    fn a_process_that_ends_is_a_clear_error_even_before_anyone_has_waited_for_it() {
        let mut child = sleeper();
        let mut sampler = Sampler::attach(child.id()).unwrap();
        sampler.begin().unwrap();
        sampler.sample().unwrap();
        child.kill().unwrap();
        let patience = Instant::now() + Duration::from_secs(5);
        while sampler.sample().is_ok() {
            assert!(Instant::now() < patience);
        }
        let error = sampler.sample().unwrap_err().to_string();
        assert!(error.contains("has ended"), "{error}");
        assert!(sampler.end().is_err());
        child.wait().unwrap();
        let error = sampler.end().unwrap_err().to_string();
        assert!(error.contains("has ended"), "{error}");
    }

    #[test]
    fn cpu_time_of_threads_that_have_ended_counts() {
        let mut sampler = Sampler::attach(std::process::id()).unwrap();
        sampler.begin().unwrap();
        let thread = std::thread::spawn(|| {
            let own = ClockId::CLOCK_THREAD_CPUTIME_ID;
            while Duration::from(own.now().unwrap()) < Duration::from_millis(50) {}
        });
        thread.join().unwrap();
        let sample = sampler.sample().unwrap();
        assert!(sample.cpu_seconds >= 0.05, "{sample:?}");
        assert!(sample.descriptors.unwrap() >= 3, "{sample:?}");
        assert!(sampler.end().unwrap().cpu_seconds >= 0.05);
    }

    #[test]
    fn an_idle_process_has_used_less_than_a_tick_and_its_memory_is_known() {
        let mut child = Command::new("cat").stdin(Stdio::piped()).spawn().unwrap();
        // Past its start, when it waits for its input.
        std::thread::sleep(Duration::from_millis(100));
        let mut sampler = Sampler::attach(child.id()).unwrap();
        sampler.begin().unwrap();
        let process = sampler.end().unwrap();
        child.kill().unwrap();
        child.wait().unwrap();
        assert!(process.cpu_seconds < 0.01, "{process:?}");
        assert!(process.rss_idle_bytes > 100 << 10, "{process:?}");
        assert!(process.rss_peak_bytes >= process.rss_bytes);
    }

    #[test]
    fn memory_that_is_given_back_stays_in_the_peak() {
        let mut sampler = Sampler::attach(std::process::id()).unwrap();
        sampler.begin().unwrap();
        let much = vec![1_u8; 200 << 20];
        std::hint::black_box(&much);
        drop(much);
        let process = sampler.end().unwrap();
        assert!(
            process.rss_peak_bytes >= process.rss_idle_bytes + (150 << 20),
            "{process:?}"
        );
    }
}
