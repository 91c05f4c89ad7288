-- Rooms, their sessions, and who was there. What must never be true is refused here, by the database.
-- Ids are their text, times are milliseconds since 1970.
-- The same tables, columns and names as migrations/postgres/0001_rooms_and_sessions.sql: a test compares.

CREATE TABLE rooms (
    id TEXT NOT NULL PRIMARY KEY CHECK (length(id) = 16 AND substr(id, 1, 3) = 'RM_'),
    name TEXT NOT NULL CHECK (name <> ''),
    owner TEXT CHECK (owner <> ''),
    is_kept INTEGER NOT NULL CHECK (is_kept IN (0, 1)),
    title TEXT NOT NULL,
    lobby INTEGER NOT NULL CHECK (lobby IN (0, 1)),
    locked INTEGER NOT NULL CHECK (locked IN (0, 1)),
    max_participants INTEGER CHECK (max_participants >= 0),
    created_at INTEGER NOT NULL CHECK (created_at BETWEEN 0 AND 9007199254740991),
    closed_at INTEGER CHECK (closed_at <= 9007199254740991),
    CONSTRAINT room_is_closed_after_it_was_made CHECK (closed_at >= created_at)
) STRICT;

CREATE UNIQUE INDEX one_open_room_of_a_name ON rooms (name) WHERE closed_at IS NULL;
CREATE UNIQUE INDEX one_open_room_of_an_owner ON rooms (owner)
    WHERE closed_at IS NULL AND owner IS NOT NULL;
CREATE INDEX rooms_closed_at ON rooms (closed_at) WHERE closed_at IS NOT NULL;

CREATE TABLE sessions (
    id TEXT NOT NULL PRIMARY KEY CHECK (length(id) = 16 AND substr(id, 1, 3) = 'SE_'),
    room TEXT NOT NULL REFERENCES rooms (id),
    state TEXT NOT NULL CHECK (state IN ('scheduled', 'lobby', 'live', 'ended', 'cancelled')),
    host TEXT CHECK (host <> ''),
    title TEXT NOT NULL,
    key TEXT CHECK (length(key) BETWEEN 1 AND 64),
    scheduled_for INTEGER CHECK (scheduled_for BETWEEN 0 AND 9007199254740991),
    created_at INTEGER NOT NULL CHECK (created_at BETWEEN 0 AND 9007199254740991),
    live_at INTEGER CHECK (live_at <= 9007199254740991),
    ended_at INTEGER CHECK (ended_at <= 9007199254740991),
    end_reason TEXT CHECK (end_reason IN (
        'ended', 'host_absent', 'empty', 'server_stopped', 'server_lost', 'room_deleted', 'cancelled'
    )),
    CONSTRAINT one_session_of_a_key UNIQUE (room, key),
    CONSTRAINT session_has_the_times_of_its_state CHECK (CASE state
        WHEN 'scheduled' THEN scheduled_for IS NOT NULL AND live_at IS NULL AND ended_at IS NULL
        WHEN 'lobby' THEN live_at IS NULL AND ended_at IS NULL
        WHEN 'live' THEN live_at IS NOT NULL AND ended_at IS NULL
        WHEN 'ended' THEN ended_at IS NOT NULL
        WHEN 'cancelled' THEN live_at IS NULL AND ended_at IS NOT NULL
    END),
    CONSTRAINT session_that_is_over_says_why CHECK ((ended_at IS NULL) = (end_reason IS NULL)),
    CONSTRAINT session_goes_live_after_it_was_made CHECK (live_at >= created_at),
    CONSTRAINT session_ends_after_it_began CHECK (ended_at >= created_at AND ended_at >= coalesce(live_at, 0))
) STRICT;

CREATE UNIQUE INDEX one_running_session_of_a_room ON sessions (room) WHERE state IN ('lobby', 'live');
CREATE INDEX sessions_live ON sessions (live_at) WHERE state = 'live';
CREATE INDEX sessions_of_a_room ON sessions (room, created_at, id);
CREATE INDEX sessions_ended_at ON sessions (ended_at) WHERE ended_at IS NOT NULL;

CREATE TABLE attendance (
    session TEXT NOT NULL REFERENCES sessions (id) ON DELETE CASCADE,
    participant TEXT NOT NULL CHECK (length(participant) = 16 AND substr(participant, 1, 3) = 'PA_'),
    identity TEXT NOT NULL,
    name TEXT NOT NULL,
    role TEXT NOT NULL,
    joined_at INTEGER NOT NULL CHECK (joined_at BETWEEN 0 AND 9007199254740991),
    left_at INTEGER CHECK (left_at <= 9007199254740991),
    PRIMARY KEY (session, participant),
    CONSTRAINT attendance_ends_after_it_began CHECK (left_at >= joined_at)
) STRICT;

-- Nobody is counted twice.
CREATE UNIQUE INDEX one_open_attendance_of_an_identity ON attendance (session, identity)
    WHERE left_at IS NULL;

CREATE TABLE tracks (
    id TEXT NOT NULL PRIMARY KEY CHECK (length(id) = 16 AND substr(id, 1, 3) = 'TR_'),
    session TEXT NOT NULL REFERENCES sessions (id) ON DELETE CASCADE,
    participant TEXT NOT NULL CHECK (length(participant) = 16 AND substr(participant, 1, 3) = 'PA_'),
    source TEXT NOT NULL CHECK (source IN ('camera', 'microphone', 'screen', 'screen_audio')),
    published_at INTEGER NOT NULL CHECK (published_at BETWEEN 0 AND 9007199254740991),
    unpublished_at INTEGER CHECK (unpublished_at <= 9007199254740991),
    CONSTRAINT track_ends_after_it_began CHECK (unpublished_at >= published_at)
) STRICT;

CREATE INDEX tracks_of_a_session ON tracks (session, published_at, id);
CREATE INDEX tracks_open ON tracks (session) WHERE unpublished_at IS NULL;

CREATE TABLE bans (
    room TEXT NOT NULL REFERENCES rooms (id) ON DELETE CASCADE,
    identity TEXT NOT NULL,
    banned_by TEXT NOT NULL,
    banned_at INTEGER NOT NULL CHECK (banned_at BETWEEN 0 AND 9007199254740991),
    PRIMARY KEY (room, identity)
) STRICT;

-- To whom events are delivered.
CREATE TABLE targets (
    name TEXT NOT NULL PRIMARY KEY
) STRICT;

-- The outbox: written in the transaction of what it tells.
CREATE TABLE events (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    kind TEXT NOT NULL,
    happened_at INTEGER NOT NULL,
    body TEXT NOT NULL
) STRICT;

CREATE INDEX events_happened_at ON events (happened_at);

-- What is still to be delivered: a delivered one is gone.
CREATE TABLE deliveries (
    event INTEGER NOT NULL REFERENCES events (id) ON DELETE CASCADE,
    target TEXT NOT NULL REFERENCES targets (name) ON DELETE CASCADE,
    attempts INTEGER NOT NULL DEFAULT 0,
    next_attempt_at INTEGER NOT NULL,
    PRIMARY KEY (event, target)
) STRICT;

CREATE INDEX deliveries_due ON deliveries (next_attempt_at);
CREATE INDEX deliveries_of_a_target ON deliveries (target, event);

-- The one server that writes. Each opening has the next epoch; each batch of writes the next number, by
-- which a commit whose answer was lost is recognised.
CREATE TABLE server (
    id INTEGER PRIMARY KEY CHECK (id = 1),
    epoch INTEGER NOT NULL,
    batch INTEGER NOT NULL,
    heartbeat_at INTEGER NOT NULL
) STRICT;

INSERT INTO server (id, epoch, batch, heartbeat_at) VALUES (1, 0, 0, 0);

-- The listing of live rooms: the same data, read.
CREATE VIEW live_rooms AS
SELECT
    rooms.id AS room,
    rooms.name AS name,
    rooms.owner AS owner,
    rooms.title AS title,
    sessions.id AS session,
    sessions.title AS session_title,
    sessions.host AS host,
    sessions.live_at AS live_at,
    (SELECT count(*) FROM attendance
        WHERE attendance.session = sessions.id AND attendance.left_at IS NULL) AS participants,
    (SELECT count(DISTINCT tracks.participant) FROM tracks
        WHERE tracks.session = sessions.id AND tracks.unpublished_at IS NULL) AS publishers
FROM sessions JOIN rooms ON rooms.id = sessions.room
WHERE sessions.state = 'live';

CREATE TRIGGER attendance_opens_in_a_live_session BEFORE INSERT ON attendance
WHEN (SELECT state FROM sessions WHERE id = NEW.session) <> 'live'
BEGIN
    SELECT RAISE(ABORT, 'attendance is opened only in a session that is live');
END;

CREATE TRIGGER attendance_is_open_in_a_live_session BEFORE UPDATE ON attendance
WHEN NEW.left_at IS NULL AND (SELECT state FROM sessions WHERE id = NEW.session) <> 'live'
BEGIN
    SELECT RAISE(ABORT, 'attendance is open only in a session that is live');
END;

CREATE TRIGGER track_is_published_in_a_live_session BEFORE INSERT ON tracks
WHEN (SELECT state FROM sessions WHERE id = NEW.session) <> 'live'
BEGIN
    SELECT RAISE(ABORT, 'a track is published only in a session that is live');
END;

CREATE TRIGGER track_is_open_in_a_live_session BEFORE UPDATE ON tracks
WHEN NEW.unpublished_at IS NULL AND (SELECT state FROM sessions WHERE id = NEW.session) <> 'live'
BEGIN
    SELECT RAISE(ABORT, 'a track is open only in a session that is live');
END;

-- But for its key, which it gives up to a later session.
CREATE TRIGGER session_that_is_over_stays_as_it_is BEFORE UPDATE ON sessions
WHEN OLD.state IN ('ended', 'cancelled') AND NOT (
    NEW.key IS NULL
    AND (NEW.id, NEW.room, NEW.state, NEW.host, NEW.title, NEW.scheduled_for, NEW.created_at,
        NEW.live_at, NEW.ended_at, NEW.end_reason)
    IS (OLD.id, OLD.room, OLD.state, OLD.host, OLD.title, OLD.scheduled_for, OLD.created_at,
        OLD.live_at, OLD.ended_at, OLD.end_reason)
)
BEGIN
    SELECT RAISE(ABORT, 'a session that is over does not change');
END;

CREATE TRIGGER session_never_goes_back BEFORE UPDATE ON sessions
WHEN (OLD.state = 'live' AND NEW.state IN ('scheduled', 'lobby'))
    OR (OLD.state = 'lobby' AND NEW.state = 'scheduled')
BEGIN
    SELECT RAISE(ABORT, 'a session never goes back to an earlier state');
END;

CREATE TRIGGER session_leaves_nothing_open BEFORE UPDATE ON sessions
WHEN NEW.state <> 'live' AND (
    EXISTS (SELECT 1 FROM attendance WHERE session = NEW.id AND left_at IS NULL)
    OR EXISTS (SELECT 1 FROM tracks WHERE session = NEW.id AND unpublished_at IS NULL)
)
BEGIN
    SELECT RAISE(ABORT, 'a session that is not live has no open attendance and no open track');
END;

CREATE TRIGGER session_is_deleted_when_it_is_over BEFORE DELETE ON sessions
WHEN OLD.state NOT IN ('ended', 'cancelled')
BEGIN
    SELECT RAISE(ABORT, 'only a session that is over is deleted');
END;

CREATE TRIGGER session_is_in_an_open_room BEFORE INSERT ON sessions
WHEN NEW.state NOT IN ('ended', 'cancelled')
    AND (SELECT closed_at FROM rooms WHERE id = NEW.room) IS NOT NULL
BEGIN
    SELECT RAISE(ABORT, 'a room that is closed has no session to come');
END;

CREATE TRIGGER room_is_closed_for_good BEFORE UPDATE ON rooms
WHEN OLD.closed_at IS NOT NULL
BEGIN
    SELECT RAISE(ABORT, 'a room that is closed does not change');
END;

CREATE TRIGGER room_closes_when_nothing_is_to_come BEFORE UPDATE ON rooms
WHEN NEW.closed_at IS NOT NULL AND EXISTS (
    SELECT 1 FROM sessions WHERE room = NEW.id AND state NOT IN ('ended', 'cancelled')
)
BEGIN
    SELECT RAISE(ABORT, 'a room is closed only when its sessions are over');
END;
