//! One world from its beginning to its end, and what is to be said of it afterwards.

use std::any::Any;
use std::cell::Cell;
use std::fmt;
use std::panic::{self, AssertUnwindSafe};
use std::sync::Once;

use signaling::Recorded;

use crate::bug::Bug;
use crate::world::{Counted, World};

/// Lines that are shown of a world that failed.
const SHOWN: usize = 60;

/// A world that went well.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Report {
    /// Everything that happened, as a number.
    pub hash: u64,
    /// How much happened.
    pub counted: Counted,
}

/// A world in which something was not as it must be.
#[derive(Clone, Debug)]
pub struct Failure {
    /// Which world.
    pub seed: u64,
    /// What was not as it must be.
    pub claim: String,
    /// Where it was seen.
    pub place: String,
    /// The last of what happened.
    pub trace: Vec<String>,
    /// The commands of the server's last life.
    pub commands: Vec<Recorded>,
}

impl Failure {
    /// The commands as lines of JSON, for [`replay`](crate::replay).
    pub fn commands_as_lines(&self) -> String {
        let lines = self.commands.iter().map(serde_json::to_string);
        lines.filter_map(Result::ok).collect::<Vec<_>>().join("\n")
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for line in &self.trace {
            writeln!(f, "  {line}")?;
        }
        writeln!(f, "seed {} at {}: {}", self.seed, self.place, self.claim)?;
        write!(
            f,
            "once more, with its commands in a file: make sim SEEDS={}",
            self.seed
        )
    }
}

/// The world with this number, with a fault planted in it or none.
///
/// # Errors
/// When something in it is not as it must be.
pub fn run(seed: u64, bug: Option<Bug>) -> Result<Report, Box<Failure>> {
    quiet_panics();
    let mut world = World::new(seed, bug);
    IS_IN_A_WORLD.set(true);
    let ended = panic::catch_unwind(AssertUnwindSafe(|| world.run()));
    IS_IN_A_WORLD.set(false);
    match ended {
        Ok(()) => Ok(Report {
            hash: world.trace.hash(),
            counted: world.counted,
        }),
        Err(claim) => {
            let claim = text(claim.as_ref());
            Err(Box::new(Failure {
                seed,
                trace: world.trace.about(&ids_in(&claim), SHOWN),
                claim,
                place: PLACE.take(),
                commands: world.recorded,
            }))
        }
    }
}

thread_local! {
    static IS_IN_A_WORLD: Cell<bool> = const { Cell::new(false) };
    static PLACE: Cell<String> = const { Cell::new(String::new()) };
}

/// A claim that does not hold in a world is reported by whoever ran it, once; all other panics as ever.
fn quiet_panics() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        let usual = panic::take_hook();
        panic::set_hook(Box::new(move |info| match IS_IN_A_WORLD.get() {
            true => PLACE.set(
                info.location()
                    .map_or_else(String::new, |at| at.to_string()),
            ),
            false => usual(info),
        }));
    });
}

fn text(claim: &(dyn Any + Send)) -> String {
    let owned = claim.downcast_ref::<String>().cloned();
    let lent = || claim.downcast_ref::<&str>().map(|text| (*text).to_owned());
    owned.or_else(lent).unwrap_or_default()
}

/// The ids that a text names: what else was said of them belongs to the story.
fn ids_in(text: &str) -> Vec<String> {
    let words = text.split(|c: char| !c.is_ascii_alphanumeric() && c != '_');
    let is_id = |word: &&str| word.len() == 16 && word.as_bytes()[2] == b'_';
    let mut ids: Vec<String> = words.filter(is_id).map(str::to_owned).collect();
    ids.truncate(3);
    ids
}
