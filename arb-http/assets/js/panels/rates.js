// Funding rates of the configured perpetuals, all others on demand; the only panel for visitors.

import { at, dress, follow, h, mark, spark, write } from "../dom.js";
import { bps, coin, countdown, drift, price, tone } from "../format.js";
import { hear, known, now, tell } from "../state.js";

const KEPT = 240;
const LEAST = 6;
const FIRST = 16;
const NOTHING = [];
const seen = new Map();
const rows = new Map();
let all = false;

function row(key) {
  const pick = h("button", { type: "button", class: "coin", title: key }, coin(key));
  const name = h("span", { class: "sub" });
  const markPrice = h("span");
  const basis = h("span", { class: "sub" });
  const rate = h("span");
  const yearly = h("span", { class: "sub" });
  const line = h("td", { class: "spark" });
  const told = h("span", { class: "hidden" });
  const element = h("tr", null,
    h("th", { scope: "row" }, pick, name),
    h("td", { class: "num" }, markPrice, basis),
    h("td", { class: "num" }, rate, yearly),
    line);
  pick.addEventListener("click", () => known.user && tell("symbol", key));
  let drawn = null;
  let before = 0;
  return {
    element,
    update([, value]) {
      const hasFlow = key !== value.symbol;
      mark(element, "aria-current", known.user && key === known.symbol ? "true" : null);
      pick.disabled = !(known.user && hasFlow);
      if (write(markPrice, price(value.mark_price)) && before) flash(markPrice, value.mark_price - before);
      before = value.mark_price;
      write(basis, value.basis_bps === null ? "no index" : `${bps(value.basis_bps)} bps`);
      write(rate, drift(value.funding_rate, 4));
      dress(rate, tone(value.funding_rate));
      write(yearly, value.annualized === null ? "" : `${drift(value.annualized)} p.a.`);
      this.tick(value);
      const points = history(key);
      const missing = points.length ? null : absent(hasFlow);
      if (points === drawn && line.getAttribute("title") === missing) return;
      drawn = points;
      mark(line, "title", missing);
      write(told, missing ?? `from ${drift(Math.min(...points), 4)} to ${drift(Math.max(...points), 4)}`);
      line.replaceChildren(missing ? h("span", { class: "muted", "aria-hidden": "true" }, "–") : spark(points), told);
    },
    tick(value) {
      const left = (value.next_funding_time ?? NaN) - now();
      write(name, value.next_funding_time ? `${countdown(left)} / ${value.funding_interval_hours ?? "?"} h` : value.symbol);
      dress(name, `sub ${left < 300_000 ? "late" : ""}`);
    },
  };
}

function flash(element, by) {
  element.classList.remove("up", "down");
  // Reading the width restarts the animation.
  void element.offsetWidth;
  element.classList.add(by > 0 ? "up" : "down");
}

const absent = (hasFlow) => (!known.user ? "Log in to see the trend" : hasFlow ? "No history yet" : "No history of this perpetual here");

// Rates of the last day or week where the user may read them, else what came since the start.
function history(key) {
  const enough = (points) => points?.length >= LEAST;
  return [known.history[key], seen.get(key)].find(enough) ?? NOTHING;
}

function remember() {
  for (const [key, value] of Object.entries(known.rates)) {
    if (value.funding_rate === null) continue;
    const points = seen.get(key) ?? [];
    if (points.at(-1) !== value.funding_rate || points.length < 2) seen.set(key, [...points, value.funding_rate].slice(-KEPT));
  }
}

/** Draws at each `rates` message and counts down each second. */
export function mount() {
  const body = at("rates-rows");
  const filter = at("rates-filter");
  const more = at("rates-more");
  const draw = () => {
    const entries = Object.entries(known.rates);
    const chosen = entries.filter(([key, value]) => key !== value.symbol);
    const rest = entries.filter(([key, value]) => key === value.symbol).sort((a, b) => Math.abs(b[1].annualized ?? 0) - Math.abs(a[1].annualized ?? 0));
    const wanted = filter.value.trim().toUpperCase();
    const shown = wanted ? [...chosen, ...rest].filter(([key, value]) => key.includes(wanted) || value.symbol.includes(wanted)) : [...chosen, ...(all ? rest : rest.slice(0, chosen.length === 0 || !known.user ? FIRST : 0))];
    filter.hidden = entries.length < 12;
    more.hidden = wanted !== "" || (!all && shown.length === entries.length) || rest.length === 0;
    write(more, all ? "Fewer" : `All ${entries.length} perpetuals`);
    mark(more, "aria-expanded", all);
    follow(body, shown, ([key]) => key, ([key]) => {
      const made = row(key);
      rows.set(key, made);
      return made;
    });
  };
  hear("rates", (rates) => {
    Object.assign(known.rates, rates);
    remember();
    draw();
  });
  hear("history", draw);
  hear("symbol", draw);
  hear("user", draw);
  hear("second", () => rows.forEach((each, key) => each.element.isConnected && known.rates[key] && each.tick(known.rates[key])));
  filter.addEventListener("input", draw);
  more.addEventListener("click", () => {
    all = !all;
    draw();
  });
}
