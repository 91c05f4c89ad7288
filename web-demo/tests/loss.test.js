// Networks that lose and reorder, on the way in and on the way out: the picture goes on. A loss is repaired once
// with hardly a delay; one whose repair is lost too costs another round trip, and is what makes a picture stand.

import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { launchChromium, openPage, received, status, until } from "./support/browser.js";
import { freeUdpPort, startRelay } from "./support/relay.js";
import { startServer } from "./support/server.js";

/** @type {import("./support/server.js").Server} */
let server;
/** @type {import("playwright-core").Browser} */
let browser;
/** @type {Awaited<ReturnType<typeof startRelay>>} */
let relay;
/** @type {import("playwright-core").Page} */
let ada;
/** @type {import("playwright-core").Page} */
let viewer;

/** A round trip of 100 ms, of which each way may be 15 ms longer or shorter. */
const FAR = { delayMs: 50, jitterMs: 15 };
/** The receiver's jitter buffer learns of retransmissions, the sender's encoder of the rate. */
const SETTLING_MS = 5_000;
const WATCHED_MS = 20_000;

/** A small picture, for two cores serve all browsers. @param {number} width @param {number} frameRate */
const camera = (width, frameRate) => `{
  const ask = navigator.mediaDevices.getUserMedia.bind(navigator.mediaDevices);
  navigator.mediaDevices.getUserMedia = (wanted) =>
    ask(wanted?.video ? { ...wanted, video: { width: ${width}, height: ${(width * 9) / 16}, frameRate: ${frameRate} } } : wanted);
}`;

before(async () => {
  const port = await freeUdpPort();
  server = await startServer({ args: ["--public-ip", "127.0.0.1"], udpPort: port });
  relay = await startRelay(port);
  browser = await launchChromium();
  const far = { room: "far", fullCamera: true };
  // At the rate of a camera: a loss shows in the next packet.
  ada = await openPage(browser, server, { ...far, name: "Ada", scripts: [camera(320, 30), relay.script] });
  // A browser that sends nothing does not know its round trip, and buffers less than it should.
  viewer = await openPage(browser, server, { ...far, name: "Bob", scripts: [camera(64, 5), relay.script] });
  for (const page of [ada, viewer]) await status(page, "connected");
  await until("Ada's picture moves", () => received(viewer, "Ada"), ({ frames }) => frames > 10);
});
after(async () => {
  await browser?.close();
  relay?.stop();
  await server?.stop();
});

/** What the viewer's decoder and jitter buffer say of the picture. @returns {Promise<Record<string, number>>} */
const figures = () =>
  viewer.evaluate(async () => {
    const names = [
      "framesDecoded",
      "freezeCount",
      "totalFreezesDuration",
      "packetsReceived",
      "packetsLost",
      "retransmittedPacketsReceived",
      "nackCount",
      "pliCount",
      "keyFramesDecoded",
    ];
    const found = Object.fromEntries(names.map((name) => [name, 0]));
    for (const connection of /** @type {RTCPeerConnection[]} */ (/** @type {any} */ (window).connections)) {
      for (const entry of (await connection.getStats()).values()) {
        if (entry.type !== "inbound-rtp" || entry.kind !== "video") continue;
        for (const name of names) found[name] += entry[name] ?? 0;
      }
    }
    return found;
  });

/** What the camera's page has sent: a busy machine encodes less, and then less can be shown. @returns {Promise<Record<string, number>>} */
const sent = () =>
  ada.evaluate(async () => {
    const connection = /** @type {any} */ (window).connections.at(-1);
    const all = [...(await connection.getStats()).values()];
    const video = all.filter((entry) => entry.type === "outbound-rtp" && entry.kind === "video");
    return { framesSent: video.reduce((most, entry) => Math.max(most, entry.framesSent ?? 0), 0) };
  });

/** What the server counted, of all pages. @returns {Promise<Record<string, number>>} */
async function counted() {
  const text = await (await fetch(`${server.origin}/metrics`)).text();
  const names = {
    asked: "plenum_inbound_nacks_total",
    repeated: "plenum_outbound_retransmissions_total",
    refused: 'plenum_dropped_total{reason="retransmission_refused"}',
    askedOfPublishers: "plenum_outbound_nacks_total",
    keyFramesAsked: "plenum_inbound_key_frame_requests_total",
    brokenOff: "plenum_path_pictures_broken_off_total",
    paced: "plenum_path_paced_packets_total",
    probePackets: "plenum_path_probe_packets_total",
  };
  const value = (/** @type {string} */ name) =>
    Number(text.split("\n").find((line) => line.startsWith(`${name} `))?.slice(name.length + 1) ?? NaN);
  return Object.fromEntries(Object.entries(names).map(([key, name]) => [key, value(name)]));
}

/** What passed in a while. */
async function look() {
  const all = async () => ({ ...(await figures()), ...(await sent()), ...(await counted()) });
  const [before, counts, since] = [await all(), { ...relay.counts }, performance.now()];
  await new Promise((resolve) => setTimeout(resolve, WATCHED_MS));
  const now = await all();
  const seconds = (performance.now() - since) / 1_000;
  const passed = Object.fromEntries(Object.entries(now).map(([name, value]) => [name, value - (before[name] ?? 0)]));
  const [lost, carried] = [relay.counts.lost - counts.lost, relay.counts.carried - counts.carried];
  const frozen = (passed.totalFreezesDuration ?? 0) / seconds;
  const percent = (/** @type {number} */ share) => `${(100 * share).toFixed(1)} %`;
  console.log(`${percent(lost / (lost + carried))} lost, frozen ${percent(frozen)} of ${seconds.toFixed(0)} s`, passed);
  return { decoded: passed.framesDecoded ?? 0, sent: passed.framesSent ?? 0 };
}

/** @param {number} share of the packets that are lost between camera and viewer, half on either leg */
async function lose(share) {
  relay.set({ ...FAR, loss: 1 - Math.sqrt(1 - share) });
  await new Promise((resolve) => setTimeout(resolve, SETTLING_MS));
}

for (const share of [0, 0.05, 0.1]) {
  // How long it stands still is printed and not claimed: a busy machine stops pictures as well.
  test(`with ${100 * share} % lost between camera and viewer the picture goes on`, async () => {
    await lose(share);
    const { decoded, sent } = await look();
    assert.ok(decoded > 0.1 * sent, `${decoded} of ${sent} frames`);
  });
}
