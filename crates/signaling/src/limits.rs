//! Everything that a stranger can make grow in signaling, how far, and why that far. It never counts:
//! whoever lets something grow asks here first.

use std::time::Duration;

use protocol::{ErrorBody, ErrorCode, RoomSettings};

use crate::{Caller, Claims};

/// Sessions that are over and that a room remembers, so that a repeated key is still known.
pub(crate) const SESSIONS_REMEMBERED: usize = 16;
/// Keys that a room remembers of those who joined a session that another key had made.
pub(crate) const KEYS_REMEMBERED: usize = 64;
/// People whom a room remembers until its session ends: whom a moderator admitted, or whose permissions
/// were changed. Beyond it the admitted wait again when they come again, and nothing is changed.
pub(crate) const PEOPLE_REMEMBERED: usize = 10_000;
/// Who wait, as moderators are told them: more fill no screen.
pub(crate) const WAITING_TOLD: usize = 100;
/// Who came and went, told in one message: as many as are told before they are gathered.
pub(crate) const PRESENCE_GATHERED: usize = 100;
/// Who speak, as the room is told them: nobody follows more voices.
pub(crate) const SPEAKERS_TOLD: usize = 32;
/// Between two words on who speaks: a tile that lights up later looks late, one that flickers looks broken.
pub(crate) const SPEAKERS_INTERVAL: Duration = Duration::from_millis(300);
/// A scheduled session may begin so long before its time, and is cancelled so long after it.
pub(crate) const SCHEDULE_WINDOW: Duration = Duration::from_secs(60 * 60);
/// Nobody plans further ahead, and a time within it is a number that every database can hold.
pub(crate) const SCHEDULE_HORIZON: Duration = Duration::from_secs(5 * 366 * 24 * 60 * 60);
/// Commands that a room remembers, to see afterwards what led to a fault.
pub(crate) const COMMANDS_REMEMBERED: usize = 256;

/// The limits of signaling. Each refusal is an error with a code of its own.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Rooms made by a join, at once. `server_full`.
    pub rooms: usize,
    /// Rooms that stay, in memory with a few hundred bytes each while nobody is in. `server_full`.
    pub kept_rooms: usize,
    /// Participants on the server, those away included. `server_full`.
    pub participants: usize,
    /// Participants in one room, those away and those hidden included. Each change is told to all of
    /// them, so the work in a room grows with the square. `room_full`.
    pub participants_per_room: usize,
    /// Who wait outside one room: a moderator cannot look through more. `room_full`.
    pub waiting_per_room: usize,
    /// Scheduled sessions of one room: a daily one for three months. `server_full`.
    pub scheduled_per_room: usize,
    /// Who may not enter one room. `server_full`.
    pub bans_per_room: usize,
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
    /// Bytes of the key of a start: a UUID has 36. `text_too_long`.
    pub key_bytes: usize,
    /// Bytes of a title: a line to show. `text_too_long`.
    pub title_bytes: usize,
    /// A session without its host ends after this: time to restart a computer.
    pub host_grace: Duration,
    /// In a room of more participants than this, coming and going is told together: each word of it
    /// goes to all of them.
    pub presence_batched_above: usize,
    /// How long it is gathered: not felt by anybody, and ten messages a second at most.
    pub presence_interval: Duration,
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
            kept_rooms: 100_000,
            participants: 10_000,
            participants_per_room: 1_000,
            waiting_per_room: 500,
            scheduled_per_room: 100,
            bans_per_room: 1_000,
            tracks_per_participant: 8,
            subscriptions_per_participant: 200,
            unanswered_offers: 16,
            logged_changes: 1_024,
            name_bytes: 256,
            url_bytes: 2_048,
            mid_bytes: 64,
            key_bytes: 64,
            title_bytes: 256,
            host_grace: Duration::from_secs(5 * 60),
            presence_batched_above: 100,
            presence_interval: Duration::from_millis(100),
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

    /// Refuses a caller over HTTP whom nothing could be written down of. The server itself asks as nobody.
    pub(crate) fn check_caller(&self, caller: &Caller) -> Result<(), ErrorBody> {
        check_text("identity", &caller.identity.0, self.name_bytes)
    }

    /// Refuses the key of a start that is none, or long.
    pub(crate) fn check_key(&self, key: &str) -> Result<(), ErrorBody> {
        if key.is_empty() {
            let message = "the key is empty";
            return Err(ErrorBody::new(ErrorCode::InvalidRequest, message));
        }
        check_text("key", key, self.key_bytes)
    }

    /// Refuses a long title.
    pub(crate) fn check_title(&self, title: &str) -> Result<(), ErrorBody> {
        check_text("title", title, self.title_bytes)
    }

    /// Refuses settings that cannot be.
    pub(crate) fn check_settings(&self, settings: &RoomSettings) -> Result<(), ErrorBody> {
        if settings.max_participants == Some(0) {
            let message = "max_participants is 0: lock the room instead";
            return Err(ErrorBody::new(ErrorCode::InvalidRequest, message));
        }
        self.check_title(&settings.title)
    }

    /// Refuses a name, of a room or of a person, that is none, or long.
    pub(crate) fn check_name(&self, what: &str, name: &str) -> Result<(), ErrorBody> {
        if name.is_empty() {
            let message = format!("the {what} is empty");
            return Err(ErrorBody::new(ErrorCode::InvalidRequest, message));
        }
        check_text(what, name, self.name_bytes)
    }

    /// Refuses a long `mid`.
    pub(crate) fn check_mid(&self, mid: &str) -> Result<(), ErrorBody> {
        check_text("mid", mid, self.mid_bytes)
    }
}

/// Texts are lines to show, and are written down: no database takes a NUL, and no page shows the others.
fn check_text(what: &str, text: &str, limit: usize) -> Result<(), ErrorBody> {
    if text.len() > limit {
        let message = format!("the {what} has {} bytes; it may have {limit}", text.len());
        return Err(ErrorBody::new(ErrorCode::TextTooLong, message));
    }
    if let Some(control) = text.chars().find(|character| character.is_control()) {
        let message = format!(
            "the {what} has the control character U+{:04X}",
            u32::from(control)
        );
        return Err(ErrorBody::new(ErrorCode::TextInvalid, message));
    }
    Ok(())
}
