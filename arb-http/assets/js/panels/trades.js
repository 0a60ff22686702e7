// Closed trades, newest first.

import { get } from "../api.js";
import { toast } from "../alerts.js";
import { at, follow, h, nothing, something, write } from "../dom.js";
import { change, coin, length, moment, money, price, r, side, tone, words } from "../format.js";
import { book, hear, now } from "../state.js";

const PAGE = 25;
const ENDS = { tp: "target", sl: "stop", sl_be: "break-even", signal_flip: "flip" };

function row(trade) {
  const { text, tone: look } = side(trade.direction);
  const when = h("td");
  const cell = (value, name = "") => h("td", { class: `num ${name}` }, value);
  // Positive funding was paid: as money it is a loss.
  const funding = trade.funding ? -trade.funding : 0;
  return {
    element: h("tr", null, when, h("th", { scope: "row" }, coin(trade.symbol)), h("td", null, h("span", { class: `chip ${look}` }, text)),
      cell(r(trade.pnl_r), tone(trade.pnl_r)), cell(change(trade.pnl), tone(trade.pnl)), h("td", null, ENDS[trade.status] ?? words(trade.status)),
      cell(price(trade.entry_price)), cell(price(trade.exit_price)), cell(money(trade.fee)), cell(change(funding), tone(funding)),
      cell(length(trade.exit_time_ms - trade.entry_time_ms), "extra"), h("td", { class: "muted extra" }, trade.strategy)),
    update: () => write(when, moment(trade.exit_time_ms, now())),
  };
}

/** Reads when positions changed and when asked for more. */
export function mount() {
  const body = at("trade-rows");
  const older = at("trades-older");
  const result = at("trades-result");
  let items = [];
  let next = null;
  let asked = 0;
  const load = async (before) => {
    const call = (asked += 1);
    const page = await get(`${book()}/trades`, { result: result.value, limit: PAGE, before });
    if (call !== asked) return;
    const closed = page.items.filter((each) => each.exit_time_ms !== null);
    items = before ? [...items, ...closed] : closed;
    next = page.next ?? null;
    older.hidden = next === null;
    if (items.length === 0) return nothing(body, "No trade has closed yet.", 12);
    something(body);
    follow(body, items, (each) => `${each.id} ${each.exit_time_ms}`, row);
  };
  const read = (before) => load(before).catch((error) => toast(`The trades could not be read: ${error.message}`, "bad"));
  hear("account-read", () => read());
  result.addEventListener("change", () => read());
  older.addEventListener("click", () => read(next));
}
