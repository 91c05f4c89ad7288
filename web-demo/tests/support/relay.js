// A network of one's own between pages and the server's UDP port: it loses, delays and reorders datagrams, the
// same way each time for the same seed, and carries no more than it is told. It opens none of them.

import { createSocket } from "node:dgram";

/**
 * @typedef {object} Conditions
 * @property {number} loss the share that is lost, 0 to 1
 * @property {number} delayMs of one way, on average
 * @property {number} jitterMs so much more or less than that
 */

/**
 * What the way to the pages carries: datagrams wait in a queue, and what does not fit is lost.
 * @typedef {object} Bottleneck
 * @property {number} bitsPerSecond
 * @property {number} queueMs the longest queue
 */

/** @param {number} seed */
function* numbers(seed) {
  // mulberry32: a test wants a repeatable sequence, not a good one.
  for (let state = seed >>> 0; ; ) {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    yield ((mixed ^ (mixed >>> 14)) >>> 0) / 4294967296;
  }
}

/** A UDP port that is free now. */
export async function freeUdpPort() {
  const socket = createSocket("udp4");
  await new Promise((resolve) => socket.bind(0, "127.0.0.1", () => resolve(undefined)));
  const { port } = socket.address();
  await new Promise((resolve) => socket.close(() => resolve(undefined)));
  return port;
}

/** @param {number} serverPort the server's for media, on loopback */
export async function startRelay(serverPort) {
  /** @type {Conditions} */
  let conditions = { loss: 0, delayMs: 0, jitterMs: 0 };
  let random = numbers(1);
  const counts = { carried: 0, lost: 0 };
  const draw = () => /** @type {number} */ (random.next().value);
  /** @type {Bottleneck | null} */
  let bottleneck = null;
  /** When what waits will be through. */
  let busyUntil = 0;
  /** @param {number} bytes @param {() => void} send */
  const squeeze = (bytes, send) => {
    if (!bottleneck) return carry(send);
    const now = performance.now();
    const waits = Math.max(0, busyUntil - now);
    if (waits > bottleneck.queueMs) return void counts.lost++;
    busyUntil = now + waits + (bytes * 8_000) / bottleneck.bitsPerSecond;
    setTimeout(() => carry(send), busyUntil - now);
  };
  /** @param {() => void} send */
  const carry = (send) => {
    const { loss, delayMs, jitterMs } = conditions;
    if (draw() < loss) return void counts.lost++;
    counts.carried++;
    const after = delayMs + jitterMs * (2 * draw() - 1);
    if (after > 0) setTimeout(send, after);
    else send();
  };

  const inward = createSocket("udp4");
  await new Promise((resolve) => inward.bind(0, "127.0.0.1", () => resolve(undefined)));
  let isOver = false;
  /** To the server, a socket for each client. @type {Map<string, import("node:dgram").Socket>} */
  const outward = new Map();
  inward.on("message", (datagram, client) => {
    const name = `${client.address}:${client.port}`;
    let socket = outward.get(name);
    if (!socket) {
      socket = createSocket("udp4");
      socket.on("error", () => {});
      socket.on("message", (answer) => squeeze(answer.length, () => isOver || inward.send(answer, client.port, client.address)));
      outward.set(name, socket);
    }
    carry(() => isOver || socket.send(datagram, serverPort, "127.0.0.1"));
  });
  const { port } = inward.address();
  return {
    counts,
    /** From now on, in both directions. @param {Conditions} next @param {number} [seed] */
    set(next, seed = 1) {
      conditions = next;
      random = numbers(seed);
    },
    /** From now on, on the way to the pages, all of them together. @param {Bottleneck | null} next */
    limit(next) {
      bottleneck = next;
    },
    /** For the pages that are to go through this: the answer's candidates are led here. */
    script: `{
      const set = RTCPeerConnection.prototype.setRemoteDescription;
      RTCPeerConnection.prototype.setRemoteDescription = function (description) {
        const sdp = description.sdp?.replace(/^(a=candidate:\\S+ \\d+ udp \\d+) \\S+ \\d+/gim, "$1 127.0.0.1 ${port}");
        return set.call(this, { type: description.type, sdp });
      };
    }`,
    stop() {
      isOver = true;
      inward.close();
      outward.forEach((socket) => socket.close());
    },
  };
}
