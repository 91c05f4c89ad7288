// How long somebody who comes late waits for a picture, in a real browser: from the click on "Join" to the first
// decoded frame, with its parts. It only reports; `make late-join` runs it.
// Usage: node bench/late-join-chromium.js [JOINS]      60 joins, if not said otherwise
//   LATE_JOIN_CODEC     video/VP8 (as browsers choose), video/VP9, video/H264, video/AV1
//   LATE_JOIN_ALONE     1: nobody else watches, so that the publisher has to begin to encode
//   LATE_JOIN_REPORT    a file for the moments of each join, as JSON
//   TEST_BINARY         another server than target/release/plenum

import { writeFileSync } from "node:fs";
import { loadavg } from "node:os";
import { launchChromium, openPage, received, status, until } from "../web-demo/tests/support/browser.js";
import { prefer } from "../web-demo/tests/support/codecs.js";
import { startServer } from "../web-demo/tests/support/server.js";

const joins = Number(process.argv[2] ?? 60);
const codec = process.env.LATE_JOIN_CODEC;
/** Joins whose figures do not count: a browser's first ones load its own code. */
const WARM_UP = 2;
/** Joins come at all moments between two key frames. */
const PAUSE_MS = 700;

/** Whoever only watches asks for no devices: no time of theirs is in the figures. */
const NO_DEVICES = `sessionStorage.setItem("plenum", JSON.stringify({ camera: false, microphone: false }));`;

/** In the viewer's page: the moments of what happens. */
const WITNESS = `{
  const moments = (window.moments = {});
  // Told once, when all is over: to be asked again and again would take its time from what is measured.
  let tell;
  window.over = new Promise((resolve) => (tell = resolve));
  const note = (name, at = performance.now()) => {
    moments[name] ??= at;
    if (moments.shown && moments.connected) tell(moments);
  };
  addEventListener("click", (event) => event.target.closest?.("#join") && note("click", event.timeStamp), true);
  const send = WebSocket.prototype.send;
  WebSocket.prototype.send = function (text) {
    const { type } = JSON.parse(text);
    if (type === "join" || type === "offer") note(type);
    if (type === "join") this.addEventListener("message", () => note("joined"), { once: true });
    return send.call(this, text);
  };
  const answer = RTCPeerConnection.prototype.setRemoteDescription;
  RTCPeerConnection.prototype.setRemoteDescription = async function (description) {
    note("answer");
    this.addEventListener("connectionstatechange", () => this.connectionState === "connected" && note("connected"));
    await answer.call(this, description);
    note("applied");
  };
  const play = HTMLMediaElement.prototype.play;
  HTMLMediaElement.prototype.play = function () {
    if (this.dataset.track !== undefined) {
      note("attached");
      this.requestVideoFrameCallback((now, { receiveTime }) => {
        // The frame that is shown first may be a later one than the first that was decoded.
        note("received", receiveTime);
        note("shown");
      });
    }
    return play.call(this);
  };
}`;

const STEPS = ["click", "join", "joined", "offer", "answer", "applied", "connected", "received", "shown"];

const server = await startServer();
const publishing = await launchChromium();
const viewing = await launchChromium();
try {
  const publisher = await openPage(publishing, server, { name: "Ann", room: "late", scripts: codec ? [prefer(codec)] : [] });
  await status(publisher, "connected");
  if (!process.env.LATE_JOIN_ALONE) {
    const watcher = await openPage(publishing, server, { name: "Cleo", room: "late", scripts: [NO_DEVICES] });
    await until("somebody watches", () => received(watcher, "Ann"), (now) => now.frames > 0);
  }
  const all = [];
  for (let join = 0; join < joins + WARM_UP; join++) {
    const moments = await watch(join);
    if (join >= WARM_UP) all.push(moments);
    await new Promise((resolve) => setTimeout(resolve, PAUSE_MS));
  }
  report(all);
  const metrics = await (await fetch(`${server.origin}/metrics`)).text();
  console.log(/^plenum_outbound_key_frame_requests_total .*/m.exec(metrics)?.[0]);
} finally {
  await Promise.all([publishing.close(), viewing.close()]);
  await server.stop();
}

/** One join. @param {number} number @returns {Promise<Record<string, number>>} */
async function watch(number) {
  const page = await openPage(viewing, server, { name: `Ben ${number}`, room: "late", join: false, scripts: [NO_DEVICES, WITNESS] });
  await page.waitForLoadState("networkidle");
  await page.getByTestId("join").click();
  const moments = await page.evaluate(() => /** @type {any} */ (window).over);
  await page.context().close();
  return moments;
}

/** @param {Record<string, number>[]} all */
function report(all) {
  console.log(`${all.length} joins, load of the machine ${loadavg()[0]?.toFixed(2)}; ms`);
  console.log("                        p50    p95    max");
  row("click to first frame", all.map((one) => one.shown - one.click));
  STEPS.slice(1).forEach((step, index) => {
    const before = STEPS[index] ?? "click";
    row(`  ${before} to ${step}`, all.map((one) => one[step] - one[before]));
  });
  // Beside the steps: a picture that comes before its place on the page waits for it.
  row("  click to attached", all.map((one) => one.attached - one.click));
  if (process.env.LATE_JOIN_REPORT) writeFileSync(process.env.LATE_JOIN_REPORT, JSON.stringify(all));
}

/** @param {string} name @param {number[]} values */
function row(name, values) {
  const sorted = values.toSorted((a, b) => a - b);
  const at = (/** @type {number} */ share) => (sorted[Math.min(sorted.length - 1, Math.floor(share * sorted.length))] ?? NaN).toFixed(0).padStart(7);
  console.log(`${name.padEnd(21)}${at(0.5)}${at(0.95)}${at(1)}`);
}
