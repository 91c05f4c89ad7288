// What the host and the moderators of a room can do to its session: go live, open the lobby, end it for all,
// lock the room, let people in who wait. It shows what the room says; the server decides.

/** @import { Room } from "./plenum.js" */
/** @import { RoomInfo, WaitingParticipant } from "./protocol.d.ts" */

import { confirm } from "./confirm.js";
import { clock } from "./time.js";

/**
 * @param {object} parts
 * @param {HTMLElement} parts.bar
 * @param {HTMLElement} parts.badge the room's state, for everybody
 * @param {(error: unknown) => void} parts.onProblem
 * @returns {{ update: (room: Room) => void }}
 */
export function hostBar({ bar, badge, onProblem }) {
  /** @type {Room | null} */
  let room = null;
  const button = (/** @type {string} */ name) => /** @type {HTMLButtonElement} */ (bar.querySelector(`[data-testid="${name}"]`));
  const [lobby, live, end, lock, all] = ["open-lobby", "go-live", "end-session", "lock", "admit-all"].map(button);
  const list = /** @type {HTMLElement} */ (bar.querySelector("ul"));
  let shown = "";

  /** @param {HTMLButtonElement | undefined} element @param {(room: Room) => Promise<unknown> | undefined} act */
  const on = (element, act) =>
    element?.addEventListener("click", async () => {
      if (!room || element.disabled) return;
      element.disabled = true;
      try {
        await act(room);
      } catch (error) {
        onProblem(error);
      } finally {
        element.disabled = false;
      }
    });
  on(live, (room) => room.moderator.goLive());
  on(lobby, (room) => room.moderator.openLobby());
  on(lock, (room) => room.moderator.setLocked(!room.info?.settings.locked));
  on(all, (room) => room.moderator.admit(room.waiting.map(({ id }) => id)));
  on(end, async (room) => {
    const isSure = await confirm({
      title: "End for all?",
      text: "Everybody leaves the room, and the attendance is closed. You can go live again at any time.",
      action: "End for all",
    });
    if (isSure) await room.moderator.endSession();
  });

  /** @param {WaitingParticipant} waiting */
  const item = ({ id, name, role, since }) => {
    const element = document.createElement("li");
    element.dataset.testid = "waiting-participant";
    element.dataset.name = name;
    const who = Object.assign(document.createElement("span"), { textContent: name });
    const detail = Object.assign(document.createElement("small"), { textContent: [role, `since ${clock(since)}`].filter(Boolean).join(" · ") });
    who.append(detail);
    const admit = Object.assign(document.createElement("button"), { type: "button", className: "primary", textContent: "Admit" });
    const deny = Object.assign(document.createElement("button"), { type: "button", textContent: "Deny" });
    admit.dataset.testid = "admit";
    deny.dataset.testid = "deny";
    on(admit, (room) => room.moderator.admit([id]));
    on(deny, (room) => room.moderator.deny([id]));
    element.append(who, admit, deny);
    return element;
  };

  return {
    update(current) {
      room = current;
      const { info, self, waiting } = current;
      if (!info) return;
      badge.textContent = describe(info);
      badge.dataset.state = info.state;
      // A room that is nobody's runs by itself: there is nothing to start.
      badge.hidden = !info.host;
      const isModerator = self?.moderator ?? false;
      const isOwned = Boolean(info.host);
      bar.hidden = !isModerator || (!isOwned && waiting.length === 0 && !info.settings.locked);
      bar.dataset.state = info.state;
      const isRunning = info.state === "live" || info.state === "lobby";
      if (live) live.hidden = !isOwned || info.state === "live";
      if (lobby) lobby.hidden = !isOwned || isRunning;
      if (end) end.hidden = !isOwned || !isRunning;
      if (lock) {
        lock.textContent = info.settings.locked ? "Unlock the room" : "Lock the room";
        lock.setAttribute("aria-pressed", String(info.settings.locked));
      }
      if (all) all.hidden = waiting.length < 2;
      const now = JSON.stringify(waiting);
      if (now === shown) return;
      shown = now;
      list.replaceChildren(...waiting.map(item));
    },
  };
}

/** @param {RoomInfo} info */
export function describe({ state, session, host }) {
  const away = host && !host.present ? " · host away" : "";
  switch (state) {
    case "live":
      return `Live${session?.live_at ? ` since ${clock(session.live_at)}` : ""}${away}`;
    case "lobby":
      return `Lobby open${away}`;
    case "scheduled":
      return session?.scheduled_for ? `Scheduled for ${new Date(session.scheduled_for).toLocaleString([], { dateStyle: "medium", timeStyle: "short" })}` : "Scheduled";
    case "idle":
      return "Not live";
  }
}
