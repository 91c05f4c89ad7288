// Connecting gives up after its time, says at which step it was, and can be cancelled. Without a browser.

import assert from "node:assert/strict";
import { test } from "node:test";
import { LIMIT_MS, withSteps } from "../connect.js";
import { describe } from "../failures.js";

/** A list of steps as far as `withSteps` looks at it. */
function list() {
  const items = ["devices", "token", "signaling", "media"].map((step) => ({
    dataset: /** @type {Record<string, string>} */ ({ step }),
    setAttribute() {},
    removeAttribute() {},
  }));
  return { items, element: /** @type {any} */ ({ querySelectorAll: () => items }) };
}

const never = new AbortController().signal;
/** @param {AbortSignal} signal @returns {Promise<never>} */
const untilAborted = (signal) => new Promise((_, reject) => signal.addEventListener("abort", () => reject(new Error("aborted"))));

test("the limit is 30 seconds", () => assert.equal(LIMIT_MS, 30_000));

for (const [step, code] of /** @type {const} */ ([["devices", "timeout"], ["token", "server_gone"], ["signaling", "server_gone"], ["media", "no_udp"]])) {
  test(`what hangs at ${step} is given up with ${code}, which has a sentence of its own`, async () => {
    const { items, element } = list();
    const hanging = withSteps(element, never, (onStep, signal) => (onStep(step), untilAborted(signal)), 30);
    await assert.rejects(hanging, { code });
    assert.equal(items.find((item) => item.dataset.step === step)?.dataset.state, "current");
    assert.notEqual(describe(code), describe("internal"));
  });
}

test("the steps before the current one are done, those after it ahead", async () => {
  const { items, element } = list();
  await withSteps(element, never, async (onStep) => onStep("signaling"));
  assert.deepEqual(items.map((item) => item.dataset.state), ["done", "done", "current", "ahead"]);
});

test("a failure of its own is told as it is, and a result is handed on", async () => {
  await assert.rejects(withSteps(list().element, never, () => Promise.reject(new Error("mine"))), /mine/);
  assert.equal(await withSteps(list().element, never, async () => 7), 7);
});

test("every code of the protocol has a sentence, and no two failures share one", async () => {
  const { readFile } = await import("node:fs/promises");
  const declarations = await readFile(new URL("../protocol.d.ts", import.meta.url), "utf8");
  const block = /export type ErrorCode =([\s\S]*?);\n/.exec(declarations)?.[1] ?? "";
  const codes = [...block.matchAll(/"([a-z_]+)"/g)].map((found) => found[1] ?? "");
  assert.ok(codes.length > 15, `${codes}`);
  // These are the client module's own mistakes, or no failure at all: to people they are "something went wrong".
  const inner = ["malformed_message", "unknown_type", "message_too_large", "not_joined", "already_joined", "not_admitted", "invalid_request", "left", "internal"];
  for (const code of codes) {
    if (!inner.includes(code)) assert.notEqual(describe(code), describe("internal"), code);
  }
  const own = ["permission_denied", "no_device", "device_busy", "token_needed", "token_invalid", "token_expired", "wrong_room", "room_full", "no_udp", "server_gone", "taken_over", "not_permitted", "disconnected", "removed", "banned", "denied", "room_locked", "session_ended", "unavailable"];
  assert.equal(new Set(own.map((code) => describe(code).sentence)).size, own.length);
});
