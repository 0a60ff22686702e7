// The risk state, and every rule with its distance to its limit: the worst first, what cannot be
// measured told by name.

import { at, bar, dress, follow, h, write } from "../dom.js";
import { capital, coin, number, percent, short, words } from "../format.js";
import { hear, known } from "../state.js";

const STATES = { active: ["Active", "ok"], reduce_only: ["Reduce only", "warn"], halted: ["Halted", "bad"] };
const NAMES = { volume24h: "24 h volume", volume_24h: "24 h volume", open_risk: "open risk, all stops hit", net_directional: "net exposure", gross_notional: "gross exposure", instrument_notional: "exposure in one", peg: "USDT off its peg", unfilled_gap: "order flow gap", log: "event log", unprotected: "time without stop", costs: "costs of the day", carry_daily_loss: "carry loss of the day", available_balance: "free margin", listing: "age of the listing" };
const SHARES = new Set(["drawdown", "margin_ratio", "available_balance", "peg", "liquidation_distance", "price_collar"]);
const UNITS = { spread: " bps", stale_mark: " s", unprotected: " s", settlement: " s", clock: " ms", stale_connection: " ms", listing: " d", delivery: " h", order_rate: " per min", cancel_rate: " per min" };
const LEAST = new Set(["available_balance", "liquidation_distance", "listing", "delivery", "volume24h", "volume_24h"]);
const ABSENT = { log: ["durable", "not durable"], unfilled_gap: ["none", "unfilled"] };

const name = (rule) => capital(NAMES[rule] ?? words(rule));
const amount = (rule, value) => (SHARES.has(rule) ? percent(value, value !== 0 && Math.abs(value) < 0.1 ? 1 : 0) : `${Number.isInteger(value) && Math.abs(value) < 10_000 ? number(value) : short(value)}`);
const key = (each) => `${each.rule} ${each.of ?? ""}`;
const look = (used) => (used >= 1 ? "bad" : used >= 0.75 ? "warn" : "ok");

function value({ rule, actual, limit }) {
  const words = ABSENT[rule];
  if (words) return words[actual > 0 ? 1 : 0];
  return `${amount(rule, actual)} ${LEAST.has(rule) ? "≥" : "/"} ${amount(rule, limit)}${UNITS[rule] ?? ""}`;
}

function row(reading) {
  const label = `${name(reading.rule)}${reading.of ? `, ${reading.of}` : ""}`;
  const meter = bar(label);
  const text = h("span", { class: "value" });
  const element = h("li", null, h("span", { class: "name", title: label }, name(reading.rule), reading.of ? h("span", { class: "muted" }, ` ${coin(reading.of)}`) : null), text, meter.element);
  return {
    element,
    update(now) {
      write(text, value(now));
      meter.show(now.used, 1, look(now.used), `${value(now)}, ${percent(Math.min(now.used, 9.99), 0)} of the limit used`);
      // At its least is at its limit: only beyond it is a rule broken.
      dress(element, now.used > 1 ? "over" : "");
    },
  };
}

/** Draws at each `risk` message. */
export function mount() {
  const rules = at("rules");
  const rest = at("unmeasured");
  const [title, list] = [rest.querySelector("summary"), rest.querySelector("ul")];
  const worst = at("risk-worst");
  hear("risk", (status) => {
    const [text, tone] = STATES[status.state] ?? [status.state, ""];
    const paused = status.paused && status.state !== "halted";
    write(at("risk-state"), paused ? "Paused" : text);
    dress(at("risk-pill"), `pill ${paused ? "warn" : tone}`);
    const measured = status.rules.filter((each) => each.used !== null).sort((a, b) => b.used - a.used || key(a).localeCompare(key(b)));
    const unmeasured = status.rules.filter((each) => each.used === null);
    follow(rules, measured, key, row);
    const near = measured[0];
    write(worst, near ? `nearest: ${words(NAMES[near.rule] ?? near.rule)} ${percent(Math.min(near.used, 9.99), 0)}` : "");
    write(title, `${unmeasured.length} not measured`);
    rest.hidden = unmeasured.length === 0;
    follow(list, unmeasured, key, (each) => ({ element: h("li", null, h("span", null, name(each.rule)), h("span", null, each.missing ?? "no measurement")) }));
  });
  // The same state in words for those who do not see the pill change.
  let told = null;
  hear("risk", ({ state, paused }) => {
    const now = `${state}${paused}`;
    if (told !== null && told !== now) write(at("spoken"), `Risk state: ${words(state)}${paused ? ", entries paused" : ""}.`);
    told = now;
  });
  hear("user", () => (told = known.user ? told : null));
}
