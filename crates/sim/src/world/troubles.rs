//! What goes wrong in a world: the server crashes or is stopped, the database is away, media fails. A crash
//! loses all memory, and of what was to be written the last part.

use std::time::Duration;

use protocol::ConnectionId;
use signaling::Command;

use super::{Event, World};
use crate::media_plane::MediaPlane;
use crate::server::Server;

/// A trouble begins or ends.
#[derive(Debug)]
pub(super) enum Trouble {
    /// The server starts.
    Start,
}

/// Between two moments of chance, in milliseconds.
const MOMENT: u64 = 500;

impl World {
    /// Something breaks now, or does not.
    pub(super) fn chance(&mut self) {
        if self.is_calm {
            return;
        }
        self.after(MOMENT, Event::Chance);
        self.disturb_media();
        if self.seed.percent(self.plan.outages) {
            let away = Duration::from_millis(self.seed.below(15_000));
            self.database_away_until = self.database_away_until.max(self.now + away);
            self.trace
                .note(self.now, format_args!("the database is away for {away:?}"));
        }
        if self.server.is_none() {
            return;
        }
        if self.seed.percent(self.plan.crashes) {
            self.crash();
        } else if self.seed.percent(self.plan.stops) {
            self.stop();
        }
    }

    pub(super) fn trouble(&mut self, trouble: Trouble) {
        match trouble {
            Trouble::Start => self.start(),
        }
    }

    /// The server starts, on what is committed.
    pub(super) fn start(&mut self) {
        self.lives += 1;
        let life = self.lives;
        let server = Server::start(life, self.plan.limits.clone(), &mut self.store);
        server.rooms.check_invariants();
        self.trace
            .note(self.now, format_args!("the server starts, life {life}"));
        self.server = Some(server);
        self.recorded.clear();
        // Keys that joined another's session are forgotten with the memory.
        self.keys.clear();
        assert_eq!(
            self.store.running().next(),
            None,
            "nothing runs when the server starts"
        );
        self.store.check();
        self.check_promises();
        self.heartbeat(life);
    }

    /// The server is gone in this moment. The database commits what it had begun with, or not.
    fn crash(&mut self) {
        let Some(mut server) = self.server.take() else {
            return;
        };
        self.counted.crashes += 1;
        if self.database_away_until <= self.now {
            let begun = self.seed.below(server.uncommitted() as u64 + 1) as usize;
            server.commit(&mut self.store, begun);
        }
        self.counted.lost += server.uncommitted() as u64;
        let lost = server.uncommitted();
        self.trace.note(
            self.now,
            format_args!("the server crashes, {lost} are lost"),
        );
        self.lose_all_connections(server.life);
    }

    /// The server is asked to stop, and ends when everything is written and said; media ends as a whole.
    fn stop(&mut self) {
        if self.database_away_until > self.now {
            return;
        }
        if let Some(server) = &mut self.server {
            server.media = MediaPlane::default();
        }
        self.command(Some(Command::Stop));
        let Some(server) = &mut self.server else {
            return;
        };
        let number = server.commit(&mut self.store, usize::MAX);
        let out = server.learn(number);
        assert!(server.is_quiet(), "a server that stops has said everything");
        self.emit(out);
        let life = self.server.take().map(|server| server.life);
        assert_eq!(
            self.store.running().next(),
            None,
            "a server that stops has ended every session"
        );
        self.store.check();
        let down = self.seed.between(200, 3_000);
        self.trace.note(
            self.now,
            format_args!("the server is stopped for {down} ms"),
        );
        self.is_commit_due = false;
        // What was said is still under way: the connections end behind it.
        for connection in self.open_links(life.unwrap_or_default()) {
            self.close_from_server(connection);
        }
        self.after(down, Event::Trouble(Trouble::Start));
    }

    fn lose_all_connections(&mut self, life: u64) {
        self.is_commit_due = false;
        for connection in self.open_links(life) {
            if let Some(link) = self.links.get_mut(&connection) {
                link.cut_at = Some(link.cut_at.map_or(self.now, |at| at.min(self.now)));
            }
            let notices = match self.seed.once_in(4) {
                true => self.seed.below(15_000),
                false => self.seed.below(300),
            };
            self.after(notices, Event::ClientNotices { connection });
        }
        let down = self.seed.between(200, 3_000);
        self.after(down, Event::Trouble(Trouble::Start));
    }

    fn open_links(&self, life: u64) -> Vec<ConnectionId> {
        let open = self
            .links
            .iter()
            .filter(|(_, link)| link.life == life && link.is_open_at_client);
        open.map(|(connection, _)| *connection).collect()
    }
}
