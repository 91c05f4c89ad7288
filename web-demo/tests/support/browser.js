// Chromium with a fake camera and microphone, pages of the demo in it, and what can be measured there.

import { execFileSync } from "node:child_process";
import { chromium } from "playwright-core";

export const CHROMIUM_FLAGS = [
  "--headless",
  "--no-sandbox",
  "--disable-gpu",
  "--disable-quic",
  "--no-first-run",
  "--disable-background-networking",
  "--disable-component-update",
  "--disable-sync",
  "--use-fake-device-for-media-stream",
  "--use-fake-ui-for-media-stream",
];

/** A hung system is called so after this time. */
export const PATIENCE_MS = 90_000;

const executable = () => process.env.CHROMIUM ?? execFileSync("sh", ["-c", "command -v chromium"]).toString().trim();

/** @param {string[]} [flags] further ones */
export function launchChromium(flags = []) {
  return chromium.launch({ executablePath: executable(), args: [...CHROMIUM_FLAGS, ...flags], timeout: PATIENCE_MS });
}

/** A Chromium of its own, whose process id is known: to be killed. */
export async function launchMortalChromium() {
  const server = await chromium.launchServer({ executablePath: executable(), args: CHROMIUM_FLAGS });
  const browser = await chromium.connect(server.wsEndpoint());
  return { browser, server, pid: server.process().pid ?? 0 };
}

/**
 * A page of the demo, in a context of its own.
 * @param {import("playwright-core").Browser} browser
 * @param {{ origin: string }} server
 * @param {object} who
 * @param {string} [who.room]
 * @param {string} [who.name]
 * @param {string} [who.role]
 * @param {string} [who.token]
 * @param {string} [who.identity] for the development server's tokens
 * @param {boolean} [who.join] at once; else the form is there, filled in
 * @param {boolean} [who.fullCamera] as large as the page asks for; else small, for two cores serve all browsers
 * @param {string[]} [who.scripts] run before the page's own
 */
export async function openPage(browser, server, { room, name, role, token, identity, join = true, fullCamera = false, scripts = [] }) {
  const context = await browser.newContext();
  context.setDefaultTimeout(PATIENCE_MS);
  const page = await context.newPage();
  page.on("pageerror", (error) => console.error(`# ${name}: ${error.stack}`));
  page.on("console", (message) => {
    if (message.type() !== "error" && message.type() !== "warning") return;
    console.error(`# ${name}: ${message.text()}`);
  });
  await page.addInitScript(recordConnections);
  if (!fullCamera) await page.addInitScript(smallCamera);
  for (const script of scripts) await page.addInitScript(script);
  const query = new URLSearchParams(Object.entries({ room, name, role, token, identity, join: join ? "1" : undefined }).flatMap(([k, v]) => (v ? [[k, v]] : [])));
  await page.goto(`${server.origin}/?${query}`);
  return page;
}

/** @typedef {import("playwright-core").Page} Page */

/** Each RTCPeerConnection of the page, to ask it for statistics. */
function recordConnections() {
  const all = /** @type {RTCPeerConnection[]} */ ((/** @type {any} */ (window).connections = []));
  window.RTCPeerConnection = new Proxy(RTCPeerConnection, {
    construct(target, args, newTarget) {
      const connection = Reflect.construct(target, args, newTarget);
      all.push(connection);
      return connection;
    },
  });
}

function smallCamera() {
  const devices = navigator.mediaDevices;
  const ask = devices.getUserMedia.bind(devices);
  devices.getUserMedia = (wanted) =>
    ask(wanted?.video ? { ...wanted, video: { width: 320, height: 180, frameRate: 15 } } : wanted);
}

/**
 * Wait until something holds; the last value of what was looked at is in the message if it never does.
 * @template Value
 * @param {string} claim
 * @param {() => Promise<Value> | Value} look
 * @param {(value: Value) => boolean} [holds]
 * @param {number} [patience]
 * @returns {Promise<Value>}
 */
export async function until(claim, look, holds = Boolean, patience = PATIENCE_MS) {
  const end = Date.now() + patience;
  for (;;) {
    const value = await look();
    if (holds(value)) return value;
    if (Date.now() > end) throw new Error(`not in ${patience} ms: ${claim}; last: ${JSON.stringify(value)}`);
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}

/** @param {Page} page @param {string} state */
export const status = (page, state) =>
  until(`the status is ${state}`, () => page.getByTestId("status").getAttribute("data-state"), (now) => now === state);

/** @param {Page} page @param {string} name */
export const tile = (page, name) => page.locator(`[data-testid=tile][data-name="${name}"]`);

/** What the tiles say, by name. @param {Page} page @returns {Promise<Record<string, DOMStringMap>>} */
export const tiles = (page) =>
  page.evaluate(() =>
    Object.fromEntries(
      [...document.querySelectorAll("[data-testid=tile]")].map((tile) => {
        const { dataset } = /** @type {HTMLElement} */ (tile);
        return [dataset.name, { ...dataset }];
      }),
    ),
  );

/** Who has a tile. @param {Page} page @param {string[]} names */
export const untilTiles = (page, names) =>
  until(`tiles of ${names}`, async () => Object.keys(await tiles(page)).sort(), (now) => now.join() === [...names].sort().join());

/**
 * What has come of somebody's picture and sound.
 * @param {Page} page
 * @param {string} name
 * @returns {Promise<{ frames: number, energy: number, codec: string, width: number }>}
 */
export const received = (page, name) =>
  page.evaluate(async (name) => {
    const tile = document.querySelector(`[data-testid=tile][data-name="${name}"]`);
    /** @type {string[]} */
    const ids = [];
    for (const media of tile?.querySelectorAll("video, audio") ?? []) {
      const stream = /** @type {MediaStream | null} */ (/** @type {HTMLMediaElement} */ (media).srcObject);
      ids.push(...(stream?.getTracks().map((track) => track.id) ?? []));
    }
    const found = { frames: 0, energy: 0, codec: "", width: 0 };
    for (const connection of /** @type {RTCPeerConnection[]} */ (/** @type {any} */ (window).connections)) {
      if (connection.connectionState === "closed") continue;
      const report = await connection.getStats();
      for (const entry of report.values()) {
        if (entry.type !== "inbound-rtp" || !ids.includes(entry.trackIdentifier)) continue;
        if (entry.kind === "audio") found.energy = entry.totalAudioEnergy ?? 0;
        else {
          found.frames = entry.framesDecoded ?? 0;
          found.width = entry.frameWidth ?? 0;
          found.codec = report.get(entry.codecId)?.mimeType ?? "";
        }
      }
    }
    return found;
  }, name);

/**
 * How bright what a video shows is, and how much it varies within the picture: black has neither.
 * @param {Page} page
 * @param {string} selector
 */
export const pixels = (page, selector) =>
  page.evaluate((selector) => {
    const video = /** @type {HTMLVideoElement | null} */ (document.querySelector(selector));
    if (!video?.videoWidth) return { brightness: 0, variation: 0 };
    const canvas = document.createElement("canvas");
    canvas.width = 64;
    canvas.height = 36;
    const pen = /** @type {CanvasRenderingContext2D} */ (canvas.getContext("2d"));
    pen.drawImage(video, 0, 0, 64, 36);
    const { data } = pen.getImageData(0, 0, 64, 36);
    const light = Array.from({ length: data.length / 4 }, (_, i) => Math.max(data[4 * i] ?? 0, data[4 * i + 1] ?? 0, data[4 * i + 2] ?? 0));
    const brightness = light.reduce((sum, value) => sum + value, 0) / light.length;
    return { brightness, variation: Math.max(...light) - Math.min(...light) };
  }, selector);

/** @param {string} name */
export const videoOf = (name) => `[data-testid=tile][data-name="${name}"] video`;

/**
 * Somebody's picture moves and is not black, and their sound is not silence.
 * @param {Page} page
 * @param {string} name
 */
export async function seesAndHears(page, name) {
  const before = await received(page, name);
  await until(`${name}'s picture moves`, () => received(page, name), (now) => now.frames > before.frames + 5);
  await until(`${name}'s picture is not black`, () => pixels(page, videoOf(name)), (now) => now.brightness > 20 && now.variation > 20);
  await until(`${name} is heard`, () => received(page, name), (now) => now.energy > before.energy);
}
