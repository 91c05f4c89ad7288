// What can go wrong, as a code with a sentence and an advice for people. It never touches the page.

/**
 * A fault with a stable code: the server's codes (docs/protocol.md) and those of the browser's side.
 */
export class PlenumError extends Error {
  /**
   * @param {string} code
   * @param {string} [message] for the log; people are shown `describe(code)`
   */
  constructor(code, message) {
    super(message ?? code);
    this.name = "PlenumError";
    this.code = code;
  }
}

/**
 * @typedef {object} Failure
 * @property {string} title
 * @property {string} sentence what happened
 * @property {string} advice what to do about it
 */

/** @type {Record<string, Failure>} */
const FAILURES = {
  permission_denied: {
    title: "No permission",
    sentence: "The browser does not let this page use your camera or microphone.",
    advice: "Allow both in the address bar's site settings, then try again. Until then you can watch and listen.",
  },
  no_device: {
    title: "No camera or microphone",
    sentence: "No camera or no microphone was found.",
    advice: "Plug one in or choose another one, then try again. Until then you can watch and listen.",
  },
  device_busy: {
    title: "Device in use",
    sentence: "The camera or microphone does not start; another program may be using it.",
    advice: "Close other programs that use it, then try again.",
  },
  insecure_page: {
    title: "Not a secure page",
    sentence: "Browsers give camera and microphone only to pages from https:// or localhost.",
    advice: "Open this page through https://, or on the machine itself through http://localhost.",
  },
  token_needed: {
    title: "A token is needed",
    sentence: "This server lets people in by access tokens alone.",
    advice: "Open the link that you were given by whoever invited you; it carries your token.",
  },
  token_invalid: {
    title: "Token refused",
    sentence: "The server refused your access token.",
    advice: "Ask whoever invited you for a new link.",
  },
  token_expired: {
    title: "Token expired",
    sentence: "Your access token is no longer valid: its time is over.",
    advice: "Ask whoever invited you for a new link, and check your computer's clock.",
  },
  wrong_room: {
    title: "Another room's token",
    sentence: "Your access token is for another room than this one.",
    advice: "Check the link, or ask for one that is meant for this room.",
  },
  room_full: {
    title: "The room is full",
    sentence: "The room has as many participants as it may have.",
    advice: "Try again when somebody has left.",
  },
  server_full: {
    title: "The server is full",
    sentence: "The server has as many rooms or participants as it may have.",
    advice: "Try again in a few minutes, or tell whoever runs it.",
  },
  no_udp: {
    title: "Sound and picture cannot get through",
    sentence: "The server answers, but no sound or picture can be exchanged with it: UDP seems to be blocked.",
    advice: "Try another network, such as your phone's, or ask for the server's UDP port to be opened.",
  },
  server_gone: {
    title: "The server does not answer",
    sentence: "The server cannot be reached.",
    advice: "Check your network connection. If others have the same trouble, the server may be down.",
  },
  timeout: {
    title: "This takes too long",
    sentence: "Connecting took longer than 30 seconds.",
    advice: "Check your network connection, then try again.",
  },
  taken_over: {
    title: "You are here from somewhere else",
    sentence: "You joined this room from another tab or device, which took your place here.",
    advice: "Go on there. “Try again” takes the place back to this tab.",
  },
  not_permitted: {
    title: "Not permitted",
    sentence: "Your access token does not permit that.",
    advice: "Ask whoever invited you for a token that does.",
  },
  disconnected: {
    title: "You were disconnected",
    sentence: "The server ended your stay in this room.",
    advice: "You can try to join again.",
  },
  removed: {
    title: "You were removed",
    sentence: "A moderator put you out of this room.",
    advice: "Ask the host whether you may come back.",
  },
  banned: {
    title: "You may not enter",
    sentence: "You are banned from this room.",
    advice: "Ask the room's owner to lift the ban.",
  },
  denied: {
    title: "Not let in",
    sentence: "A moderator did not let you in.",
    advice: "Ask the host whether you may come in, then try again.",
  },
  room_locked: {
    title: "The room is locked",
    sentence: "Nobody new is let into this room at the moment.",
    advice: "Ask the host to unlock it, then try again.",
  },
  session_ended: {
    title: "The session has ended",
    sentence: "The host has ended this session for all.",
    advice: "You can wait here for the next one: “Try again” brings you back to the door.",
  },
  room_not_found: {
    title: "No such room",
    sentence: "This room does not exist, or no longer.",
    advice: "Check the link with whoever invited you.",
  },
  session_state: {
    title: "Not possible now",
    sentence: "The session is in a state in which that cannot be done.",
    advice: "Look at the room's state, which may just have changed.",
  },
  gone: {
    title: "No longer there",
    sentence: "Whoever or whatever you meant is no longer there.",
    advice: "Go on with what you see now.",
  },
  room_exists: {
    title: "The name is taken",
    sentence: "Another room has this name.",
    advice: "Choose another name.",
  },
  unavailable: {
    title: "Not just now",
    sentence: "The server cannot write anything down at the moment, so nobody can come in.",
    advice: "Wait a few seconds, then try again.",
  },
  too_fast: {
    title: "Too many attempts",
    sentence: "Too much came from your address in too short a time.",
    advice: "Wait a few seconds, then try again.",
  },
  text_too_long: {
    title: "Too long",
    sentence: "Your name or the room's name is too long.",
    advice: "Choose a shorter one.",
  },
  text_invalid: {
    title: "Not possible",
    sentence: "Your name or the room's name has a character that cannot be shown.",
    advice: "Choose another one.",
  },
  too_many_tracks: {
    title: "Too many at once",
    sentence: "You share as much as one participant may.",
    advice: "Stop sharing something first.",
  },
  media_refused: {
    title: "Not understood",
    sentence: "The server and this browser could not agree on how to send sound and picture.",
    advice: "Update your browser, or try another one.",
  },
  unsupported_browser: {
    title: "This browser cannot do it",
    sentence: "This browser has no WebRTC, which sound and picture need.",
    advice: "Use a current Chrome, Edge, Firefox or Safari.",
  },
  internal: {
    title: "Something went wrong",
    sentence: "Something went wrong that should not have.",
    advice: "Try again. If it happens again, tell whoever runs the server when it happened.",
  },
};

/** Other words for the same failure. */
/** @type {Record<string, string>} */
const SAME = {
  invalid_offer: "media_refused",
  ping_timeout: "server_gone",
  server_stopping: "server_gone",
  too_slow: "server_gone",
  authentication_timeout: "server_gone",
  session_not_found: "gone",
  participant_not_found: "gone",
  track_not_found: "gone",
};

/** The token is refused, and another one may not be. */
export const TOKEN_CODES = new Set(["token_invalid", "token_expired"]);
/** Codes after which the same join would be refused again: trying further only annoys. */
export const FINAL_CODES = new Set([
  "wrong_room",
  "room_full",
  "server_full",
  "not_permitted",
  "text_too_long",
  "text_invalid",
  "malformed_message",
  "unknown_type",
  "banned",
  "denied",
  "removed",
  "room_locked",
  "room_not_found",
]);

/**
 * The sentence and the advice for a code; an unknown code is told as such.
 * @param {string} code
 * @returns {Failure}
 */
export function describe(code) {
  return FAILURES[SAME[code] ?? code] ?? FAILURES.internal;
}

/**
 * The failure behind whatever was thrown.
 * @param {unknown} error
 * @returns {PlenumError}
 */
export function asPlenumError(error) {
  if (error instanceof PlenumError) return error;
  return new PlenumError("internal", error instanceof Error ? error.message : String(error));
}

/**
 * Why `getUserMedia` failed (the names are those of the Media Capture specification).
 * @param {unknown} error
 * @returns {PlenumError}
 */
export function deviceFailure(error) {
  const name = error instanceof DOMException || error instanceof Error ? error.name : "";
  const message = error instanceof Error ? error.message : String(error);
  switch (name) {
    case "NotAllowedError":
    case "SecurityError":
      return new PlenumError("permission_denied", message);
    case "NotFoundError":
    case "OverconstrainedError":
      return new PlenumError("no_device", message);
    case "NotReadableError":
    case "AbortError":
      return new PlenumError("device_busy", message);
    default:
      return asPlenumError(error);
  }
}
