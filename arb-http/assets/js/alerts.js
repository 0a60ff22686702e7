// What has to be noticed: a banner while the stream is lost or the engine is halted, passing
// messages for what happened. Both are live regions.

import { at, dress, h, write } from "./dom.js";
import { countdown } from "./format.js";
import { hear, known } from "./state.js";

let stream = { state: "connecting" };
let until = 0;
let retry = () => {};

/** A message that goes by itself. */
export function toast(text, tone = "") {
  const line = h("p", { class: `toast ${tone}` }, text);
  at("toasts").append(line);
  while (at("toasts").children.length > 3) at("toasts").firstChild.remove();
  setTimeout(() => line.remove(), 9_000);
}

const button = h("button", { type: "button", on: { click: () => retry() } }, "Try now");
const words = h("span");
const counter = h("span", { "aria-hidden": "true" });

function banner() {
  const lost = stream.state === "lost" && known.user;
  const state = known.user ? known.risk?.state : null;
  const text = lost ? `The live stream is lost: ${stream.why}. Figures are not current.`
    : state === "halted" ? "The engine is halted: only orders that reduce risk are sent. An admin can reset it."
    : state === "reduce_only" && !known.risk.paused ? "Reduce only: no new risk is taken until a reset." : "";
  at("banner").hidden = text === "";
  dress(at("banner"), `banner ${state === "halted" || lost ? "bad" : ""}`);
  if (words.parentNode !== at("banner")) at("banner").replaceChildren(words, counter, button);
  write(words, text);
  button.hidden = counter.hidden = !lost;
}

/** What the header says of the stream. `again` reconnects at once. */
export function start(again) {
  retry = again;
  hear("stream", (next) => {
    const before = stream.state;
    if (next.state === "connecting" && before === "lost") return;
    if (next.state === "open" && before === "lost") toast("The live stream is back; nothing was missed that the server still holds.", "ok");
    stream = next;
    until = Date.now() + (next.wait ?? 0);
    write(at("stream-state"), next.state === "open" ? "live" : next.state === "lost" ? "stream lost" : "connecting");
    dress(at("stream-pill"), `pill ${next.state === "open" ? "ok" : next.state === "lost" ? "bad" : ""}`);
    banner();
  });
  hear("risk", banner);
  hear("user", (user) => {
    if (!user) stream = { state: "connecting" };
    banner();
  });
  hear("second", () => write(counter, Date.now() < until ? `Next try in ${countdown(until - Date.now()).slice(2)}` : "Trying…"));
}
