// Open positions with what they risk: where stop, entry, targets and the price stand to each other.

import { get } from "../api.js";
import { at, dress, figure, follow, h, nothing, something, write } from "../dom.js";
import { bps, change, coin, length, money, number, openQty, price, r, short, side, tone, words } from "../format.js";
import { hear, known, now } from "../state.js";

const STATES = { active: "before TP 1", tp1_hit: "TP 1 taken" };

// From the stop on the left to the last target on the right, for longs and shorts alike.
function ladder() {
  const run = h("i", { class: "run" });
  const here = h("i", { class: "now" });
  const tick = (text) => h("i", { class: "tick" }, h("span", null, text));
  const ticks = { sl: tick("stop"), entry: tick("entry"), tp1: tick("TP 1"), tp2: tick("TP 2") };
  const element = h("div", { class: "ladder", role: "img" }, h("i", { class: "track" }), run, Object.values(ticks), here);
  return {
    element,
    show(position, last) {
      const { sl_price: sl, tp2_price: tp2, entry_price: entry, tp1_price: tp1 } = position;
      // A stop in profit leaves the entry left of it.
      const left = position.direction === "LONG" ? Math.min(sl, entry) : Math.max(sl, entry);
      const share = (value) => (tp2 === left ? 0 : Math.min(Math.max((value - left) / (tp2 - left), 0), 1));
      const near = (one, other) => Math.abs(share(one) - share(other)) < 0.14;
      const put = (tickElement, value) => tickElement.style.setProperty("left", `${(share(value) * 100).toFixed(2)}%`);
      for (const [name, value] of Object.entries({ sl, entry, tp1, tp2 })) {
        put(ticks[name], value);
        dress(ticks[name], `tick ${near(value, left) ? "start" : near(value, tp2) ? "end" : ""}`);
      }
      ticks.entry.firstChild.hidden = near(entry, sl);
      ticks.tp1.firstChild.hidden = near(tp1, sl) || near(tp1, tp2);
      here.hidden = last === null;
      if (last === null) return;
      put(here, last);
      const [from, to] = [share(entry), share(last)].sort((a, b) => a - b);
      run.style.setProperty("left", `${(from * 100).toFixed(2)}%`);
      run.style.setProperty("width", `${((to - from) * 100).toFixed(2)}%`);
      dress(run, `run ${tone(position.unrealized_pnl) || "gain"}`);
      element.setAttribute("aria-label", `Price ${price(last)} between stop ${price(sl)} and last target ${price(tp2)}`);
    },
  };
}

function row() {
  const name = h("span", { class: "coin" });
  const direction = h("span", { class: "chip" });
  const tier = h("span", { class: "chip tier" });
  const result = h("span", { class: "result" });
  const [meta, held] = [h("span"), h("span")];
  const steps = ladder();
  const list = h("dl");
  const cells = Object.fromEntries(["Entry", "Stop", "TP 1", "TP 2"].map((each) => [each, figure(list, each)]));
  return {
    element: h("li", { class: "position" }, h("header", null, name, direction, tier, result), h("p", { class: "meta" }, meta, held), steps.element, list),
    update(position) {
      const { text, tone: look } = side(position.direction);
      write(name, coin(position.symbol));
      write(direction, text);
      dress(direction, `chip ${look}`);
      write(tier, position.tier ?? "");
      tier.hidden = !position.tier;
      write(result, r(position.unrealized_r));
      dress(result, `result ${tone(position.unrealized_r)}`);
      const open = openQty(position);
      write(meta, `${short(open)}${open === position.qty ? "" : ` of ${short(position.qty)}`} ${coin(position.symbol)} · ${change(position.unrealized_pnl)}`);
      write(held, `${length(now() - position.entry_time_ms)} · ${STATES[position.status] ?? words(position.status)}`);
      const rate = Object.values(known.rates).find((each) => each.symbol === position.symbol);
      steps.show(position, rate?.mark_price ?? null);
      cells.Entry(price(position.entry_price));
      cells.Stop(price(position.sl_price), "loss");
      cells["TP 1"](price(position.tp1_price), position.status === "tp1_hit" ? "muted" : "gain");
      cells["TP 2"](price(position.tp2_price), "gain");
    },
  };
}

// Both legs of a carry pair: coins held, contracts short, what funding gave.
function pair() {
  const name = h("span", { class: "coin" });
  const status = h("span", { class: "chip" });
  const result = h("span", { class: "result" });
  const meta = h("span");
  const held = h("span");
  const list = h("dl");
  const cells = Object.fromEntries(["Short leg", "Spot leg", "Funding", "Fees"].map((each) => [each, figure(list, each)]));
  return {
    element: h("li", { class: "position pair" }, h("header", null, name, status, result), h("p", { class: "meta" }, meta, held), list),
    update(value) {
      const leg = (market) => value.legs.find((each) => each.market === market);
      const told = (each) => (each ? `${short(each.qty)} at ${price(each.entry_price)}` : "–");
      write(name, coin(value.symbol));
      write(status, value.status);
      write(result, change(value.pnl));
      dress(result, `result ${tone(value.pnl)}`);
      write(meta, `${money(value.notional)} · entry basis ${bps(value.entry_basis_bps)} bps`);
      write(held, length(now() - value.opened_at_ms));
      cells["Short leg"](told(leg("um")));
      cells["Spot leg"](told(leg("spot")));
      // Positive was paid.
      cells.Funding(change(-value.funding), tone(-value.funding));
      cells.Fees(money(value.fees));
    },
  };
}

/** Draws at each `positions` message; prices move with the rates. */
export function mount() {
  const list = at("position-list");
  const pairs = at("carry-list");
  const title = at("carry-title");
  const total = at("positions-total");
  const draw = () => {
    const open = known.positions?.data;
    if (!open) return;
    const floating = open.reduce((sum, each) => sum + (each.unrealized_pnl ?? 0), 0);
    write(total, open.length ? `${number(open.length)} open · ${change(floating)}` : "none open");
    dress(total, `muted ${open.length ? tone(floating) : ""}`);
    if (open.length === 0) return nothing(list, "No open position. Entries come from signals that fire.");
    something(list);
    follow(list, open, (each) => String(each.id), row);
  };
  hear("positions", draw);
  hear("rates", () => known.positions?.data?.length && draw());
  hear("carry-read", async () => {
    const told = await get("api/live/carry");
    const open = told.data.filter((each) => each.status !== "closed");
    title.hidden = open.length === 0;
    follow(pairs, open, (each) => String(each.id), pair);
  });
}
