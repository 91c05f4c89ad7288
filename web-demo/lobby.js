// The rooms that are live, as the front page lists them: told by the server as it changes, while it is shown.

/** @import { LiveRoom } from "./protocol.d.ts" */

import { clock } from "./time.js";

/**
 * @param {object} parts
 * @param {HTMLElement} parts.list
 * @param {HTMLElement} parts.empty shown when there is none
 * @param {(room: string) => void} parts.onChoose
 * @returns {{ show: () => void, hide: () => void }}
 */
export function lobby({ list, empty, onChoose }) {
  /** @type {EventSource | null} */
  let source = null;
  /** @type {Map<string, LiveRoom>} */
  let rooms = new Map();
  let shown = "";

  const render = () => {
    const items = [...rooms.values()].sort((a, b) => a.started_at - b.started_at).map(({ name, participants, live, started_at }) => ({
      name,
      detail: [
        people(participants),
        live.map((one) => one.name).slice(0, 3).join(", ") + (live.length > 3 ? "…" : ""),
        `since ${clock(started_at)}`,
      ].filter(Boolean).join(" · "),
    }));
    // Only what changed is drawn anew: a list that flickers loses the focus in it.
    if (JSON.stringify(items) === shown) return;
    shown = JSON.stringify(items);
    list.replaceChildren(...items.map(({ name, detail }) => item(name, detail, onChoose)));
    empty.hidden = items.length > 0;
  };

  /**
   * @param {string} kind
   * @param {(data: any) => void} take
   */
  const hear = (kind, take) =>
    source?.addEventListener(kind, (event) => {
      take(JSON.parse(/** @type {MessageEvent} */ (event).data));
      render();
    });

  const hide = () => {
    source?.close();
    source = null;
  };

  return {
    show() {
      if (source) return;
      // It comes back by itself after a loss, and is then told what it missed.
      source = new EventSource("/api/live");
      hear("snapshot", (data) => {
        rooms = new Map(/** @type {LiveRoom[]} */ (data.rooms).map((room) => [room.name, room]));
      });
      hear("room_live", (room) => rooms.set(room.name, room));
      hear("room_over", ({ name }) => rooms.delete(name));
    },
    hide,
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
