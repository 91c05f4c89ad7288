// One question before something that cannot be taken back. It does nothing itself.

/**
 * Ask; `true` if the answer is yes. Escape, and a click beside the question, are a no.
 * @param {{ title: string, text: string, action: string }} question `action` is what the button says
 * @returns {Promise<boolean>}
 */
export function confirm({ title, text, action }) {
  const dialog = document.createElement("dialog");
  dialog.className = "confirm";
  dialog.dataset.testid = "confirm";
  dialog.setAttribute("aria-label", title);
  const heading = Object.assign(document.createElement("h2"), { textContent: title });
  const sentence = Object.assign(document.createElement("p"), { textContent: text });
  const actions = Object.assign(document.createElement("div"), { className: "actions" });
  const yes = Object.assign(document.createElement("button"), { type: "button", className: "danger", textContent: action });
  const no = Object.assign(document.createElement("button"), { type: "button", textContent: "Cancel", autofocus: true });
  yes.dataset.testid = "confirm-yes";
  no.dataset.testid = "confirm-no";
  actions.append(no, yes);
  dialog.append(heading, sentence, actions);
  document.body.append(dialog);
  return new Promise((resolve) => {
    yes.addEventListener("click", () => dialog.close("yes"));
    no.addEventListener("click", () => dialog.close());
    dialog.addEventListener("click", (event) => {
      if (event.target === dialog) dialog.close();
    });
    dialog.addEventListener("close", () => {
      dialog.remove();
      resolve(dialog.returnValue === "yes");
    });
    dialog.showModal();
  });
}
