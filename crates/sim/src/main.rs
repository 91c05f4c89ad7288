//! The search: many worlds, over all cores, for one in which something is not as it must be. With
//! `--replay`, the rooms alone are given a recorded log of commands.

use std::process::ExitCode;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::{env, fs, thread};

use sim::{Counted, Failure, replay, run};

const USAGE: &str = "usage: plenum-sim FIRST..LAST | plenum-sim SEED | plenum-sim --replay FILE\n\
                     \n\
                     FIRST..LAST  run the worlds of these seeds, the last one left out\n\
                     SEED         run one world; if it fails, its commands go to sim-SEED.jsonl\n\
                     --replay     give the rooms a recorded log: JSON lines, from that file or from\n\
                     \x20            data_dir/faults of a server";

/// Failures that are shown; more say the same.
const SHOWN: usize = 3;

fn main() -> ExitCode {
    let arguments: Vec<String> = env::args().skip(1).collect();
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match words[..] {
        ["--replay", file] => replay_file(file),
        [seeds] => match range(seeds) {
            Some((first, last)) => search(first, last),
            None => usage(),
        },
        _ => usage(),
    }
}

fn usage() -> ExitCode {
    eprintln!("{USAGE}");
    ExitCode::from(2)
}

/// `7..9` or `7`, as the first number and the one behind the last.
fn range(text: &str) -> Option<(u64, u64)> {
    let (first, last) = match text.split_once("..") {
        Some((first, last)) => (first.parse().ok()?, last.parse().ok()?),
        None => {
            let only: u64 = text.parse().ok()?;
            (only, only.checked_add(1)?)
        }
    };
    (first < last).then_some((first, last))
}

fn search(first: u64, last: u64) -> ExitCode {
    let next = AtomicU64::new(first);
    let found: Mutex<(Counted, Vec<Failure>)> = Mutex::default();
    let cores = thread::available_parallelism().map_or(1, |cores| cores.get());
    thread::scope(|scope| {
        for _ in 0..cores {
            scope.spawn(|| {
                loop {
                    let seed = next.fetch_add(1, Ordering::Relaxed);
                    if seed >= last {
                        return;
                    }
                    let ended = run(seed, None);
                    let mut found = found.lock().unwrap_or_else(PoisonError::into_inner);
                    match ended {
                        Ok(report) => found.0 += report.counted,
                        Err(failure) => found.1.push(*failure),
                    }
                }
            });
        }
    });
    let (counted, mut failures) = found.into_inner().unwrap_or_else(PoisonError::into_inner);
    failures.sort_by_key(|failure| failure.seed);
    for failure in failures.iter().take(SHOWN) {
        eprintln!("{failure}\n");
        if last - first == 1 {
            write_commands(failure);
        }
    }
    let failed: Vec<u64> = failures.iter().map(|failure| failure.seed).collect();
    println!(
        "{} worlds, {} failed; {counted}",
        last - first,
        failed.len()
    );
    if failed.is_empty() {
        return ExitCode::SUCCESS;
    }
    println!("failed: {failed:?}");
    ExitCode::FAILURE
}

fn write_commands(failure: &Failure) {
    let file = format!("sim-{}.jsonl", failure.seed);
    match fs::write(&file, failure.commands_as_lines()) {
        Ok(()) => eprintln!("the commands of the server's last life are in {file}"),
        Err(error) => eprintln!("{file} cannot be written: {error}"),
    }
}

fn replay_file(file: &str) -> ExitCode {
    let replayed = fs::read_to_string(file)
        .map_err(|error| error.to_string())
        .and_then(|text| replay(&text, |line| println!("{line}")));
    match replayed {
        Ok(commands) => {
            println!("{commands} commands, and everything is as it must be");
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("{file}: {error}");
            ExitCode::FAILURE
        }
    }
}
