// Which panel stands in which column, by width: the document's order is the order one sees.

import { at, h } from "./dom.js";

const NAMES = { rates: "Rates", market: "Chart", scores: "Scores", role: "Account", positions: "Positions", risk: "Risk", equity: "Equity", signals: "Signals", trades: "Trades", opportunities: "Carry", settings: "Settings", health: "Health" };
const PUBLIC = [["rates"], ["welcome"]];
const WIDE = [["rates", "opportunities", "equity", "health"], ["market", "scores"], ["positions", "risk", "settings"], ["signals"], ["trades"]];
const WIDE_VIEWER = [["rates", "opportunities"], ["market", "scores"], ["role", "health"], ["signals"]];
const MIDDLE = [["market", "scores", "signals", "trades", "opportunities"], ["rates", "role", "positions", "risk", "equity", "settings", "health"]];
const NARROW = [Object.keys(NAMES)];
const COLUMNS = 5;

const LEVELS = ["user", "trader", "admin"];

const wide = matchMedia("(min-width: 1240px)");
const narrow = matchMedia("(max-width: 760px)");
const panels = new Map();
let view = "public";
let allowed = () => false;

function shows(name) {
  const wanted = panels.get(name).dataset.for;
  if (wanted === "viewer") return !allowed("user");
  return view === "public" || !LEVELS.includes(wanted) || allowed(wanted);
}

function place() {
  const plan = view === "public" ? PUBLIC : narrow.matches ? NARROW : wide.matches ? (allowed("user") ? WIDE : WIDE_VIEWER) : MIDDLE;
  const focused = document.activeElement;
  for (let index = 0; index < COLUMNS; index += 1) {
    at(`column-${index + 1}`).replaceChildren(...(plan[index] ?? []).filter(shows).map((name) => panels.get(name)));
  }
  if (focused?.isConnected && focused !== document.activeElement) focused.focus({ preventScroll: true });
  dispatchEvent(new Event("resize"));
}

/** Takes the panels out of their template, once. */
export function build() {
  for (const panel of [...at("panels").content.children]) panels.set(panel.id, panel);
  // Everything is looked up by id before it is shown.
  at("column-1").replaceChildren(...panels.values());
  at("jump").append(...Object.entries(NAMES).map(([id, name]) => h("a", { href: `#${id}` }, name)));
  for (const query of [wide, narrow]) query.addEventListener("change", place);
}

/** Shows what a visitor or a user with a role sees. */
export function show(next, may) {
  view = next;
  allowed = may;
  document.body.dataset.view = next;
  place();
  for (const element of document.querySelectorAll("[data-for]")) {
    const wanted = element.dataset.for;
    if (element.matches(".panel")) continue;
    element.hidden = wanted === "public" ? next !== "public" : wanted === "member" ? next === "public" : wanted !== "all" && !may(wanted);
  }
  for (const link of at("jump").children) link.hidden = next === "member" && !shows(link.hash.slice(1));
}
