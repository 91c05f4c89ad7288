// Connecting, as the user sees it: four steps, and an end after 30 seconds. How it is done is not known here.

/** @import { Step } from "./plenum.js" */

import { PlenumError } from "./failures.js";

export const LIMIT_MS = 30_000;

/** What it means to be still at a step when the time is over. @type {Record<Step, string>} */
const LATE = { devices: "timeout", token: "server_gone", signaling: "server_gone", media: "no_udp" };

/** @type {Step[]} */
const STEPS = ["devices", "token", "signaling", "media"];

/**
 * Show the steps of `start` as it goes through them; after the limit it is aborted.
 * @template Result
 * @param {HTMLElement} list its items carry `data-step`
 * @param {AbortSignal} cancelled the user's change of mind
 * @param {(onStep: (step: Step) => void, signal: AbortSignal, onWaiting: () => void) => Promise<Result>} start
 *   `onWaiting`: one waits for people now, who may take their time, until the next step
 * @param {number} [limit] milliseconds
 * @returns {Promise<Result>}
 */
export async function withSteps(list, cancelled, start, limit = LIMIT_MS) {
  /** @type {Step} */
  let current = "devices";
  const late = new AbortController();
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  let timer = setTimeout(() => late.abort(), limit);
  const onStep = (/** @type {Step} */ step) => {
    current = step;
    timer ??= setTimeout(() => late.abort(), limit);
    show(list, step);
  };
  const onWaiting = () => {
    clearTimeout(timer);
    timer = undefined;
  };
  onStep("devices");
  try {
    return await start(onStep, AbortSignal.any([late.signal, cancelled]), onWaiting);
  } catch (error) {
    if (late.signal.aborted && !cancelled.aborted) throw new PlenumError(LATE[current], `still at ${current}`);
    throw error;
  } finally {
    clearTimeout(timer);
  }
}

/**
 * @param {HTMLElement} list
 * @param {Step} current
 */
function show(list, current) {
  for (const item of list.querySelectorAll("li")) {
    const place = STEPS.indexOf(/** @type {Step} */ (item.dataset.step)) - STEPS.indexOf(current);
    item.dataset.state = place < 0 ? "done" : place === 0 ? "current" : "ahead";
    if (place === 0) item.setAttribute("aria-current", "step");
    else item.removeAttribute("aria-current");
  }
}
