//! A private PostgreSQL of Debian's package, which ends and leaves nothing behind when the tests end, however
//! they end. Without the package the tests fail.

#![allow(
    clippy::disallowed_types,
    reason = "a free port is found by taking it; elsewhere that is no matter"
)]

use std::io::{BufRead, BufReader, Write};
use std::net::TcpListener;
use std::os::unix::fs::chown;
use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Mutex, OnceLock};

/// Starts and stops the server as it is told, and cleans up when nobody can tell it anything any more.
const KEEPER: &str = r#"
directory=$1 programs=$2 port=$3
trap '' INT TERM
"$programs/initdb" --no-sync -A trust -U plenum -D "$directory/data" >"$directory/log" 2>&1 ||
    { cat "$directory/log" >&2; rm -rf "$directory"; exit 1; }
echo initialised
while read -r word; do
    case $word in
    start)
        "$programs/postgres" -D "$directory/data" -k "$directory" -p "$port" \
            -c listen_addresses=127.0.0.1 -c max_connections=200 >>"$directory/log" 2>&1 </dev/null &
        server=$!
        until "$programs/pg_isready" -q -h 127.0.0.1 -p "$port"; do
            kill -0 $server || { cat "$directory/log" >&2; break; }
            sleep 0.05
        done
        echo started ;;
    stop)
        kill -QUIT $server; wait $server; echo stopped ;;
    esac
done
kill -QUIT $server 2>/dev/null; wait
rm -rf "$directory"
"#;

/// A PostgreSQL server of the tests' own.
pub(crate) struct Postgres {
    port: u16,
    // Held: its end is the keeper's sign to clean up.
    keeper: Mutex<Keeper>,
}

struct Keeper {
    words: ChildStdin,
    answers: BufReader<ChildStdout>,
    _process: Child,
}

impl Postgres {
    /// The one that all tests share.
    pub(crate) fn shared() -> &'static Postgres {
        static SHARED: OnceLock<Postgres> = OnceLock::new();
        SHARED.get_or_init(Postgres::start_new)
    }

    /// One more, for a test that stops it.
    pub(crate) fn start_new() -> Postgres {
        let programs = programs();
        let port = free_port();
        let directory =
            std::env::temp_dir().join(format!("plenum-postgres-{}-{port}", std::process::id()));
        std::fs::create_dir(&directory).unwrap();
        let mut command = Command::new("sh");
        command
            .args(["-c", KEEPER, "keeper"])
            .arg(&directory)
            .arg(programs)
            .arg(port.to_string())
            .current_dir(&directory)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped());
        // It refuses to run as root.
        if id("-u", None) == 0 {
            let (user, group) = (id("-u", Some("postgres")), id("-g", Some("postgres")));
            chown(&directory, Some(user), Some(group)).unwrap();
            command.uid(user).gid(group);
        }
        let mut process = command.spawn().unwrap();
        let mut keeper = Keeper {
            words: process.stdin.take().unwrap(),
            answers: BufReader::new(process.stdout.take().unwrap()),
            _process: process,
        };
        keeper.expect("initialised");
        let postgres = Postgres {
            port,
            keeper: Mutex::new(keeper),
        };
        postgres.start();
        postgres
    }

    pub(crate) fn start(&self) {
        self.keeper.lock().unwrap().tell("start", "started");
    }

    /// At once, as a crash would.
    pub(crate) fn stop(&self) {
        self.keeper.lock().unwrap().tell("stop", "stopped");
    }

    pub(crate) fn url(&self, database: &str) -> String {
        format!("postgres://plenum@127.0.0.1:{}/{database}", self.port)
    }
}

impl Keeper {
    fn tell(&mut self, word: &str, answer: &str) {
        writeln!(self.words, "{word}").unwrap();
        self.expect(answer);
    }

    fn expect(&mut self, answer: &str) {
        let mut line = String::new();
        self.answers.read_line(&mut line).unwrap();
        assert_eq!(line.trim_end(), answer, "PostgreSQL's keeper");
    }
}

/// A port that stays free until the server takes it, and while it is stopped: below those that the kernel
/// gives to whoever asks for any (32768 and up), and for each process and each server another one.
fn free_port() -> u16 {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    let first = std::process::id() * 16;
    let ports = std::iter::from_fn(|| Some(first + NEXT.fetch_add(1, Ordering::Relaxed)));
    let ports = ports.map(|number| 20_000 + u16::try_from(number % 6_000).unwrap());
    let mut free = ports.filter(|port| TcpListener::bind(("127.0.0.1", *port)).is_ok());
    free.next().unwrap()
}

/// The folder of Debian's newest PostgreSQL.
fn programs() -> PathBuf {
    let versions = std::fs::read_dir("/usr/lib/postgresql").ok();
    let mut folders: Vec<PathBuf> = versions
        .into_iter()
        .flatten()
        .map(|entry| entry.unwrap().path().join("bin"))
        .filter(|folder| folder.join("initdb").exists())
        .collect();
    folders.sort();
    folders.pop().expect(
        "PostgreSQL is needed for these tests: apt-get install postgresql, or make postgresql",
    )
}

fn id(what: &str, user: Option<&str>) -> u32 {
    let output = Command::new("id").arg(what).args(user).output().unwrap();
    String::from_utf8(output.stdout)
        .unwrap()
        .trim()
        .parse()
        .unwrap()
}
