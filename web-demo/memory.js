// What this tab remembers over a refresh, so that it comes back as the same person. Kept in sessionStorage:
// other tabs are other people, and nothing outlives the tab.

/**
 * @typedef {object} Memory
 * @property {string} name
 * @property {string} room
 * @property {string} role
 * @property {string} [token] if one was given, rather than made by the development server
 * @property {string} [identity] that the development server's tokens carry
 * @property {string} [resumeToken]
 * @property {boolean} [isInRoom] a refresh leads back into the room
 * @property {boolean} [handRaised]
 * @property {boolean} camera
 * @property {boolean} microphone
 */

const KEY = "plenum";

/** @returns {Memory} */
export function recall() {
  const nothing = { name: "", room: "", role: "student", camera: true, microphone: true };
  try {
    return { ...nothing, ...JSON.parse(sessionStorage.getItem(KEY) ?? "{}") };
  } catch {
    return nothing;
  }
}

/** @param {Memory} memory */
export function remember(memory) {
  try {
    sessionStorage.setItem(KEY, JSON.stringify(memory));
  } catch {
    // A browser that lets a page keep nothing makes a refresh a new person, and that is all.
  }
}

/**
 * The payload of an access token, to show and to prefill; nothing is decided by it here.
 * @param {string} token
 * @returns {{ name?: string, room?: string, role?: string }}
 */
export function peek(token) {
  try {
    const [, body = ""] = token.split(".");
    const bytes = Uint8Array.from(atob(body.replaceAll("-", "+").replaceAll("_", "/")), (c) => c.charCodeAt(0));
    const claims = JSON.parse(new TextDecoder().decode(bytes));
    return { name: claims.name ?? claims.sub, room: claims.video?.room, role: claims.attributes?.role };
  } catch {
    return {};
  }
}
