// What a moderator can do to one participant, as a small menu on the tile. It asks before what cannot be
// taken back; whether it is allowed is the server's to say.

/** @import { Participant } from "./protocol.d.ts" */
/** @import { Room } from "./plenum.js" */

import { confirm } from "./confirm.js";

/**
 * @typedef {object} Action
 * @property {string} name for tests and scripts
 * @property {string} label
 * @property {() => Promise<unknown>} act
 * @property {{ title: string, text: string, action: string }} [question]
 */

/**
 * What can be done to this participant by whoever looks, as they are now.
 * @param {Room} room
 * @param {Participant} participant
 * @returns {Action[]}
 */
export function actions(room, participant) {
  if (!room.self?.moderator) return [];
  const { id, name } = participant;
  const sound = participant.tracks.find((track) => track.source === "microphone");
  /** @type {Action[]} */
  const found = [];
  if (sound?.muted) found.push({ name: "ask-to-unmute", label: "Ask to unmute", act: () => room.moderator.askToUnmute(id) });
  if (participant.hand_raised) found.push({ name: "lower-hand", label: "Lower the hand", act: () => room.moderator.lowerHand(id) });
  if (room.self.host && !participant.host) {
    found.push({
      name: "hand-over",
      label: "Make host",
      act: () => room.moderator.handOver(id),
      question: { title: `Make ${name} the host?`, text: `${name} leads the session from then on. The room's owner can take it back.`, action: "Make host" },
    });
  }
  if (!participant.host) {
    found.push({
      name: "remove",
      label: "Remove",
      act: () => room.moderator.remove(id),
      question: { title: `Remove ${name}?`, text: `${name} is put out of the room, and may come back.`, action: "Remove" },
    });
    found.push({
      name: "ban",
      label: "Ban",
      act: () => room.moderator.remove(id, { ban: true }),
      question: { title: `Ban ${name}?`, text: `${name} is put out of the room, and may not come back until the owner lifts the ban.`, action: "Ban" },
    });
  }
  return found;
}

/**
 * Show the menu at a button; one menu at a time.
 * @param {HTMLElement} anchor
 * @param {Action[]} actions
 * @param {(error: unknown) => void} onProblem
 */
export function openMenu(anchor, actions, onProblem) {
  const menu = document.createElement("div");
  menu.className = "menu";
  menu.setAttribute("role", "menu");
  menu.popover = "auto";
  for (const { name, label, act, question } of actions) {
    const item = Object.assign(document.createElement("button"), { type: "button", textContent: label });
    item.setAttribute("role", "menuitem");
    item.dataset.testid = name;
    item.addEventListener("click", async () => {
      menu.hidePopover();
      try {
        if (!question || (await confirm(question))) await act();
      } catch (error) {
        onProblem(error);
      }
    });
    menu.append(item);
  }
  menu.addEventListener("toggle", (event) => {
    if (/** @type {ToggleEvent} */ (event).newState === "closed") menu.remove();
  });
  document.body.append(menu);
  const { right, bottom } = anchor.getBoundingClientRect();
  menu.style.setProperty("--right", `${Math.max(8, innerWidth - right)}px`);
  menu.style.setProperty("--top", `${Math.min(bottom + 6, innerHeight - 220)}px`);
  menu.showPopover();
  menu.querySelector("button")?.focus();
}
