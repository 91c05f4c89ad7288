// The messages between a page and Plenum, with every name, field and code of the WebSocket protocol.
// Written by a test from the Rust types in crates/protocol: do not edit. To renew it:
//   PLENUM_WRITE=1 cargo test -p protocol

/** What a client sends: a message, and perhaps a number that its answer or error repeats. */
export type ClientRequest = ClientMessage & { request_id?: number };

/** What a client says to the server. */
export type ClientMessage =
  /** The first message: enter the room that the token grants. */
  | { type: "join" } & Join
  /** An SDP offer. The client always offers; `answer` comes back. */
  | {
      type: "offer";
      /**
       * The client's number for its `RTCPeerConnection`: the same as long as the connection is,
       * one more for each new one. A new number ends the media of the one before.
       */
      peer_connection: number;
      /** The offer. */
      sdp: string;
    }
  /** An ICE candidate. Not needed: the server learns addresses from the client's checks. */
  | {
      type: "candidate";
      /** The number of the `RTCPeerConnection`. */
      peer_connection: number;
      /** `RTCIceCandidate.candidate`; empty at the end of candidates. */
      candidate: string;
    }
  /** Say what a sending media section of the *next* offer carries. Sent before that offer. */
  | { type: "publish" } & Publish
  /** Take a track away. Its media section may be used again by a `publish`. */
  | {
      type: "unpublish";
      /** One of the sender's own tracks. */
      track_id: string;
    }
  /**
   * Mute or unmute a track: the track stays, nothing of it is sent on. A moderator may mute a
   * track of somebody else, but not unmute it.
   */
  | {
      type: "mute";
      /** Which track. */
      track_id: string;
      /** Muted from now on. */
      muted: boolean;
    }
  /** Tell the room one's own states. What is left out stays as it is. */
  | { type: "update_state" } & StateUpdate
  /** Refuse a track, or take it up (again). Unless `join` said otherwise all tracks are taken up. */
  | {
      type: "set_subscription";
      /** A track of somebody else. */
      track_id: string;
      /** To be received or not. */
      subscribed: boolean;
    }
  /**
   * Say how large you show tracks of others, and whether at all: as large as that they are sent.
   * Tracks left out stay as they are; one of which you never said anything is sent as large as it
   * comes.
   */
  | {
      type: "set_viewport";
      /** What changed, at most 200. */
      tracks: Array<Viewport>;
    }
  /**
   * Tell once how long the first picture took after joining: for the server's metrics, and for
   * nothing else. Each part has a minute at most; the first such message of a WebSocket counts.
   */
  | {
      type: "first_frame";
      /** From the beginning of joining, devices left out, to the connected `RTCPeerConnection`. */
      connect_ms: number;
      /** From there to the last packet of the frame that was shown first. */
      key_frame_ms: number;
      /** From there until it was decoded and shown. */
      decode_ms: number;
    }
  /** Ask who is live; `live_status` comes back. */
  | { type: "live_status" }
  /** Keep the connection alive; `pong` comes back. Owed every `ping_interval_ms` of `joined`. */
  | { type: "ping" }
  /** Go, now and for good. */
  | { type: "leave" }
  /**
   * The room's host or a moderator: let guests gather and wait. `done` comes back, with the
   * session.
   */
  | {
      type: "open_lobby";
      /**
       * Made by the client, anew for each intention: a repeated message never makes a second
       * session.
       */
      key: string;
    }
  /**
   * The room's host or a moderator: make the session live, whether there was a lobby or nothing.
   * `done` comes back, with the session: the same one for every double click, retry and second
   * tab.
   */
  | {
      type: "go_live";
      /** Made by the client, anew for each intention. */
      key: string;
    }
  /**
   * The room's host or a moderator: end the session for all. `done` comes back, also if it was
   * over.
   */
  | {
      type: "end_session";
      /** Which. Left out: whichever runs. */
      session_id?: string;
    }
  /** A moderator: let these in who wait. */
  | {
      type: "admit";
      /** Who. */
      participant_ids: string[];
    }
  /** A moderator: send these away who wait. */
  | {
      type: "deny";
      /** Who. */
      participant_ids: string[];
    }
  /** A moderator: put somebody out of the room. */
  | {
      type: "remove";
      /** Who. */
      participant_id: string;
      /** And never let them in again. */
      ban?: boolean;
    }
  /** A moderator: let nobody new in, or let them in again. */
  | {
      type: "set_locked";
      /** Locked from now on. */
      locked: boolean;
    }
  /** The host: make somebody else of the room the host of this session. */
  | {
      type: "hand_over";
      /** Who. */
      participant_id: string;
    }
  /** A moderator: ask the owner of a muted track to unmute it. Nobody can do it for them. */
  | {
      type: "ask_to_unmute";
      /** Which. */
      track_id: string;
    }
  /** A moderator: lower somebody's hand. */
  | {
      type: "lower_hand";
      /** Whose. */
      participant_id: string;
    };

/** Enter a room. */
export type Join = {
  /** The access token: identity, room, and what may be done there. */
  token: string;
  /** The room one means to enter. If given, it must be the token's (`wrong_room`). */
  room?: RoomName;
  /** To come back as the participant one was. */
  resume?: Resume;
  /**
   * Camera, microphone and hand as they are at the start. Left out: off and off, and the hand as
   * it was.
   */
  state?: StateUpdate;
  /** Receive every track of the room without asking for each. True if left out. */
  subscribe_automatically?: boolean;
};

/** Come back as the participant one was. */
export type Resume = {
  /** The `resume_token` of the last `joined` or `resumed`. */
  token: string;
  /**
   * The number of the last change seen, if the room's state and the `RTCPeerConnection` are still
   * there: only the changes after it come back (`resumed`), and the media goes on. Left out, as
   * after a page refresh: the whole room comes back (`joined`), and the old media is ended.
   */
  last_change?: number;
};

/** Say what a sending media section carries. */
export type Publish = {
  /** The section's `mid` in the next offer. */
  mid: string;
  /** What the track shows; its kind follows. */
  source: TrackSource;
  /** Muted from the start. */
  muted?: boolean;
};

/** One's own states; what is left out stays as it is. */
export type StateUpdate = {
  /** The camera is on. */
  camera?: boolean;
  /** The microphone is on. */
  microphone?: boolean;
  /** The hand is raised. */
  hand_raised?: boolean;
};

/** How large a viewer shows a track. */
export type Viewport = {
  /** A video of somebody else. */
  track_id: string;
  /** Pixels of the display, not of CSS. At most 65,535. */
  width: number;
  /** Pixels of the display. */
  height: number;
  /** Anything of it can be seen. If not, nothing of it is sent until it can. */
  visible: boolean;
};

/** What the server says to a client. */
export type ServerMessage =
  /** You are in: the whole room at once. */
  | { type: "joined" } & Joined
  /** You are back: what you missed. */
  | { type: "resumed" } & Resumed
  /**
   * You wait outside: until the session is live, or until a moderator lets you in. Sent again
   * whenever the room's state changes; `joined` or `goodbye` follows.
   */
  | { type: "waiting" } & Waiting
  /** Something changed in the room. */
  | { type: "change" } & NumberedChange
  /** Your `publish` was accepted. Sent before the `answer` to the offer that carries it. */
  | {
      type: "published";
      /** The section's `mid`. */
      mid: string;
      /** The track, with the id by which the room knows it. */
      track: Track;
    }
  /** The SDP answer to your offer. */
  | { type: "answer" } & Answer
  /**
   * There are more tracks for you than your offer had receiving media sections. Add this many
   * receive-only transceivers, and offer again. Both may be 0: then a plain new offer is enough.
   */
  | {
      type: "media_sections_required";
      /** Audio sections to add. */
      audio: number;
      /** Video sections to add. */
      video: number;
    }
  /**
   * Which layers of a video of yours somebody watches: encode no other. Until the first of these,
   * all.
   */
  | {
      type: "layers_wanted";
      /** One of your own tracks. */
      track_id: string;
      /** All layers of the track, lowest first. */
      layers: Array<LayerWanted>;
    }
  /** Who is live, you left out: the answer to `live_status`. */
  | {
      type: "live_status";
      /** The number of the `live_status` request. */
      request_id?: number;
      /** Longest first. */
      live: Array<Live>;
    }
  /** Who is speaking: sent to all whenever it changes, and not numbered. */
  | {
      type: "speakers";
      /** Who is speaking now, loudest first. */
      participant_ids: string[];
    }
  /** The answer to `ping`. */
  | {
      type: "pong";
      /** The number of the `ping`. */
      request_id?: number;
    }
  /**
   * The media connection with this number has ended (no packet for 30 s, or it could not be set
   * up). Start a new `RTCPeerConnection` and offer.
   */
  | {
      type: "media_ended";
      /** The client's number for it. */
      peer_connection: number;
      /** Why, for people. */
      reason: string;
    }
  /** What you asked for is done, and written down. */
  | {
      type: "done";
      /** The number of the request. */
      request_id?: number;
      /** For `open_lobby`, `go_live` and `end_session`: the session, as it is now. */
      session?: SessionInfo;
    }
  /** To moderators, whenever it changes, and not numbered: who waits to be let in, longest first. */
  | {
      type: "waiting_list";
      /** Who. At most the first 100. */
      participants: Array<WaitingParticipant>;
    }
  /** A moderator asks you to unmute a track of yours. */
  | {
      type: "unmute_asked";
      /** Which. */
      track_id: string;
      /** Who asks. */
      by: string;
    }
  /** A message of yours could not be carried out. The connection goes on. */
  | { type: "error" } & ErrorBody
  /** The server closes the connection. The last message. */
  | { type: "goodbye" } & Goodbye;

/** The whole room at once. */
export type Joined = {
  /** The room. */
  room: RoomInfo;
  /** Your own id. */
  participant_id: string;
  /** Everyone in the room, you included, in the order of their joining. */
  participants: Array<Participant>;
  /** Who is live, you left out. */
  live: Array<Live>;
  /** The number of the last change that this snapshot contains. */
  last_change: number;
  /** With this you can come back as the same participant (`resume` of `join`). */
  resume_token: string;
  /** You came back as a participant who was still there. */
  rejoined: boolean;
  /** Send a `ping` at least this often. */
  ping_interval_ms: number;
  /** Without any message for this long the connection counts as lost, on both sides. */
  ping_timeout_ms: number;
};

/** You wait outside. */
export type Waiting = {
  /** The room, as far as those outside may know it. */
  room: RoomInfo;
  /** The id that you will have inside. */
  participant_id: string;
  /** With this you can come back to your place among those who wait. */
  resume_token: string;
  /** Send a `ping` at least this often. */
  ping_interval_ms: number;
  /** Without any message for this long the connection counts as lost, on both sides. */
  ping_timeout_ms: number;
};

/** What you missed. */
export type Resumed = {
  /** Your own id, as before. */
  participant_id: string;
  /** The changes after the `last_change` you gave, in order. */
  changes: Array<NumberedChange>;
  /** The next resume token; the one you used is spent. */
  resume_token: string;
};

/** The SDP answer to an offer. */
export type Answer = {
  /** The client's number for the `RTCPeerConnection`. */
  peer_connection: number;
  /** The answer. */
  sdp: string;
  /** Which track each receiving section carries, for those that carry one. */
  sections: Array<MediaSection>;
};

/** Which track a media section carries to the client. */
export type MediaSection = {
  /** The section's `mid`. */
  mid: string;
  /** The track. */
  track_id: string;
};

/** Whether somebody watches a layer. */
export type LayerWanted = {
  /** The `rid` of the encoding. Left out where the offer had none; then the order tells. */
  rid?: string;
  /** If not, do not send it. */
  wanted: boolean;
};

/** Why the server closes the connection. */
export type Goodbye = {
  /** Stable, for programs. */
  code: ErrorCode;
  /** For people. */
  message: string;
  /** Coming back at once makes sense. */
  reconnect: boolean;
};

/** A change with its place in the room's log. */
export type NumberedChange = {
  /**
   * One more than the change before it, from 1. A room's numbers have no gap; a participant is
   * not told of its own joining, but knows that number from `joined`.
   */
  number: number;
  /** What changed. */
  change: Change;
};

/** What changed. */
export type Change =
  /** Somebody came. */
  | {
      type: "participant_joined";
      /** As they are on arrival: without tracks. */
      participant: Participant;
    }
  /** Somebody is gone, and with them their tracks and their being live. */
  | {
      type: "participant_left";
      /** Who. */
      participant_id: string;
    }
  /** Camera, microphone, hand, name, role or `away` changed. */
  | {
      type: "participant_updated";
      /** As they are now. */
      participant: Participant;
    }
  /** A track is there to be received. */
  | {
      type: "track_published";
      /** Whose. */
      participant_id: string;
      /** The track. */
      track: Track;
    }
  /** A track is no longer there. */
  | {
      type: "track_unpublished";
      /** Whose. */
      participant_id: string;
      /** Which. */
      track_id: string;
    }
  /** A track was muted or unmuted. */
  | {
      type: "track_muted";
      /** Whose. */
      participant_id: string;
      /** Which. */
      track_id: string;
      /** Muted now. */
      muted: boolean;
      /** Who did it: its owner, or a moderator. */
      by: string;
    }
  /** Somebody who published nothing publishes a first track. */
  | {
      type: "went_live";
      /** Who, since when, with what. */
      live: Live;
    }
  /** Somebody live now sends video as well, or sound alone. */
  | {
      type: "live_updated";
      /** As it is now. */
      live: Live;
    }
  /** Somebody publishes nothing any more. */
  | {
      type: "ceased_to_be_live";
      /** Who. */
      participant_id: string;
    }
  /**
   * In a room of more than 100 participants: everybody who came and went within the last 100 ms,
   * at once in place of `participant_joined` and `participant_left`.
   */
  | {
      type: "presence";
      /** Who came, as they are on arrival: without tracks. */
      joined: Array<Participant>;
      /** Who is gone, and with them their tracks and their being live. */
      left: string[];
      /** How many are in the room now. */
      participants: number;
    }
  /** The room's state, settings, session or host changed. */
  | {
      type: "room_updated";
      /** As it is now. */
      room: RoomInfo;
    };

/** A room, as its participants know it. */
export type RoomInfo = {
  /** The room's id: another one if a room that is not kept emptied and was opened again. */
  id: string;
  /** The room's name. */
  name: RoomName;
  /** What it is doing; it follows from its sessions. */
  state: RoomState;
  /** What its owner set. */
  settings: RoomSettings;
  /** The session that runs, or else the one that is scheduled next. */
  session?: SessionInfo;
  /** Who leads it. A room that is nobody's has none. */
  host?: HostInfo;
};

/** What a room is doing: it follows from its sessions, and is stored nowhere. */
export type RoomState =
  | "idle"
  /** Nothing runs; a session is scheduled. */
  | "scheduled"
  /** The running session is in the lobby. */
  | "lobby"
  /** The running session is live. */
  | "live";

/** What the owner of a room, or a moderator, may set. */
export type RoomSettings = {
  /** A title to show. At most 256 bytes. */
  title: string;
  /**
   * Guests wait until they are admitted one by one. Otherwise they are let in as soon as the
   * session is live.
   */
  lobby: boolean;
  /** Nobody new is let in, but moderators. */
  locked: boolean;
  /** Participants at once, if fewer than the server allows. */
  max_participants?: number;
};

/** A run of a room, as its participants know it. */
export type SessionInfo = {
  /** Its id. */
  id: string;
  /** Where it is in its life. */
  state: SessionState;
  /** A title, for one that was scheduled. */
  title: string;
  /** When it is to begin, if it was scheduled. */
  scheduled_for?: Timestamp;
  /** Since when it has been live. */
  live_at?: Timestamp;
  /** When it ended or was cancelled. */
  ended_at?: Timestamp;
  /** Why. */
  end_reason?: EndReason;
};

/** Where a session is in its life. */
export type SessionState =
  /** It is to begin at a later time. */
  | "scheduled"
  /** Guests gather and wait; the host prepares. */
  | "lobby"
  /** It runs. */
  | "live"
  /** It is over. */
  | "ended"
  /** It was scheduled, and will not be. */
  | "cancelled";

/** Why a session is over. */
export type EndReason =
  /** Its host, a moderator or the API ended it. */
  | "ended"
  /** Its host was absent for longer than the grace. */
  | "host_absent"
  /** The last participant of a room that is nobody's left. */
  | "empty"
  /** The server was stopped. */
  | "server_stopped"
  /** The server had been killed: ended when it came back, as of the last moment known. */
  | "server_lost"
  /** The room was deleted. */
  | "room_deleted"
  /** A scheduled session was cancelled. */
  | "cancelled";

/** Who leads a session: known from the record, and not from anybody's page. */
export type HostInfo = {
  /** Who. */
  identity: Identity;
  /** In the room now, and not away. */
  present: boolean;
};

/** Somebody who waits to be let in, as moderators see them. */
export type WaitingParticipant = {
  /** The id under which they can be admitted, and that they then keep. */
  id: string;
  /** Who this is. */
  identity: Identity;
  /** The name to show. */
  name: string;
  /** The role to show. */
  role: Role;
  /** Since when. */
  since: Timestamp;
};

/** Somebody in the room. */
export type Participant = {
  /** Kept across a refresh, a resume and another tab. */
  id: string;
  /** Who this is, in the words of whoever signed the token. */
  identity: Identity;
  /** The name to show. */
  name: string;
  /** The role to show. */
  role: Role;
  /** A picture to show while there is no video. */
  avatar_url?: string;
  /** The camera is on, as its owner says. */
  camera: boolean;
  /** The microphone is on, as its owner says. */
  microphone: boolean;
  /** A hand is raised. */
  hand_raised: boolean;
  /** The signaling connection is lost; the participant has 15 s to come back. */
  away: boolean;
  /** May mute, admit and remove others, and lead the session (the grant `roomAdmin`, or the host). */
  moderator: boolean;
  /** Leads the session, by the room's record. */
  host: boolean;
  /** When this participant first joined. */
  joined_at: Timestamp;
  /** What is published, oldest first. */
  tracks: Array<Track>;
};

/** A published microphone, camera or screen. */
export type Track = {
  /** The track's id: also the id of the `MediaStreamTrack` that a subscriber receives. */
  id: string;
  /** Audio or video. */
  kind: TrackKind;
  /** What it shows. */
  source: TrackSource;
  /** Nothing is sent while muted; the track stays. */
  muted: boolean;
  /** When it was published. */
  published_at: Timestamp;
};

/** Audio or video. */
export type TrackKind =
  /** Sound. */
  | "audio"
  /** Pictures. */
  | "video";

/** What a track shows. */
export type TrackSource =
  /** A camera (video). */
  | "camera"
  /** A microphone (audio). */
  | "microphone"
  /** A shared screen or window (video). */
  | "screen"
  /** The sound of a shared screen (audio). */
  | "screen_audio";

/** A participant who is live: one who publishes at least one track. */
export type Live = {
  /** Who is live. */
  participant_id: string;
  /** The same person's identity. */
  identity: Identity;
  /** The name to show. */
  name: string;
  /** Since when: when the oldest of the tracks published now was published. */
  started_at: Timestamp;
  /** `video` if any published track is video, else `audio`. */
  media_type: MediaType;
};

/** What somebody who is live sends. */
export type MediaType =
  /** Sound alone. */
  | "audio"
  /** Pictures, with or without sound. */
  | "video";

/**
 * A room that is live: an item of `GET /api/rooms`. A room with an owner is from the moment its
 * session is, any other while somebody in it is.
 */
export type LiveRoom = {
  /** The room's name. */
  name: RoomName;
  /** Participants in it, those away included. */
  participants: number;
  /** Who is live, longest first. */
  live: Array<Live>;
  /**
   * Since when: the session's `live_at`, or in a room that is nobody's the earliest `started_at`
   * of `live`.
   */
  started_at: Timestamp;
};

/**
 * A participant's role, as the token says it (its attribute `role`): `tutor`, `student`, `host`,
 * `guest`, `provider`, `client`, or any other word. It is for people to see; what somebody *may
 * do* is in the token's grant.
 */
export type Role = string;

/** Who a participant is, in the words of whoever signed the token (its `sub`). Unique in a room. */
export type Identity = string;

/** A room's name, as the token grants it. Unique on the server. */
export type RoomName = string;

/** Milliseconds since 1970-01-01T00:00:00Z. */
export type Timestamp = number;

/** A fault, told to whoever made it. */
export type ErrorBody = {
  /** The number of the message that could not be carried out, if it had one. */
  request_id?: number;
  /** Stable, for programs. */
  code: ErrorCode;
  /** What is wrong, for people. */
  message: string;
  /** What to do about it. */
  hint: string;
};

/** What can go wrong. The words never change their meaning; new ones may come. */
export type ErrorCode =
  /** Not JSON, not an object, or with a field that is missing or of the wrong type. */
  | "malformed_message"
  /** The `type` is none that the server knows. */
  | "unknown_type"
  /** The message is larger than the limit. */
  | "message_too_large"
  /** Too many messages, or joins from one address, in too short a time. */
  | "too_fast"
  /** Anything but `join` came first. */
  | "not_joined"
  /** A second `join` on one connection. */
  | "already_joined"
  /** No `join` within the time for it. */
  | "authentication_timeout"
  /** The token is not one: wrong form, wrong signature, unknown key, or without a needed claim. */
  | "token_invalid"
  /** The token's time is over, or has not begun. */
  | "token_expired"
  /** The token is for another room, or for none. */
  | "wrong_room"
  /** The room has as many participants as it may have. */
  | "room_full"
  /** The server has as many rooms or participants as it may have. */
  | "server_full"
  /** The token's grant does not allow this. */
  | "not_permitted"
  /** There is no such track here, or no longer. */
  | "track_not_found"
  /** The SDP offer cannot be answered. */
  | "invalid_offer"
  /** More tracks than one participant may publish. */
  | "too_many_tracks"
  /** A name, a mid or another text is longer than it may be. */
  | "text_too_long"
  /** A name, a key or another text has a control character, as a line break or NUL. */
  | "text_invalid"
  /** The room does not exist. */
  | "room_not_found"
  /** The name is taken. */
  | "room_exists"
  /** The session does not exist in this room. */
  | "session_not_found"
  /** What was asked is not possible in the state that the session is in. */
  | "session_state"
  /** There is no such participant in the room, or no longer. */
  | "participant_not_found"
  /** You wait outside, and may do nothing but wait or leave. */
  | "not_admitted"
  /** A moderator did not let you in. */
  | "denied"
  /** A moderator put you out of the room. */
  | "removed"
  /** You may not enter this room. */
  | "banned"
  /** The room is locked: nobody new is let in. */
  | "room_locked"
  /** The session has ended. */
  | "session_ended"
  /** The server cannot write down what you ask for at the moment. Nothing was done. */
  | "unavailable"
  /** A value of the request is missing or not possible. */
  | "invalid_request"
  /** Another connection with the same identity took this one's place. */
  | "taken_over"
  /** You left. */
  | "left"
  /** Nothing was heard from the client for the time of `ping_timeout_ms`. */
  | "ping_timeout"
  /** The client reads too slowly; what waits for it is over the limit. */
  | "too_slow"
  /** The server is being stopped. */
  | "server_stopping"
  /** A fault of the server's own. */
  | "internal";
