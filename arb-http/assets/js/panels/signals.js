// Recorded decisions, newest first; each opens to its reasons.

import { get } from "../api.js";
import { toast } from "../alerts.js";
import { at, bar, dress, follow, h, mark, nothing, s, something, write } from "../dom.js";
import { moment, number, price, reason, side } from "../format.js";
import { coins, hear, known, now, tell } from "../state.js";
import { factors } from "./factors.js";

const PAGE = 30;
const key = (signal) => `${signal.time_ms} ${signal.coin} ${signal.strategy}`;

function row(signal) {
  const { text, tone } = side(signal.direction);
  const detail = h("tr", { class: "detail", hidden: true, id: `reasons-${key(signal).replaceAll(" ", "-")}` });
  const toggle = h("button", { type: "button", class: "toggle", "aria-expanded": "false", "aria-controls": detail.id, "aria-label": `Reasons of ${signal.coin} ${signal.strategy}` },
    s("svg", { viewBox: "0 0 24 24", width: "14", height: "14", "aria-hidden": "true" }, s("path", { d: "M9 5l7 7-7 7" })));
  const meter = bar("Score");
  meter.show(signal.score, 100);
  const when = h("td");
  const element = h("tr", { class: signal.fired ? "fired" : "" },
    h("td", null, toggle), when, h("th", { scope: "row" }, signal.coin), h("td", null, h("span", { class: `chip ${tone}` }, text)),
    h("td", null, h("span", { class: "mini" }, number(signal.score, 1), meter.element)),
    h("td", { class: "num price" }, price(signal.price)),
    h("td", { class: "wide" }, signal.fired ? h("span", { class: "ok" }, "Fired") : null, signal.fired ? ` · ${signal.tier ?? ""}` : reason(signal)),
    h("td", { class: "strategy muted" }, signal.strategy));
  toggle.addEventListener("click", () => {
    const open = detail.hidden;
    if (open && !detail.firstChild) {
      const parts = factors(`Factors of ${signal.strategy}`);
      parts.show(signal);
      detail.append(h("td", { colspan: "8" }, h("p", null, h("b", null, signal.fired ? "Fired. " : "Did not fire. "), `${reason(signal)}. ${signal.strategy}, ${signal.tier ?? "no tier"}.`), Object.keys(signal.factors ?? {}).length ? parts.element : h("p", { class: "muted" }, "It has no factors.")));
    }
    detail.hidden = !open;
    mark(toggle, "aria-expanded", open);
  });
  return { element, after: detail, update: () => write(when, moment(signal.time_ms, now())) };
}

/** Draws history and what comes by the stream. */
export function mount() {
  const body = at("signal-rows");
  const older = at("signals-older");
  const [symbol, strategy, kind] = ["symbol", "strategy", "kind"].map((name) => at(`signals-${name}`));
  let items = [];
  let next = null;
  let asked = 0;

  const wanted = (signal) => (!symbol.value || signal.coin === symbol.value) && (!strategy.value || signal.strategy === strategy.value)
    && (kind.value === "" || signal.fired === (kind.value === "fired"));
  const draw = () => {
    const shown = items.filter(wanted);
    older.hidden = next === null;
    if (shown.length === 0) return nothing(body, items.length ? "No recorded signal fits." : "No signal has reached a tier yet. Decisions are recorded from a score of 60.", 8);
    something(body);
    follow(body, shown, key, row);
  };
  const load = async (before) => {
    const call = (asked += 1);
    const page = await get("api/signals/history", { symbol: symbol.value, strategy: strategy.value, limit: PAGE, before });
    if (call !== asked) return;
    items = before ? [...items, ...page.items] : page.items;
    next = page.next ?? null;
    draw();
    tell("marked", items);
  };
  const fail = (error) => toast(`The signals could not be read: ${error.message}`, "bad");

  hear("start", () => load().catch(fail));
  hear("signals", (signal) => {
    if (!signal.tier && !signal.fired) return;
    if (items.some((each) => key(each) === key(signal))) return;
    items = [signal, ...items].slice(0, 400);
    draw();
    tell("marked", items);
    if (signal.fired) toast(`${signal.coin} ${side(signal.direction).text.toLowerCase()} fired with ${number(signal.score, 1)}: ${signal.strategy}`);
  });
  hear("known-names", ({ strategies }) => {
    choices(symbol, coins());
    choices(strategy, strategies);
  });
  for (const field of [symbol, strategy]) field.addEventListener("change", () => load().catch(fail));
  kind.addEventListener("change", draw);
  older.addEventListener("click", () => load(next).catch(fail));
}

function choices(select, names) {
  const chosen = select.value;
  if (select.options.length === names.length + 1) return;
  select.replaceChildren(h("option", { value: "" }, "all"), ...names.map((name) => h("option", { value: name }, name)));
  select.value = names.includes(chosen) ? chosen : "";
}
