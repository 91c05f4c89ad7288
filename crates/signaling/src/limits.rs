//! Everything that a stranger can make grow in signaling, how far, and why that far. It never counts:
//! whoever lets something grow asks here first.

use std::time::Duration;

use protocol::{ErrorBody, ErrorCode};

use crate::Claims;

/// The limits of signaling. Each refusal is an error with a code of its own.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Rooms open at once. `server_full`.
    pub rooms: usize,
    /// Participants on the server, those away included. `server_full`.
    pub participants: usize,
    /// Participants in one room, those away and those hidden included. Each change is told to all of
    /// them, so the work in a room grows with the square. `room_full`.
    pub participants_per_room: usize,
    /// Tracks that one participant may publish: two cameras, a screen and their sound, twice.
    /// `too_many_tracks`.
    pub tracks_per_participant: usize,
    /// Tracks that one participant may receive. Those beyond it wait for a place; asked for by name,
    /// they are `too_many_tracks`.
    pub subscriptions_per_participant: usize,
    /// Offers of one peer that wait for their answer. A client waits for an answer before it offers
    /// again, so more is a fault. `too_fast`.
    pub unanswered_offers: usize,
    /// Changes that a room keeps for those who come back; who missed more gets the whole room.
    pub logged_changes: usize,
    /// Bytes of an identity, a name, a role or a room's name. `text_too_long`.
    pub name_bytes: usize,
    /// Bytes of an avatar's URL: what browsers and proxies carry of a URL everywhere. `text_too_long`.
    pub url_bytes: usize,
    /// Bytes of a `mid`: browsers' have one to three. `text_too_long`.
    pub mid_bytes: usize,
    /// From the loss of the connection to being gone: time to change from Wi-Fi to mobile.
    pub away_time: Duration,
    /// A client's pings come at least this often. Told to clients; kept by whoever owns the connections.
    pub ping_interval: Duration,
    /// Silence for this long means that a connection is lost: two pings may be late. Told to clients;
    /// kept by whoever owns the connections.
    pub ping_timeout: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            rooms: 10_000,
            participants: 10_000,
            participants_per_room: 1_000,
            tracks_per_participant: 8,
            subscriptions_per_participant: 200,
            unanswered_offers: 16,
            logged_changes: 1_024,
            name_bytes: 256,
            url_bytes: 2_048,
            mid_bytes: 64,
            away_time: Duration::from_secs(15),
            ping_interval: Duration::from_secs(5),
            ping_timeout: Duration::from_secs(15),
        }
    }
}

impl Limits {
    /// Refuses a token with a text that everybody in the room would have to carry.
    pub(crate) fn check_claims(&self, claims: &Claims) -> Result<(), ErrorBody> {
        check_text("identity", &claims.identity.0, self.name_bytes)?;
        check_text("name", &claims.name, self.name_bytes)?;
        check_text("role", &claims.role.0, self.name_bytes)?;
        check_text("room's name", &claims.room.0, self.name_bytes)?;
        check_text(
            "avatar's URL",
            claims.avatar_url.as_deref().unwrap_or(""),
            self.url_bytes,
        )
    }

    /// Refuses a long `mid`.
    pub(crate) fn check_mid(&self, mid: &str) -> Result<(), ErrorBody> {
        check_text("mid", mid, self.mid_bytes)
    }
}

fn check_text(what: &str, text: &str, limit: usize) -> Result<(), ErrorBody> {
    if text.len() <= limit {
        return Ok(());
    }
    let message = format!("the {what} has {} bytes; it may have {limit}", text.len());
    Err(ErrorBody::new(ErrorCode::TextTooLong, message))
}
