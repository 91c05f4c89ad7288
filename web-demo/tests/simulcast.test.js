// What the server does with a publisher's streams beyond passing them on: layers, and clocks.

import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { launchChromium, openPage, seesAndHears, status, tile, until } from "./support/browser.js";
import { startServer } from "./support/server.js";

/** @type {import("./support/server.js").Server} */
let server;
/** @type {import("playwright-core").Browser} */
let browser;

before(async () => {
  server = await startServer();
  browser = await launchChromium();
});
after(async () => {
  await browser?.close();
  await server?.stop();
});

/** Keeps the page's connection at hand, and lets its camera be sent in three layers. */
const connection = (/** @type {boolean} */ simulcast) => `{
  const Connection = RTCPeerConnection;
  window.RTCPeerConnection = class extends Connection {
    constructor(...options) {
      super(...options);
      window.connection = this;
    }
    addTransceiver(track, options = {}) {
      const isCamera = options.direction !== "recvonly" && (track.kind ?? track) === "video";
      const sendEncodings = [
        { rid: "q", scaleResolutionDownBy: 4 },
        { rid: "h", scaleResolutionDownBy: 2 },
        { rid: "f" },
      ];
      return super.addTransceiver(track, ${simulcast} && isCamera ? { ...options, sendEncodings } : options);
    }
  };
}`;

/** @param {import("playwright-core").Page} page @param {string} type */
const statistics = (page, type) =>
  page.evaluate(async (type) => {
    /** @type {any} */
    const { connection } = window;
    return [...(await connection.getStats()).values()].filter((/** @type {any} */ report) => report.type === type);
  }, type);

test("of three simulcast layers a viewer with a large tile gets the largest, and decodes it without a break", async () => {
  const ann = await openPage(browser, server, { name: "Ann", room: "layers", scripts: [connection(true)], fullCamera: true });
  await status(ann, "connected");
  const bob = await openPage(browser, server, { name: "Bob", room: "layers", scripts: [connection(false)] });
  await status(bob, "connected");
  await tile(bob, "Ann").evaluate((element) => (element.style.cssText = "width: 1280px; height: 720px; flex: none"));
  const layers = await until("Ann sends three layers", async () => {
    const sent = (await statistics(ann, "outbound-rtp")).filter((report) => report.kind === "video");
    return sent.length === 3 && sent.every((report) => report.frameWidth > 0) && sent;
  });
  assert.deepEqual(new Set(layers.map((report) => report.rid)), new Set(["q", "h", "f"]));
  const video = async () => (await statistics(bob, "inbound-rtp")).find((report) => report.kind === "video");
  // A browser that is short of time makes its pictures smaller: what it sends now counts.
  const largest = async () => Math.max(...(await statistics(ann, "outbound-rtp")).map((report) => report.frameWidth ?? 0));
  await until(
    "Bob sees the largest",
    async () => ({ sent: await largest(), seen: (await video())?.frameWidth }),
    ({ sent, seen }) => seen === sent,
  );
  const seen = await video();
  const later = await until("the picture moves on", async () => {
    const report = await video();
    return report.framesDecoded > seen.framesDecoded + 30 && report;
  });
  assert.equal(later.packetsLost, 0);
});

test("sound and picture of one person stay together", async (t) => {
  const ann = await openPage(browser, server, { name: "Ann", room: "lips", scripts: [connection(false)] });
  const bob = await openPage(browser, server, { name: "Bob", room: "lips", scripts: [connection(false)] });
  await seesAndHears(bob, "Ann");
  await status(ann, "connected");
  // Chromium tells which moment of the sender's clock it plays, once sender reports have come.
  const apart = await until("Bob's browser knows Ann's clock for both", async () => {
    const played = (await statistics(bob, "inbound-rtp"))
      .map((report) => report.estimatedPlayoutTimestamp)
      .filter((moment) => moment > 0);
    return played.length === 2 && { milliseconds: Math.abs(played[0] - played[1]) };
  });
  t.diagnostic(`sound and picture are ${Math.round(apart.milliseconds)} ms apart`);
  // Two streams under clocks of their own would be hours apart; what a busy machine is late by is not meant.
  assert.ok(apart.milliseconds < 2_000, `${apart.milliseconds} ms`);
});
