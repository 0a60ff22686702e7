// A decision taken apart: every factor with its points, what it looked at, and what it found.

import { bar, dress, follow, h, write } from "../dom.js";
import { number, percent, price, short, words } from "../format.js";

const NAMES = { accel_bonus: "acceleration", funding_rate: "funding" };
const PRICES = new Set(["last_price", "vwap_30m"]);
const SHARES = new Set(["open_interest_change_15m", "rise", "funding_rate_8h", "max_excess_30d", "coinbase_premium", "next_rate", "later_rate", "basis"]);

const input = (name, value) => (value === null ? "absent" : PRICES.has(name) ? price(value) : SHARES.has(name) ? percent(value, Math.abs(value) < 0.001 ? 4 : 2) : short(value));

// Points are out of a weight; a carry's parts are shares of the capital and have none.
const weighed = ({ max }) => max >= 1;
const off = ({ max }) => max === 0;

function line(name) {
  const label = words(NAMES[name] ?? name);
  const meter = bar(`${label}, points`);
  const points = h("span", { class: "points" });
  const why = h("p", { class: "why" });
  const element = h("li", null, h("span", { class: "name" }, label), meter.element, points, why);
  return {
    element,
    update([, factor]) {
      const { score, max } = factor;
      if (off(factor)) {
        meter.show(0, 1, "", "has no weight");
        points.replaceChildren(h("span", { class: "muted" }, "no weight"));
      } else if (weighed(factor)) {
        meter.show(score, max, "", `${number(score, 1)} of ${number(max)}`);
        points.replaceChildren(h("b", null, number(score, 1)), h("span", { class: "muted" }, ` / ${number(max)}`));
      } else {
        meter.show(Math.abs(score), 0.3, score < 0 ? "loss" : "gain", percent(score));
        points.replaceChildren(h("b", null, percent(score)));
      }
      dress(element, score === 0 ? "none" : "");
      const inputs = Object.entries(factor.inputs ?? {}).flatMap(([key, value], index) => [index ? ", " : "", `${words(key)} `, h("code", null, input(key, value))]);
      why.replaceChildren(...(factor.note ? [`${factor.note}${inputs.length ? " · " : ""}`] : []), ...inputs);
    },
  };
}

/** A list of factors that follows a signal. */
export function factors(label) {
  const element = h("ul", { class: "factors", "aria-label": label });
  return { element, show: (signal) => follow(element, Object.entries(signal.factors ?? {}), ([name]) => name, ([name]) => line(name)) };
}
