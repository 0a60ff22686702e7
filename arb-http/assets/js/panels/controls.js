// Pause, flatten, reset: each says what it will do and asks first. The server decides who may.

import { change } from "../api.js";
import { toast } from "../alerts.js";
import { confirmed } from "../dialog.js";
import { at, h, write } from "../dom.js";
import { change as signed, coin, openQty, r, short, side } from "../format.js";
import { hear, known, may, tell } from "../state.js";

const BOOKS = { all: "everything: positions and carry pairs", directional: "directional positions", carry: "carry pairs" };

async function pause() {
  const paused = known.risk?.paused;
  const title = paused ? "Resume entries?" : "Pause entries?";
  const text = paused
    ? "Signals that fire may open positions again from the next decision."
    : "No new position and no new pair is opened until somebody resumes. Open positions keep their stops and targets; signals go on being recorded.";
  await confirmed({ title, text, action: paused ? "Resume entries" : "Pause entries" }, async () => {
    await change("POST", paused ? "api/live/resume" : "api/live/pause");
    tell("refresh");
    toast(paused ? "Entries are allowed again." : "Entries are paused.", "ok");
  });
}

async function flatten() {
  const open = known.positions?.data ?? [];
  const facts = open.map((each) => `${coin(each.symbol)} ${side(each.direction).text.toLowerCase()} ${short(openQty(each))}: ${signed(each.unrealized_pnl)}, ${r(each.unrealized_r)}`);
  const book = h("select", { name: "book" }, Object.entries(BOOKS).map(([value, text]) => h("option", { value }, text)));
  const stop = h("input", { type: "checkbox", name: "pause", checked: true });
  await confirmed({
    title: "Flatten?",
    text: `Working entries are cancelled and what is open is closed at the market now, ${known.risk?.mode === "live" ? "with real money" : "on paper"}. This cannot be undone.${open.length ? " Open at this moment:" : " No directional position is open at this moment."}`,
    facts,
    fields: [h("label", null, "Close", book), known.risk?.paused ? null : h("label", { class: "check" }, stop, "Pause entries first, so that nothing is opened again")].filter(Boolean),
    action: "Flatten now",
    grave: true,
  }, async (form) => {
    if (form.get("pause")) await change("POST", "api/live/pause");
    await change("POST", "api/live/emergency-close", { book: form.get("book") });
    tell("refresh");
    toast("Flattening: positions close as their orders fill.", "ok");
  });
}

async function reset() {
  const reason = h("textarea", { name: "reason", required: true, minlength: "3", "data-wanted": "A reason is needed; it is kept in the log." });
  await confirmed({
    title: "Reset the halt?",
    text: "The engine may take risk again. Loss of the day, drawdown and streaks count anew from now on: the limits that tripped start from the present equity.",
    fields: [h("label", null, "Why it is safe to go on", reason)],
    action: "Reset",
    grave: true,
  }, async (form) => {
    await change("POST", "api/live/reset-halt", { reason: String(form.get("reason")).trim() });
    tell("refresh");
    toast("The halt is lifted.", "ok");
  });
}

/** Wires the header's buttons. */
export function mount() {
  at("pause").addEventListener("click", pause);
  at("flatten").addEventListener("click", flatten);
  at("reset").addEventListener("click", reset);
  const show = () => {
    // A pause reduces only, too; that is what resuming is for.
    const stopped = known.risk?.state === "halted" || (known.risk?.state === "reduce_only" && !known.risk.paused);
    at("reset").hidden = !(may("admin") && stopped);
    write(at("pause"), known.risk?.paused ? "Resume entries" : "Pause entries");
  };
  hear("risk", show);
  hear("user", show);
}
