// Who was in a past session, from when to when, as a table to read and a file to keep.

/** @import { Api, Session } from "./api.js" */

import { clock, duration, moment } from "./time.js";

/**
 * Show the attendance of a session in a dialog.
 * @param {Api} api
 * @param {string} roomId
 * @param {Session} session
 */
export async function showAttendance(api, roomId, session) {
  const attendance = await api.attendance(roomId, session.id);
  const dialog = document.createElement("dialog");
  dialog.className = "attendance";
  dialog.dataset.testid = "attendance-dialog";
  const title = document.createElement("h2");
  title.textContent = `Attendance, ${moment(session.live_at ?? session.created_at)}`;
  dialog.setAttribute("aria-label", title.textContent);
  const table = document.createElement("table");
  const head = table.createTHead().insertRow();
  for (const word of ["Who", "Role", "From", "To", "Time"]) {
    head.append(Object.assign(document.createElement("th"), { scope: "col", textContent: word }));
  }
  const body = table.createTBody();
  for (const { name, identity, role, joined_at, left_at } of attendance) {
    const row = body.insertRow();
    row.dataset.testid = "attendance-row";
    row.dataset.identity = identity;
    const until = left_at ?? Date.now();
    for (const text of [name || identity, role, clock(joined_at), left_at ? clock(left_at) : "still there", duration(until - joined_at)]) {
      row.insertCell().textContent = text;
    }
  }
  const people = new Set(attendance.map(({ identity }) => identity)).size;
  const summary = document.createElement("p");
  summary.className = "muted";
  summary.textContent = people === 1 ? "One person was there." : `${people} people were there.`;
  const scroll = Object.assign(document.createElement("div"), { className: "scroll" });
  scroll.append(table);
  const actions = Object.assign(document.createElement("div"), { className: "actions" });
  const save = Object.assign(document.createElement("button"), { type: "button", textContent: "Save as CSV" });
  save.dataset.testid = "attendance-csv";
  save.addEventListener("click", async () => {
    const file = await api.attendanceCsv(roomId, session.id);
    const link = Object.assign(document.createElement("a"), { href: URL.createObjectURL(file), download: `attendance-${session.id}.csv` });
    link.click();
    setTimeout(() => URL.revokeObjectURL(link.href), 10_000);
  });
  const close = Object.assign(document.createElement("button"), { type: "button", className: "primary", textContent: "Close" });
  close.addEventListener("click", () => dialog.close());
  actions.append(save, close);
  dialog.append(title, summary, scroll, actions);
  dialog.addEventListener("close", () => dialog.remove());
  document.body.append(dialog);
  dialog.showModal();
}
