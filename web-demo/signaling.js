// The WebSocket to the server: request numbers, pings, and coming back after a loss as the same
// participant. It knows neither media nor page, and keeps nothing of the room but the means to return.

/** @import { ClientMessage, Goodbye, Joined, Resumed, ServerMessage, StateUpdate, Waiting } from "./protocol.d.ts" */

import { Emitter } from "./emitter.js";
import { FINAL_CODES, PlenumError, TOKEN_CODES } from "./failures.js";

/** The wait before the first attempt to come back; doubled for each further one. */
const FIRST_WAIT_MS = 250;
const LONGEST_WAIT_MS = 4_000;
/** A WebSocket that neither opens nor brings `joined` in this time is given up. */
const OPEN_LIMIT_MS = 10_000;
/** The server closes a WebSocket that says nothing for 5 s: one that waited nearly as long for its token is not used. */
const SILENCE_LIMIT_MS = 3_000;

/**
 * @typedef {object} SignalingOptions
 * @property {string | URL} [server] as `https://your.server`; the page's own if left out
 * @property {() => Promise<string>} token a valid access token; asked again when one has expired
 * @property {string} [room] the room one means to enter
 * @property {string} [resumeToken] to come back after a page refresh
 * @property {() => StateUpdate} state camera, microphone and hand as they are at the moment
 * @property {() => number} lastChange the number of the last change seen
 */

/**
 * Events: `joined` and `resumed` after coming back (not for the first join, which `open` answers);
 * `waiting` whenever one waits outside, before `joined`; `message` for everything else; `lost` when the
 * connection is; `ended` when it will not come back.
 * @extends {Emitter<{
 *   joined: Joined, resumed: Resumed, waiting: Waiting, message: ServerMessage, lost: { reason: string },
 *   token: { resumeToken: string }, ended: PlenumError,
 * }>}
 */
export class Signaling extends Emitter {
  /** @type {SignalingOptions} */
  #options;
  /** @type {WebSocket | null} */
  #socket = null;
  /** Opened while the token is got. @type {{ socket: WebSocket, openedAt: number } | null} */
  #early = null;
  #isJoined = false;
  #isWaiting = false;
  #isClosed = false;
  /** @type {string | undefined} */
  #token;
  /** The token was got for this very attempt: if it is refused, so would the next one be. */
  #isTokenFresh = false;
  /** @type {string | undefined} */
  #resumeToken;
  #nextRequest = 1;
  /** @type {Map<number, { resolve: (answer: any) => void, reject: (error: PlenumError) => void }>} */
  #waiting = new Map();
  #attempts = 0;
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  #retryTimer;
  /** @type {ReturnType<typeof setInterval> | undefined} */
  #pingTimer;
  #heardAt = 0;
  #pingTimes = { interval: 5_000, timeout: 15_000 };
  #tryNow = () => this.retryNow();

  /** @param {SignalingOptions} options */
  constructor(options) {
    super();
    this.#options = options;
    this.#resumeToken = options.resumeToken;
  }

  /** Messages can be sent. */
  get isOpen() {
    return this.#isJoined;
  }

  /** Get the token, and meanwhile open the WebSocket: `open` would, one after the other. */
  async prepare() {
    this.#early ??= { socket: this.#newSocket(), openedAt: performance.now() };
    await this.#getToken();
  }

  /**
   * Join for the first time.
   * @returns {Promise<Joined>}
   */
  async open() {
    const answer = await this.#comeIn();
    if (answer.type !== "joined") throw new PlenumError("internal", "the first join was answered by resumed");
    globalThis.addEventListener?.("online", this.#tryNow);
    return answer;
  }

  /** The first join. Whoever waits outside and loses the connection comes back to their place. */
  async #comeIn() {
    for (;;) {
      try {
        return await this.#connect(undefined);
      } catch (error) {
        const isLost = error instanceof PlenumError && error.code === "server_gone";
        if (!isLost || !this.#isWaiting || this.#isClosed) throw error;
        await new Promise((resolve) => setTimeout(resolve, this.#nextWait()));
      }
    }
  }

  /**
   * Send a message. Returns its number; null, and nothing is sent, while the connection is lost.
   * @param {ClientMessage} message
   * @returns {number | null}
   */
  send(message) {
    const mayLeave = this.#isWaiting && message.type === "leave";
    if (!this.#socket || !(this.#isJoined || mayLeave)) return null;
    const number = this.#nextRequest++;
    this.#socket.send(JSON.stringify({ ...message, request_id: number }));
    return number;
  }

  /**
   * Send a message that has an answer of its own (`live_status`, `ping`), and wait for it.
   * @param {ClientMessage} message
   * @returns {Promise<any>}
   */
  request(message) {
    return new Promise((resolve, reject) => {
      const number = this.send(message);
      if (number === null) return reject(new PlenumError("server_gone"));
      this.#waiting.set(number, { resolve, reject });
    });
  }

  /** Do not wait for the next attempt to come back. */
  retryNow() {
    if (this.#retryTimer === undefined) return;
    clearTimeout(this.#retryTimer);
    this.#attempts = 0;
    this.#comeBack();
  }

  /** Go for good. */
  leave() {
    this.send({ type: "leave" });
    this.close();
  }

  /** Close without a word: the participant is away, and may come back. */
  close() {
    this.#isClosed = true;
    clearTimeout(this.#retryTimer);
    globalThis.removeEventListener?.("online", this.#tryNow);
    this.#early?.socket.close();
    this.#early = null;
    this.#drop();
  }

  #newSocket() {
    return new WebSocket(websocketUrl(this.#options.server));
  }

  /**
   * A WebSocket, from its opening to `joined` or `resumed`.
   * @param {number | undefined} lastChange to go on where the last connection ended
   * @returns {Promise<({ type: "joined" } & Joined) | ({ type: "resumed" } & Resumed)>}
   */
  async #connect(lastChange) {
    this.#isTokenFresh = this.#token === undefined;
    await this.#getToken();
    if (this.#isClosed) throw new PlenumError("left");
    const early = this.#takeEarly();
    try {
      return await this.#enter(early ?? this.#newSocket(), lastChange);
    } catch (error) {
      // A server may have had enough of waiting for the token, just when it was there: another one is not early.
      const isLost = error instanceof PlenumError && error.code === "server_gone";
      if (!early || !isLost || this.#isWaiting || this.#isClosed) throw error;
      return this.#enter(this.#newSocket(), lastChange);
    }
  }

  /**
   * @param {WebSocket} socket
   * @param {number | undefined} lastChange
   * @returns {Promise<({ type: "joined" } & Joined) | ({ type: "resumed" } & Resumed)>}
   */
  #enter(socket, lastChange) {
    this.#socket = socket;
    return new Promise((resolve, reject) => {
      /** @param {PlenumError} error */
      const fail = (error) => {
        clearTimeout(timer);
        clearInterval(this.#pingTimer);
        if (this.#socket === socket) this.#drop();
        reject(error);
      };
      const timer = setTimeout(() => fail(new PlenumError("server_gone", "no answer")), OPEN_LIMIT_MS);
      const join = () => {
        const resume = this.#resumeToken && { token: this.#resumeToken, last_change: lastChange };
        socket.send(
          JSON.stringify({
            type: "join",
            request_id: this.#nextRequest++,
            token: this.#token,
            room: this.#options.room,
            resume: resume || undefined,
            state: this.#options.state(),
          }),
        );
      };
      if (socket.readyState === WebSocket.OPEN) join();
      else socket.onopen = join;
      socket.onclose = () => fail(new PlenumError("server_gone", "the connection was closed"));
      socket.onmessage = (event) => {
        /** @type {ServerMessage} */
        const message = JSON.parse(event.data);
        this.#heardAt = performance.now();
        if (message.type === "waiting") {
          clearTimeout(timer);
          this.#wait(socket, message, fail);
        } else if (message.type === "error" || message.type === "goodbye") {
          if (message.type === "goodbye" && message.reconnect) return fail(new PlenumError("server_gone", message.message));
          if (TOKEN_CODES.has(message.code)) this.#token = undefined;
          fail(new PlenumError(message.code, message.message));
        } else if (message.type === "joined" || message.type === "resumed") {
          clearTimeout(timer);
          this.#begin(socket, message);
          resolve(message);
        }
      };
    });
  }

  async #getToken() {
    this.#token ??= await this.#options.token();
  }

  /** The WebSocket that was opened early, if it is still good. @returns {WebSocket | null} */
  #takeEarly() {
    if (!this.#early) return null;
    const { socket, openedAt } = this.#early;
    this.#early = null;
    const isGood = socket.readyState <= WebSocket.OPEN && performance.now() - openedAt < SILENCE_LIMIT_MS;
    if (isGood) return socket;
    socket.close();
    return null;
  }

  /**
   * Outside: the connection is kept alive until somebody lets one in.
   * @param {WebSocket} socket
   * @param {Waiting} waiting
   * @param {(error: PlenumError) => void} fail
   */
  #wait(socket, waiting, fail) {
    this.#isWaiting = true;
    this.#attempts = 0;
    this.#resumeToken = waiting.resume_token;
    this.#pingTimes = { interval: waiting.ping_interval_ms, timeout: waiting.ping_timeout_ms };
    this.#keepAlive(
      () => socket.send(JSON.stringify({ type: "ping" })),
      () => fail(new PlenumError("server_gone", "nothing was heard from the server")),
    );
    this.emit("token", { resumeToken: waiting.resume_token });
    this.emit("waiting", waiting);
  }

  /**
   * The connection is up: hear it, and keep it alive.
   * @param {WebSocket} socket
   * @param {({ type: "joined" } & Joined) | ({ type: "resumed" } & Resumed)} message
   */
  #begin(socket, message) {
    this.#isJoined = true;
    this.#isWaiting = false;
    this.#attempts = 0;
    this.#resumeToken = message.resume_token;
    this.emit("token", { resumeToken: message.resume_token });
    if (message.type === "joined") {
      this.#pingTimes = { interval: message.ping_interval_ms, timeout: message.ping_timeout_ms };
    }
    this.#heardAt = performance.now();
    socket.onmessage = (event) => {
      if (this.#socket === socket) this.#hear(JSON.parse(event.data));
    };
    socket.onclose = () => {
      if (this.#socket === socket) this.#lose("the connection was closed");
    };
    this.#keepAlive(
      () => this.send({ type: "ping" }),
      () => this.#lose("nothing was heard from the server"),
    );
  }

  /**
   * The timer is finer than the interval, so that a silent connection is noticed soon after its time.
   * @param {() => void} ping
   * @param {() => void} lose
   */
  #keepAlive(ping, lose) {
    clearInterval(this.#pingTimer);
    const { interval, timeout } = this.#pingTimes;
    let pingedAt = performance.now();
    this.#pingTimer = setInterval(() => {
      const now = performance.now();
      if (now - this.#heardAt > timeout) return lose();
      if (now - pingedAt < interval - 100) return;
      pingedAt = now;
      ping();
    }, Math.min(1_000, interval));
  }

  /** @param {ServerMessage} message */
  #hear(message) {
    this.#heardAt = performance.now();
    const number = "request_id" in message ? message.request_id : undefined;
    const waiting = number === undefined ? undefined : this.#waiting.get(number);
    if (waiting && number !== undefined) {
      this.#waiting.delete(number);
      if (message.type === "error") waiting.reject(new PlenumError(message.code, message.message));
      else waiting.resolve(message);
      return;
    }
    if (message.type === "pong") return;
    if (message.type === "goodbye") return this.#dismiss(message);
    this.emit("message", message);
  }

  /** @param {Goodbye} goodbye */
  #dismiss(goodbye) {
    if (goodbye.reconnect) return this.#lose(goodbye.message);
    this.close();
    this.emit("ended", new PlenumError(goodbye.code, goodbye.message));
  }

  /** @param {string} reason */
  #lose(reason) {
    const wasJoined = this.#isJoined;
    this.#drop();
    if (this.#isClosed) return;
    if (wasJoined) this.emit("lost", { reason });
    this.#retryTimer = setTimeout(() => this.#comeBack(), this.#nextWait());
  }

  /** Doubled, with some chance in it: a whole room that lost its server must not come back as one. */
  #nextWait() {
    return Math.min(LONGEST_WAIT_MS, FIRST_WAIT_MS * 2 ** this.#attempts++) * (0.75 + Math.random() / 2);
  }

  async #comeBack() {
    this.#retryTimer = undefined;
    try {
      const answer = await this.#connect(this.#options.lastChange());
      if (answer.type === "joined") this.emit("joined", answer);
      else this.emit("resumed", answer);
    } catch (error) {
      const code = error instanceof PlenumError ? error.code : "internal";
      if (this.#isClosed) return;
      // Tokens expire, and keys change: a refused token was dropped, and the next attempt asks for a new one.
      const isFinal = TOKEN_CODES.has(code) ? this.#isTokenFresh : FINAL_CODES.has(code);
      if (isFinal) {
        this.close();
        this.emit("ended", /** @type {PlenumError} */ (error));
      } else {
        this.#lose(code);
      }
    }
  }

  /** Let go of the socket, whatever its state. */
  #drop() {
    clearInterval(this.#pingTimer);
    const socket = this.#socket;
    this.#socket = null;
    this.#isJoined = false;
    for (const waiting of this.#waiting.values()) waiting.reject(new PlenumError("server_gone"));
    this.#waiting.clear();
    if (!socket) return;
    socket.onopen = socket.onmessage = socket.onclose = null;
    socket.close();
  }
}

/**
 * @param {string | URL | undefined} server
 * @returns {string}
 */
function websocketUrl(server) {
  const url = new URL("/ws", server ?? location.href);
  url.protocol = url.protocol === "https:" || url.protocol === "wss:" ? "wss:" : "ws:";
  return url.href;
}
