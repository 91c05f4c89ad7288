// Plenum for one's own page: `join` a room, hear and see it, be heard and seen. The demo page is built on
// this and nothing else. It draws nothing.
//
//   import { join } from "https://your.server/plenum.js";
//   const room = await join({ token, camera: true, microphone: true });
//   room.on("track", ({ track, participant }) => …);

/** @import { Devices } from "./devices.js" */
/** @import { Prepared } from "./negotiation.js" */
/** @import { PlenumError } from "./failures.js" */
/** @import { Participant, TrackSource, Waiting } from "./protocol.d.ts" */

import { asPlenumError } from "./failures.js";
import { Room } from "./room.js";

export { Devices } from "./devices.js";
export { describe, PlenumError } from "./failures.js";
export { Prepared } from "./negotiation.js";
export { Room } from "./room.js";

/** @typedef {"devices" | "token" | "signaling" | "media"} Step */

/**
 * @typedef {object} JoinOptions
 * @property {string | (() => Promise<string>)} token an access token, or where to get one
 * @property {string | URL} [url] the server, as `https://your.server`; the page's own if left out
 * @property {string} [room] the room one means to enter: must be the token's
 * @property {boolean} [camera] start with the camera on; `false` if left out
 * @property {boolean} [microphone] start with the microphone on; `false` if left out
 * @property {Devices} [devices] devices that are in use already (a preview's); `camera` and `microphone` do not count then
 * @property {Prepared} [prepared] made while there was time: one is in sooner. It serves for one `join`
 * @property {boolean} [handRaised]
 * @property {(token: string) => void} [onResumeToken] told whenever there is a new one: keep it in `sessionStorage`
 * @property {string} [resumeToken] the last such: to come back as the same participant after a refresh
 * @property {(waiting: Waiting) => void} [onWaiting] told while one waits outside: for the session, or to be let in
 * @property {(room: Room) => void} [onRoom] told once one is in, and sound and picture begin to connect: the room can be drawn meanwhile
 * @property {(step: Step) => void} [onStep] told as each step of connecting begins
 * @property {AbortSignal} [signal] to give up
 */

/** @typedef {import("./remote-tracks.js").RemoteTrack} RemoteTrack */

/**
 * What a room tells.
 * @typedef {object} RoomEvents
 * @property {RemoteTrack} track a track of somebody else can be played; new listeners are told of those there
 * @property {RemoteTrack} track-removed it can be played no longer
 * @property {void} change `participants`, `live`, `speakers` or one's own state are others now
 * @property {Status} status of the connection, which mends itself
 * @property {{ source: TrackSource, participant: Participant | undefined }} muted-by a moderator muted a track of ours
 * @property {Waiting} waiting one is outside again, since the session ended while the connection was lost
 * @property {{ source: TrackSource | undefined, participant: Participant | undefined }} unmute-asked a moderator asks us to unmute a track
 * @property {PlenumError} problem something could not be done; the stay goes on
 * @property {{ sender: string, label: string, data: string | Uint8Array }} data a message from a participant
 * @property {PlenumError} ended it is over, and will not mend itself
 */

/** @typedef {"connecting" | "connected" | "reconnecting" | "interrupted" | "waiting" | "ended"} Status */

/**
 * Enter a room. Resolves when sound and picture can flow; rejects with a `PlenumError`, whose `code` says why.
 * Without a camera or microphone, or without permission for them, one joins as a viewer: see `room.devices`.
 * @param {JoinOptions} options
 * @returns {Promise<Room>}
 */
export async function join(options) {
  const room = new Room(options);
  try {
    await room.open();
  } catch (error) {
    room.leave();
    throw asPlenumError(error);
  }
  return room;
}
