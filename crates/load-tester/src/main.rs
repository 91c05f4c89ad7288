//! `plenum-load`: does what its command line asks for, and reports. It measures nothing itself.

use std::path::Path;
use std::process::ExitCode;

use anyhow::{Context, Result};
use load_tester::command_line::{self, Action, Run};
use load_tester::report::{Machine, Report, compare, html, text};
use load_tester::scenario;

fn main() -> ExitCode {
    let done = match command_line::read(std::env::args_os()) {
        Err(error) => return command_line::refuse(&error),
        Ok(Action::List) => {
            print!("{}", command_line::list());
            Ok(ExitCode::SUCCESS)
        }
        Ok(Action::Compare(reports)) => compare::read(&reports).map(|reports| {
            print!("{}", compare::tables(&reports));
            ExitCode::SUCCESS
        }),
        Ok(Action::Run(run)) => carry_out(&run),
    };
    done.unwrap_or_else(|error| {
        eprintln!("plenum-load: {error:#}");
        ExitCode::FAILURE
    })
}

fn carry_out(run: &Run) -> Result<ExitCode> {
    // One thread for all that is said with servers: media has threads of its own.
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    let measurements = runtime.block_on(scenario::run(run, None))?;
    let report = Report::new(measurements, Machine::here());
    print!("{}", text::write(&report));
    if let Some(path) = &run.json {
        write(
            path,
            &format!("{}\n", serde_json::to_string_pretty(&report)?),
        )?;
    }
    if let Some(path) = &run.html {
        write(path, &html::write(&report)?)?;
    }
    Ok(ExitCode::from(report.exit_code()))
}

fn write(path: &Path, contents: &str) -> Result<()> {
    std::fs::write(path, contents).with_context(|| format!("cannot write {}", path.display()))
}
