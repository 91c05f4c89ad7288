// The rooms that are live, as the front page lists them. It asks only while it is shown.

import { liveRooms } from "./backend.js";

const EVERY_MS = 3_000;

/**
 * @param {object} parts
 * @param {HTMLElement} parts.list
 * @param {HTMLElement} parts.empty shown when there is none
 * @param {(room: string) => void} parts.onChoose
 * @returns {{ show: () => void, hide: () => void }}
 */
export function lobby({ list, empty, onChoose }) {
  /** @type {ReturnType<typeof setInterval> | undefined} */
  let timer;
  let shown = "";

  const refresh = async () => {
    if (document.hidden) return;
    // A server that is away says so when one joins; a list is not worth an alarm.
    const rooms = await liveRooms().catch(() => []);
    const items = rooms.map(({ name, participants, live, started_at }) => ({
      name,
      detail: `${people(participants)} · ${live.map((one) => one.name).slice(0, 3).join(", ")}${live.length > 3 ? "…" : ""} · since ${clock(started_at)}`,
    }));
    // Only what changed is drawn anew: a list that flickers loses the focus in it.
    if (JSON.stringify(items) === shown) return;
    shown = JSON.stringify(items);
    list.replaceChildren(...items.map(({ name, detail }) => item(name, detail, onChoose)));
    empty.hidden = items.length > 0;
  };

  return {
    show() {
      clearInterval(timer);
      timer = setInterval(() => void refresh(), EVERY_MS);
      void refresh();
    },
    hide() {
      clearInterval(timer);
    },
  };
}

/**
 * @param {string} name
 * @param {string} detail
 * @param {(room: string) => void} onChoose
 */
function item(name, detail, onChoose) {
  const element = document.createElement("li");
  element.dataset.testid = "live-room";
  element.dataset.room = name;
  const button = document.createElement("button");
  button.type = "button";
  const title = document.createElement("strong");
  title.textContent = name;
  const line = document.createElement("span");
  line.textContent = detail;
  button.append(title, line);
  button.addEventListener("click", () => onChoose(name));
  element.append(button);
  return element;
}

/** @param {number} count */
export function people(count) {
  return count === 1 ? "1 person" : `${count} people`;
}

/** @param {number} milliseconds since 1970 */
function clock(milliseconds) {
  return new Date(milliseconds).toLocaleTimeString([], { hour: "2-digit", minute: "2-digit" });
}
