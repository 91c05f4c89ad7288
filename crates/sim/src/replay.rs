//! A recorded log of commands, given to the rooms again: of a world that failed, or of a room of a server
//! in which something was not as it must be. It has no people, no network and no store.

use std::panic::{self, AssertUnwindSafe};

use signaling::{Limits, LogHead, Recorded, Rooms};

/// Gives the rooms the commands of a log, and checks them after each. How many there were.
///
/// A log of a server has a room's last commands, and says whether they are all. If not, the room is not the
/// one that it was, and this is told.
///
/// # Errors
/// When a line cannot be read, or something is not as it must be after it.
pub fn replay(text: &str, mut tell: impl FnMut(&str)) -> Result<usize, String> {
    let mut commands: Vec<(usize, Recorded)> = Vec::new();
    let lines = (1..).zip(text.lines());
    for (number, line) in lines.filter(|(_, line)| !line.trim().is_empty()) {
        if let (1, Ok(head)) = (number, serde_json::from_str::<LogHead>(line)) {
            tell(meaning(head));
            continue;
        }
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

fn meaning(head: LogHead) -> &'static str {
    match head.is_whole {
        true => {
            "The log begins with its room: with the same limits, these are the effects that there were."
        }
        false => {
            "The log begins later than its room. What the room was then is not known: whose it is, its \
             settings and sessions, who was in it, who is banned. The first who joins here makes a room \
             that is nobody's; what names somebody or something from before is refused. The commands are \
             those that there were, the effects need not be."
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_log_that_begins_later_than_its_room_is_told_to_do_so() {
        for (whole, words) in [(true, "begins with its room"), (false, "begins later")] {
            let log = format!("{{\"is_whole\":{whole}}}\n{{\"at\":1,\"command\":null}}");
            let mut told = Vec::new();
            assert_eq!(replay(&log, |line| told.push(line.to_owned())), Ok(1));
            assert!(told[0].contains(words), "{told:?}");
        }
    }

    #[test]
    fn a_line_that_is_no_command_is_told_with_its_number() {
        let error = replay("\n{\"at\":1,\"command\":null}\n{}", |_| {}).unwrap_err();
        assert!(error.starts_with("line 3 "), "{error}");
    }
}
