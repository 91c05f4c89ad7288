//! The words of `plenum-load`: what may be asked for, in which combinations, and what `--help` says. It
//! carries nothing out.

mod arguments;
mod plan;
#[cfg(test)]
mod tests;

use std::ffi::OsString;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::{CommandFactory, Parser, ValueEnum};

use arguments::{Arguments, Subcommand};
pub use arguments::{Codec, Feedback, ScenarioName, ServerKind};
pub use plan::{Key, Run, Scenario, Video};

/// What was asked for.
#[derive(Debug)]
pub enum Action {
    /// Run a scenario.
    Run(Box<Run>),
    /// Say which scenarios there are: print `list()`.
    List,
    /// Make one table of these reports.
    Compare(Vec<PathBuf>),
}

/// Reads the command line, the program's name first. The error is for `refuse`.
pub fn read(
    words: impl IntoIterator<Item = impl Into<OsString> + Clone>,
) -> Result<Action, clap::Error> {
    let arguments = Arguments::try_parse_from(words)?;
    Ok(match arguments.subcommand {
        Subcommand::List => Action::List,
        Subcommand::Compare(compare) => Action::Compare(compare.reports),
        Subcommand::Run(arguments) => {
            let run = Run::check(*arguments).map_err(|sentence| {
                let mut command = Arguments::command();
                let command = command.find_subcommand_mut("run");
                let mut run = command
                    .cloned()
                    .unwrap_or_default()
                    .bin_name("plenum-load run");
                run.error(clap::error::ErrorKind::ArgumentConflict, sentence)
            })?;
            Action::Run(Box::new(run))
        }
    })
}

/// Prints help to those who asked for it, and a refusal to the others, whose exit code is 1: clap's own 2
/// means that packets were lost.
pub fn refuse(error: &clap::Error) -> ExitCode {
    // Nobody is left to tell if the terminal is gone.
    let _ = error.print();
    if error.use_stderr() {
        ExitCode::from(1)
    } else {
        ExitCode::SUCCESS
    }
}

/// The scenarios with a sentence each.
pub fn list() -> String {
    let scenarios = ScenarioName::value_variants().iter();
    let lines = scenarios.map(|name| format!("{:<10}  {}\n", name.as_str(), name.sentence()));
    lines.collect()
}
