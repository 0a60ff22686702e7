// For the chosen instrument: each strategy's newest decision, and why it fired or did not.

import { at, bar, clear, dress, follow, h, nothing, something, write } from "../dom.js";
import { clock, number, reason, side } from "../format.js";
import { hear, known } from "../state.js";
import { factors } from "./factors.js";

function card(strategy) {
  const direction = h("span", { class: "chip" });
  const tier = h("span", { class: "chip tier" });
  const total = h("b");
  const meter = bar(`Score of ${strategy}`);
  const verdict = h("p", { class: "verdict" });
  const parts = factors(`Factors of ${strategy}`);
  const element = h("article", { class: "card", "data-strategy": strategy },
    h("header", null, h("h3", null, strategy), direction, tier),
    h("div", { class: "total" }, total, h("span", { class: "muted" }, "/ 100"), meter.element),
    verdict, parts.element);
  return {
    element,
    update([, signal]) {
      const { text, tone } = side(signal.direction);
      write(direction, text);
      dress(direction, `chip ${tone}`);
      write(tier, signal.tier ?? "below tiers");
      dress(tier, `chip ${signal.tier ? "tier" : ""}`);
      write(total, number(signal.score, 1));
      meter.show(signal.score, 100, "", `${number(signal.score, 1)} of 100`);
      const words = reason(signal);
      if (verdict.dataset.told !== `${signal.fired}${words}`) {
        verdict.dataset.told = `${signal.fired}${words}`;
        verdict.replaceChildren(h("b", { class: signal.fired ? "ok" : "" }, signal.fired ? "Fired. " : "Did not fire. "), `${words}.`);
      }
      parts.show(signal);
    },
  };
}

/** Draws at each `signals` message of the chosen instrument. */
export function mount() {
  const cards = at("score-cards");
  const when = at("scores-at");
  const draw = () => {
    const mine = Object.entries(known.signals[known.symbol] ?? {});
    write(when, mine.length ? `${known.symbol} · decided ${clock(Math.max(...mine.map(([, each]) => each.time_ms)))} UTC · every 15 s` : "");
    if (mine.length === 0) return nothing(cards, known.symbol ? `No decision about ${known.symbol} yet; the first comes with the next 15 seconds.` : "No decision yet.");
    something(cards);
    follow(cards, mine, ([name]) => name, ([name]) => card(name));
  };
  hear("latest", (all) => {
    known.signals = all;
    draw();
  });
  hear("signals", (signal) => {
    (known.signals[signal.coin] ??= {})[signal.strategy] = signal;
    if (signal.coin === known.symbol) draw();
  });
  hear("symbol", () => {
    clear(cards);
    draw();
  });
}
