// Whether a page's encoder is as quick as its camera, and this machine on time: what a starved machine does not encode,
// no server can pass on, and what it carries late looks like a narrow path.

import { until } from "./browser.js";

/** @typedef {import("playwright-core").Page} Page */

/** For how long it is looked at. */
const WATCHED_MS = 3_000;
/** Of the pictures there should be. */
const ENOUGH = 0.7;
/** A moment is late by so much, as a narrow path's packets are; on a machine with time to spare fewer than this share are. */
const LATE_MS = 20;
const SELDOM_LATE = 0.1;
const MOMENT_MS = 10;
/** The network is believed to carry so many times what is sent: it holds nothing back. */
const FREE = 1.2;

/**
 * What a page has taken of its camera, made of that, and thinks of the network, so far.
 * @param {Page} page
 * @returns {Promise<{ at: number, taken: number, encoded: number, bytes: number, believed: number, reasons: string[] }>}
 */
export const encoder = (page) =>
  page.evaluate(async () => {
    const found = { at: performance.now(), taken: 0, encoded: 0, bytes: 0, believed: 0, reasons: /** @type {string[]} */ ([]) };
    const connection = /** @type {RTCPeerConnection} */ (/** @type {any} */ (window).connections.at(-1));
    for (const entry of (await connection.getStats()).values()) {
      if (entry.type === "candidate-pair") found.believed = Math.max(found.believed, entry.availableOutgoingBitrate ?? 0);
      if (entry.kind !== "video") continue;
      if (entry.type === "media-source") found.taken = Math.max(found.taken, entry.frames ?? 0);
      if (entry.type !== "outbound-rtp") continue;
      found.encoded = Math.max(found.encoded, entry.framesEncoded ?? 0);
      found.bytes += entry.bytesSent ?? 0;
      if (entry.qualityLimitationReason) found.reasons.push(entry.qualityLimitationReason);
    }
    return found;
  });

/** At which share of its moments in a while this process, which may be the path as well, was late. @param {number} ms */
async function lateness(ms) {
  let [late, all] = [0, 0];
  for (const end = performance.now() + ms; performance.now() < end; all++) {
    const began = performance.now();
    await new Promise((resolve) => setTimeout(resolve, MOMENT_MS));
    if (performance.now() - began > MOMENT_MS + LATE_MS) late += 1;
  }
  return late / all;
}

/**
 * Why fewer or smaller pictures come than a page's camera was to give, if that is the machine's doing; null where it
 * may be the server's, who tells a page what the network carries and whether anybody watches.
 * @param {Page} page
 * @param {number} framesPerSecond of the camera
 * @returns {Promise<string | null>}
 */
async function slowness(page, framesPerSecond) {
  const before = await encoder(page);
  const late = await lateness(WATCHED_MS);
  const now = await encoder(page);
  const seconds = (now.at - before.at) / 1_000;
  const [taken, encoded] = [(now.taken - before.taken) / seconds, (now.encoded - before.encoded) / seconds];
  if (encoded === 0) return null;
  if (late > SELDOM_LATE) return `this test itself was late ${Math.round(100 * late)} times of a hundred`;
  if (now.reasons.includes("cpu")) return "the browser says that its encoder is short of time";
  if (taken < ENOUGH * framesPerSecond) return `the camera gives ${taken.toFixed(1)} of ${framesPerSecond} pictures a second`;
  const isFree = now.believed > (FREE * 8 * (now.bytes - before.bytes)) / seconds;
  if (isFree && encoded < ENOUGH * taken) return `${encoded.toFixed(1)} of ${taken.toFixed(1)} pictures a second are encoded`;
  return null;
}

/**
 * As `until`, of something for which this machine has to be quick enough. Null where it never is: then the test is
 * skipped, and says so.
 * @template Value
 * @param {import("node:test").TestContext} t
 * @param {Page} page which sends
 * @param {number} framesPerSecond of its camera
 * @param {string} claim
 * @param {() => Promise<Value> | Value} look
 * @param {(value: Value) => boolean} holds
 * @param {number} [patience]
 * @returns {Promise<Value | null>}
 */
export async function untilOrSlow(t, page, framesPerSecond, claim, look, holds, patience) {
  try {
    return await until(claim, look, holds, patience);
  } catch (error) {
    const why = await slowness(page, framesPerSecond);
    if (!why) throw error;
    t.skip(`this machine is too slow: ${why}; ${error instanceof Error ? error.message : error}`);
    return null;
  }
}
