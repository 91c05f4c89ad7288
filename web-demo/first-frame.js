// How long the first picture takes after joining, told to the server once: for its metrics. It shows nothing, and
// tells nothing where there was no picture to wait for, or people to wait for.

/** @import { ClientMessage, Joined } from "./protocol.d.ts" */

export class FirstFrame {
  /** @type {(message: ClientMessage) => void} */
  #send;
  #startedAt = performance.now();
  #connectedAt = NaN;
  #isOver = false;
  #giveUp = () => this.cancel();

  /** Joining begins. @param {(message: ClientMessage) => void} send */
  constructor(send) {
    this.#send = send;
    // A page in the background is shown nothing.
    document.addEventListener("visibilitychange", this.#giveUp);
  }

  /** The room is there: is there a picture to be seen? @param {Joined} joined */
  handleJoined({ participant_id, participants }) {
    const others = participants.filter(({ id }) => id !== participant_id);
    const isShown = others.some(({ tracks }) => tracks.some(({ kind, muted }) => kind === "video" && !muted));
    if (!isShown) this.cancel();
  }

  /** Sound and picture can flow, since then. */
  handleConnected(now = performance.now()) {
    if (Number.isNaN(this.#connectedAt)) this.#connectedAt = now;
  }

  /**
   * A picture is shown here, or in here.
   * @param {Element} element
   */
  watch(element) {
    if (this.#isOver) return;
    const video = element instanceof HTMLVideoElement ? element : element.querySelector("video");
    video?.requestVideoFrameCallback?.((_, { receiveTime }) => this.#tell(receiveTime));
  }

  /** There is nothing to tell. */
  cancel() {
    this.#isOver = true;
    document.removeEventListener("visibilitychange", this.#giveUp);
  }

  /** @param {number | undefined} receivedAt not every browser says */
  #tell(receivedAt) {
    if (this.#isOver || receivedAt === undefined) return;
    this.cancel();
    // A busy page may hear of the connection after the picture that came by it.
    this.handleConnected(receivedAt);
    const received = Math.max(receivedAt, this.#connectedAt);
    const [connect_ms = 0, key_frame_ms = 0, decode_ms = 0] = [
      this.#connectedAt - this.#startedAt,
      received - this.#connectedAt,
      performance.now() - received,
    ].map((ms) => Math.max(0, Math.round(ms)));
    this.#send({ type: "first_frame", connect_ms, key_frame_ms, decode_ms });
  }
}
