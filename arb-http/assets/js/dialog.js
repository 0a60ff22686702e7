// Questions before something is done. The dialog says what will happen; nothing happens before the
// answer, and a failure is shown where the question was.

import { at, h, write } from "./dom.js";

/**
 * Asks, then runs `act(FormData)`; true once that succeeded.
 * `what`: {title, text, facts: [..], fields: [element], action, grave}.
 */
export function confirmed(what, act) {
  const dialog = at("dialog");
  if (dialog.open) return Promise.resolve(false);
  const complaint = h("p", { class: "complaint", role: "alert" });
  const go = h("button", { type: "submit", class: `primary ${what.grave ? "grave" : ""}` }, what.action);
  const back = h("button", { type: "button" }, "Cancel");
  const form = h("form", { novalidate: true },
    h("h2", { id: "dialog-title" }, what.title),
    h("p", null, what.text),
    what.facts?.length ? h("ul", null, what.facts.map((fact) => h("li", null, fact))) : null,
    what.fields ?? [],
    complaint,
    h("div", { class: "row" }, back, go));
  dialog.replaceChildren(form);
  dialog.showModal();
  const field = form.querySelector("textarea, select, input:not([type=checkbox])");
  (field ?? back).focus();
  return new Promise((done) => {
    let result = false;
    back.addEventListener("click", () => dialog.close());
    dialog.addEventListener("close", () => done(result), { once: true });
    form.addEventListener("submit", async (event) => {
      event.preventDefault();
      const flaw = [...form.elements].find((each) => !each.checkValidity());
      if (flaw) {
        write(complaint, flaw.dataset.wanted ?? flaw.validationMessage);
        flaw.setAttribute("aria-invalid", "true");
        flaw.focus();
        return;
      }
      go.disabled = true;
      try {
        await act(new FormData(form));
        result = true;
        dialog.close();
      } catch (error) {
        write(complaint, error.message);
        go.disabled = false;
      }
    });
  });
}
