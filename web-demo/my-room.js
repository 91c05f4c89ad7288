// One's own permanent room, on the front page: whether it is live, going live and ending, planned sessions,
// and who was there in past ones. It shows what the server answers and keeps nothing itself.

/** @import { Api, RoomDetails, Session } from "./api.js" */

import { showAttendance } from "./attendance.js";
import { confirm } from "./confirm.js";
import { describe } from "./host.js";
import { randomKey } from "./moderator.js";
import { duration, moment } from "./time.js";

/** Past sessions that are listed. */
const LISTED = 10;

/**
 * @param {object} parts
 * @param {HTMLElement} parts.panel
 * @param {() => Api | null} parts.api for whoever is at the page; null while they have no name
 * @param {(roomName: string) => void} parts.onEnter
 * @param {(error: unknown) => void} parts.onProblem
 * @returns {{ refresh: () => void }}
 */
export function myRoom({ panel, api, onEnter, onProblem }) {
  const part = (/** @type {string} */ name) => /** @type {HTMLElement} */ (panel.querySelector(`[data-part="${name}"]`));
  const button = (/** @type {string} */ name) => /** @type {HTMLButtonElement} */ (panel.querySelector(`[data-testid="${name}"]`));
  const lobby = /** @type {HTMLInputElement} */ (panel.querySelector("[name=lobby]"));
  const form = /** @type {HTMLFormElement} */ (panel.querySelector("form"));
  const title = /** @type {HTMLInputElement} */ (form.elements.namedItem("title"));
  const when = /** @type {HTMLInputElement} */ (form.elements.namedItem("when"));
  /** @type {RoomDetails | null} */
  let room = null;
  /** The key of the intention that is under way: a second click is the same intention. */
  let key = "";

  const load = async () => {
    const asked = api();
    if (!asked) return;
    room = await asked.myRoom();
    render(await asked.sessions(room.id));
  };

  /** @param {(api: Api, room: RoomDetails) => Promise<unknown>} act */
  const does = (act) => async () => {
    const asked = api();
    if (!asked || !room) return;
    key ||= randomKey();
    try {
      await act(asked, room);
      key = "";
      await load();
    } catch (error) {
      onProblem(error);
    }
  };

  /** @param {Session[]} sessions */
  const render = (sessions) => {
    if (!room) return;
    const { info } = room;
    part("closed").hidden = true;
    part("open").hidden = false;
    part("name").textContent = info.name;
    const badge = part("state");
    badge.textContent = describe(info);
    badge.dataset.state = info.state;
    button("my-go-live").hidden = info.state === "live";
    button("my-open-lobby").hidden = info.state === "live" || info.state === "lobby";
    button("my-end").hidden = info.state !== "live" && info.state !== "lobby";
    lobby.checked = info.settings.lobby;
    const planned = sessions.filter(({ state }) => state === "scheduled").sort((a, b) => (a.scheduled_for ?? 0) - (b.scheduled_for ?? 0));
    part("planned").replaceChildren(...planned.map(plannedItem));
    const past = sessions.filter(({ state, live_at }) => state === "ended" && live_at).sort((a, b) => (b.ended_at ?? 0) - (a.ended_at ?? 0));
    part("past").replaceChildren(...past.slice(0, LISTED).map(pastItem));
  };

  /** @param {Session} session */
  const plannedItem = (session) => {
    const cancel = Object.assign(document.createElement("button"), { type: "button", textContent: "Cancel" });
    cancel.dataset.testid = "cancel-session";
    cancel.addEventListener("click", async () => {
      const isSure = await confirm({ title: "Cancel this session?", text: `${words(session)} will not take place.`, action: "Cancel the session" });
      if (isSure) await does((api, room) => api.cancel(room.id, session.id))();
    });
    return item("planned-session", words(session), cancel);
  };

  /** @param {Session} session */
  const pastItem = (session) => {
    const table = Object.assign(document.createElement("button"), { type: "button", textContent: "Attendance" });
    table.dataset.testid = "attendance";
    table.addEventListener("click", () => {
      const asked = api();
      if (asked && room) showAttendance(asked, room.id, session).catch(onProblem);
    });
    const length = duration((session.ended_at ?? 0) - (session.live_at ?? 0));
    return item("past-session", `${moment(session.live_at ?? 0)} · ${length}`, table);
  };

  button("my-room-show").addEventListener("click", () => void load().catch(onProblem));
  button("my-go-live").addEventListener("click", does(async (api, room) => {
    await api.goLive(room.id, key);
    onEnter(room.info.name);
  }));
  button("my-open-lobby").addEventListener("click", does(async (api, room) => {
    await api.openLobby(room.id, key);
    onEnter(room.info.name);
  }));
  button("my-enter").addEventListener("click", () => room && onEnter(room.info.name));
  button("my-end").addEventListener("click", async () => {
    const isSure = await confirm({ title: "End for all?", text: "Everybody leaves the room, and the attendance is closed.", action: "End for all" });
    if (isSure) await does((api, room) => api.endSession(room.id))();
  });
  lobby.addEventListener("change", does((api, room) => api.updateRoom(room.id, { ...room.info.settings, lobby: lobby.checked })));
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    void does(async (api, room) => {
      await api.schedule(room.id, { key, title: title.value.trim(), scheduled_for: new Date(when.value).getTime() });
      form.reset();
    })();
  });

  return {
    /** Somebody may have gone live, or it may be somebody else who looks. */
    refresh() {
      if (room) void load().catch(() => {});
    },
  };
}

/** @param {Session} session */
function words({ title, scheduled_for }) {
  return [title, moment(scheduled_for ?? 0)].filter(Boolean).join(" · ");
}

/**
 * @param {string} name
 * @param {string} text
 * @param {HTMLElement} action
 */
function item(name, text, action) {
  const element = document.createElement("li");
  element.dataset.testid = name;
  element.append(Object.assign(document.createElement("span"), { textContent: text }), action);
  return element;
}
