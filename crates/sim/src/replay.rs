//! A recorded log of commands, given to the rooms again: of a world that failed, or of a room of a server
//! in which something was not as it must be. It has no people, no network and no store.

use std::panic::{self, AssertUnwindSafe};

use signaling::{Limits, Recorded, Rooms};

/// Gives the rooms the commands of a log, and checks them after each. How many there were.
///
/// A log of a server has a room's last commands and not its first: what they name may not be there, and is
/// then refused as it would be for anybody.
///
/// # Errors
/// When a line cannot be read, or something is not as it must be after it.
pub fn replay(text: &str, mut tell: impl FnMut(&str)) -> Result<usize, String> {
    let mut commands: Vec<(usize, Recorded)> = Vec::new();
    let lines = (1..).zip(text.lines());
    for (number, line) in lines.filter(|(_, line)| !line.trim().is_empty()) {
        let recorded = serde_json::from_str(line);
        let recorded =
            recorded.map_err(|error| format!("line {number} is no recorded command: {error}"))?;
        commands.push((number, recorded));
    }
    let many = commands.len();
    let mut rooms = Rooms::new(Limits::default());
    for (number, Recorded { at, command }) in commands {
        tell(&format!("{:>8} > {command:?}", at.0));
        let done = panic::catch_unwind(AssertUnwindSafe(|| {
            let effects = match command {
                Some(command) => rooms.handle(at, command),
                None => rooms.handle_timeout(at),
            };
            rooms.check_invariants();
            effects
        }));
        let Ok(effects) = done else {
            return Err(format!(
                "line {number}: something is not as it must be after it"
            ));
        };
        for effect in effects {
            tell(&format!("{:>8} < {effect:?}", at.0));
        }
    }
    Ok(many)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_that_is_no_command_is_told_with_its_number() {
        let error = replay("\n{\"at\":1,\"command\":null}\n{}", |_| {}).unwrap_err();
        assert!(error.starts_with("line 3 "), "{error}");
    }
}
