// The server's HTTP API, as far as this page needs it: one's own room, its sessions, who was there. Faults are
// `PlenumError`s with the server's codes.

/** @import { EndReason, RoomInfo, RoomSettings, SessionState } from "./protocol.d.ts" */

import { PlenumError } from "./failures.js";

const LIMIT_MS = 10_000;

/**
 * A room as it is now.
 * @typedef {object} RoomDetails
 * @property {string} id
 * @property {RoomInfo} info
 */

/**
 * One run of a room.
 * @typedef {object} Session
 * @property {string} id
 * @property {SessionState} state
 * @property {string} title
 * @property {number} created_at
 * @property {number | null} [scheduled_for]
 * @property {number | null} [live_at]
 * @property {number | null} [ended_at]
 * @property {EndReason | null} [end_reason]
 */

/**
 * That somebody was there.
 * @typedef {object} Attendance
 * @property {string} identity
 * @property {string} name
 * @property {string} role
 * @property {number} joined_at
 * @property {number | null} left_at
 */

export class Api {
  #token;

  /** @param {() => Promise<string>} token an access token of whoever asks */
  constructor(token) {
    this.#token = token;
  }

  /** One's own permanent room; made at the first time. @returns {Promise<RoomDetails>} */
  myRoom() {
    return this.#json("GET", "/api/rooms/me");
  }

  /** @param {string} roomId @param {RoomSettings} settings @returns {Promise<RoomDetails>} */
  updateRoom(roomId, settings) {
    return this.#json("PATCH", `/api/rooms/${roomId}`, { settings });
  }

  /** All there are, the newest first. @param {string} roomId @returns {Promise<Session[]>} */
  async sessions(roomId) {
    return (await this.#json("GET", `/api/rooms/${roomId}/sessions`)).sessions;
  }

  /** @param {string} roomId @param {string} key one for each intention @returns {Promise<Session>} */
  goLive(roomId, key) {
    return this.#json("POST", `/api/rooms/${roomId}/go-live`, { key });
  }

  /** @param {string} roomId @param {string} key @returns {Promise<Session>} */
  openLobby(roomId, key) {
    return this.#json("POST", `/api/rooms/${roomId}/open-lobby`, { key });
  }

  /** @param {string} roomId */
  endSession(roomId) {
    return this.#json("POST", `/api/rooms/${roomId}/end`, {});
  }

  /**
   * @param {string} roomId
   * @param {{ key: string, title: string, scheduled_for: number }} plan
   * @returns {Promise<Session>}
   */
  schedule(roomId, plan) {
    return this.#json("POST", `/api/rooms/${roomId}/sessions`, plan);
  }

  /** @param {string} roomId @param {string} sessionId */
  cancel(roomId, sessionId) {
    return this.#json("POST", `/api/rooms/${roomId}/sessions/${sessionId}/cancel`, {});
  }

  /** @param {string} roomId @param {string} sessionId @returns {Promise<Attendance[]>} */
  async attendance(roomId, sessionId) {
    return (await this.#json("GET", `/api/rooms/${roomId}/sessions/${sessionId}/attendance`)).attendance;
  }

  /** @param {string} roomId @param {string} sessionId @returns {Promise<Blob>} */
  async attendanceCsv(roomId, sessionId) {
    const response = await this.#ask("GET", `/api/rooms/${roomId}/sessions/${sessionId}/attendance.csv`);
    return response.blob();
  }

  /**
   * @param {string} method
   * @param {string} path
   * @param {object} [body]
   * @returns {Promise<any>}
   */
  async #json(method, path, body) {
    const response = await this.#ask(method, path, body);
    return response.status === 204 ? undefined : response.json();
  }

  /**
   * @param {string} method
   * @param {string} path
   * @param {object} [body]
   */
  async #ask(method, path, body) {
    const headers = new Headers({ authorization: `Bearer ${await this.#token()}` });
    if (body) headers.set("content-type", "application/json");
    const init = { method, headers, signal: AbortSignal.timeout(LIMIT_MS), ...(body && { body: JSON.stringify(body) }) };
    const response = await fetch(path, init).catch((error) => {
      throw new PlenumError("server_gone", String(error));
    });
    if (response.ok) return response;
    const { code, message } = await response.json().catch(() => ({}));
    throw new PlenumError(code ?? (response.status >= 500 ? "server_gone" : "internal"), message ?? `HTTP ${response.status}`);
  }
}
