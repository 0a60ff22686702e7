// Price with VWAP, signals and own levels; CVD of three windows and the score below it.

import { get } from "../api.js";
import { toast } from "../alerts.js";
import { at, figure, follow, h, mark, write } from "../dom.js";
import { change, clock, coin, number, price, reason, short, tone } from "../format.js";
import { axis, base, colours, config, fromUtc, painter, utc, zooms } from "../plots.js";
import { coins, hear, known, now, tell } from "../state.js";
import { Candles, holes, thin } from "./candles.js";

const HOUR = 3_600_000;
const SPANS = { "1 h": [1, 1], "4 h": [4, 2], "12 h": [12, 5], "24 h": [24, 10] };
const POINTS = 480;
// Refusals that an own position, its cool-down or its owner explains, and scores that are no signal.
const EXPECTED = /^(busy: |threshold: |risk: (cool-down|another strategy owns) )/;
const RUN = 10 * 60_000;
const state = { span: "4 h", candles: new Candles(), rows: [], marks: [], hovered: null, load: 0 };

const since = () => now() - SPANS[state.span][0] * HOUR;

function traces(tint) {
  const bars = state.candles.since(since(), SPANS[state.span][1]);
  const rows = thin(state.rows.filter((row) => row.time_ms >= since()), POINTS);
  const x = rows.map((row) => utc(row.time_ms));
  const line = (key, color, more) => ({ type: "scatter", mode: "lines", x, y: rows.map((row) => row[key]), line: { color, width: 1.4 }, hoverinfo: "none", ...more });
  const body = (color) => ({ line: { color, width: 1 }, fillcolor: color });
  return [
    { type: "candlestick", x: bars.map((bar) => utc(bar.time_ms)), open: bars.map((bar) => bar.open), high: bars.map((bar) => bar.high), low: bars.map((bar) => bar.low), close: bars.map((bar) => bar.close), increasing: body(tint.gain), decreasing: body(tint.loss), hoverinfo: "none", whiskerwidth: 0 },
    line("vwap_30m", tint.warn),
    line("cvd_fast", tint.score, { yaxis: "y2", fill: "tozeroy", fillcolor: tint["score-soft"] }),
    line("cvd_mid", tint.gain, { yaxis: "y3" }),
    line("cvd_day", tint.muted, { yaxis: "y3", line: { color: tint.muted, width: 1.2, dash: "dot" } }),
    line("score", tint.score, { yaxis: "y4", line: { color: tint.score, width: 1.2, shape: "hv" } }),
    ...markers(tint, bars),
  ];
}

// What fired, and of refusals that are news the first of each run.
function marked() {
  const told = new Map();
  const isFirst = (each) => {
    const kind = `${each.strategy} ${each.direction} ${/^\D*/.exec(each.reason)}`;
    const goesOn = each.time_ms - told.get(kind) < RUN;
    told.set(kind, each.time_ms);
    return !goesOn;
  };
  return state.marks.filter((each) => each.coin === known.symbol && each.direction && each.price !== null).reverse()
    .filter((each) => each.fired || (each.tier !== "light" && !EXPECTED.test(each.reason) && isFirst(each)));
}

// The library reads markup in texts.
const plain = (text) => text.replaceAll("&", "&amp;").replaceAll("<", "&lt;");
const label = (each) => plain(`${each.fired ? "signal fired" : reason(each)}, ${each.strategy}, score ${number(each.score, 1)}`);

// Fired decisions stand full below a long and above a short, refused ones hollow.
function markers(tint, bars) {
  const range = Math.max(...bars.map((bar) => bar.high)) - Math.min(...bars.map((bar) => bar.low)) || 0;
  const mine = marked().filter((each) => each.time_ms >= since());
  const group = (direction, fired) => {
    const list = mine.filter((each) => each.direction === direction && each.fired === fired);
    const up = direction === "LONG";
    const color = up ? tint.gain : tint.loss;
    return { type: "scatter", mode: "markers", x: list.map((each) => utc(each.time_ms)), y: list.map((each) => each.price + (up ? -1 : 1) * range * 0.03), text: list.map(label), hovertemplate: "%{text}<extra></extra>", marker: { symbol: `triangle-${up ? "up" : "down"}${fired ? "" : "-open"}`, size: fired ? 11 : 8, color, line: { color, width: 1.3 } } };
  };
  return ["LONG", "SHORT"].flatMap((direction) => [group(direction, true), group(direction, false)]);
}

// Entry, stop and targets of open positions in the instrument; holes in the order flow.
function shapes(tint) {
  const mine = (known.positions?.data ?? []).filter((each) => coin(each.symbol) === known.symbol);
  const level = (y, color, dash) => ({ type: "line", xref: "paper", x0: 0, x1: 1, y0: y, y1: y, line: { color, width: 1, dash } });
  const levels = mine.flatMap((each) => [level(each.entry_price, tint.text, "solid"), level(each.sl_price, tint.loss, "dash"), level(each.tp1_price, tint.gain, "dot"), level(each.tp2_price, tint.gain, "dash")]);
  const missing = holes(state.rows).map(([from, to]) => ({ type: "rect", yref: "paper", x0: utc(from), x1: utc(to), y0: 0.488, y1: 0.496, line: { width: 0 }, fillcolor: tint.warn, opacity: 0.7 }));
  return [...missing, ...levels];
}

function tags(tint) {
  const mine = (known.positions?.data ?? []).filter((each) => coin(each.symbol) === known.symbol);
  const tag = (y, text, color) => ({ xref: "paper", x: 0, xanchor: "left", y, yanchor: "bottom", text, showarrow: false, font: { size: 10, color } });
  const panes = [["y2", "CVD 30 min"], ["y3", "CVD 4 h, day"], ["y4", "Score"]].map(([yref, text]) => ({ xref: "paper", x: 0.002, xanchor: "left", yref: `${yref} domain`, y: 1, yanchor: "bottom", text, showarrow: false, font: { size: 10, color: tint.muted } }));
  return [...panes, ...mine.flatMap((each) => [tag(each.entry_price, "entry", tint.text), tag(each.sl_price, "stop", tint.loss), tag(each.tp1_price, "TP 1", tint.gain), tag(each.tp2_price, "TP 2", tint.gain)])];
}

function layout(tint, last) {
  const end = now();
  const pane = (domain, more) => axis(tint, { domain, side: "right", nticks: 3, tickfont: { size: 10 }, ...more });
  const latest = last ? [{ xref: "paper", x: 1, xanchor: "left", y: last.close, text: price(last.close), showarrow: false, bgcolor: tint.text, borderpad: 2, font: { size: 10.5, color: tint.panel } }] : [];
  const present = last ? [{ type: "line", xref: "paper", x0: 0, x1: 1, y0: last.close, y1: last.close, line: { color: tint.muted, width: 1, dash: "dot" } }] : [];
  return {
    ...base(tint),
    // What the library draws beneath the line at the pointer.
    plot_bgcolor: tint.panel,
    margin: { l: 10, r: 66, t: 8, b: 24 },
    dragmode: zooms() ? "zoom" : false,
    hovermode: "x",
    uirevision: `${known.symbol}${state.span}`,
    xaxis: axis(tint, { type: "date", range: [utc(since()), utc(end + SPANS[state.span][0] * HOUR * 0.015)], rangeslider: { visible: false }, anchor: "y4", fixedrange: !zooms(), showspikes: true, spikemode: "across", spikethickness: 1, spikedash: "dot", spikecolor: tint.muted, spikesnap: "cursor", nticks: 8 }),
    yaxis: pane([0.5, 1], { nticks: 7, tickformat: last && last.close < 1 ? ".5f" : ",~f" }),
    yaxis2: pane([0.33, 0.45], { tickformat: "~s" }),
    yaxis3: pane([0.165, 0.29], { tickformat: "~s" }),
    yaxis4: pane([0, 0.125], { range: [0, 104], tickvals: [0, 50, 100] }),
    shapes: [...shapes(tint), ...present],
    annotations: [...tags(tint), ...latest],
  };
}

async function draw(library, element) {
  const tint = colours("text", "muted", "line", "faint", "panel", "gain", "loss", "score", "score-soft", "warn", "warn-soft");
  await library.react(element, traces(tint), layout(tint, state.candles.last), config);
  if (element.heard) return;
  element.heard = true;
  element.on("plotly_hover", ({ points }) => {
    state.hovered = fromUtc(points[0].x);
    tell("readout");
  });
  element.on("plotly_unhover", () => {
    state.hovered = null;
    tell("readout");
  });
}

function readout() {
  const list = at("readout");
  const cells = Object.fromEntries(["Last", "O", "H", "L", "VWAP", "ATR", "CVD 30 m", "4 h", "Day", "Score"].map((name) => [name, figure(list, name, name === "Last" ? { class: "lead" } : {})]));
  const title = list.querySelector(".lead dt");
  const summary = at("chart-summary");
  return () => {
    const minutes = SPANS[state.span][1];
    const bars = state.candles.since(since(), minutes);
    const bar = (state.hovered ? bars.findLast((each) => each.time_ms <= state.hovered + minutes * 30_000) : null) ?? bars.at(-1);
    const row = (state.hovered ? state.rows.findLast((each) => each.time_ms <= state.hovered) : null) ?? state.rows.at(-1);
    write(title, state.hovered && bar ? clock(bar.time_ms).slice(0, 5) : "Last");
    cells.Last(price(bar?.close), bar ? tone(bar.close - bar.open) : "");
    for (const [name, key] of [["O", "open"], ["H", "high"], ["L", "low"]]) cells[name](price(bar?.[key]));
    cells.VWAP(price(row?.vwap_30m));
    cells.ATR(row?.atr_5m == null ? "–" : `${price(row.atr_5m)}${row.atr_percentile == null ? "" : ` (p${number(row.atr_percentile)})`}`);
    for (const [name, key] of [["CVD 30 m", "cvd_fast"], ["4 h", "cvd_mid"], ["Day", "cvd_day"]]) cells[name](row ? (row[key] > 0 ? `+${short(row[key])}` : short(row[key])) : "–", tone(row?.[key]));
    cells.Score(number(row?.score, 1));
    if (!state.hovered) write(summary, bar ? `${known.symbol}, last ${state.span}: last price ${price(bar.close)}, change ${change(bar.close - bars[0].open)}, 30 minute CVD ${short(row?.cvd_fast)}. The figures stand above the chart, signals in their own table.` : `No trades of ${known.symbol} in this period.`);
  };
}

async function load(paint) {
  if (!known.symbol || !known.user) return;
  const call = (state.load += 1);
  const [hours] = SPANS[state.span];
  const end = Math.ceil(now());
  const [summary, indicators, history] = await Promise.all([
    get("api/trades/summary", { symbol: known.symbol, start_ms: end - hours * HOUR, end_ms: end, interval: "1m" }),
    get("api/signals/indicators", { symbol: known.symbol, minutes: hours * 60 }),
    get("api/signals/history", { symbol: known.symbol, limit: 200 }),
  ]);
  if (call !== state.load) return;
  state.candles.fill(summary.data);
  state.rows = indicators.data;
  const oldest = history.items.at(-1)?.time_ms ?? Infinity;
  state.marks = [...history.items, ...state.marks.filter((each) => each.fired && each.time_ms < oldest)];
  tell("readout");
  paint();
}

function segments(group, names, chosen, choose) {
  follow(group, names, (name) => name, (name) => ({
    element: h("button", { type: "button", on: { click: () => choose(name) } }, name),
    update() {
      mark(this.element, "aria-pressed", name === chosen());
    },
  }));
}

/** Draws when something came, at most once a second by trades. */
export function mount() {
  const paint = painter("chart", draw);
  const tellFigures = readout();
  const [symbols, spans] = [at("symbols"), at("spans")];
  const read = () => load(paint).catch((error) => toast(`The chart could not be read: ${error.message}`, "bad"));
  const choices = () => {
    segments(symbols, coins(), () => known.symbol, (name) => tell("symbol", name));
    segments(spans, Object.keys(SPANS), () => state.span, (name) => {
      state.span = name;
      choices();
      read();
    });
  };
  at("legend").append(...[["vwap", "VWAP 30 min"], ["c30", "CVD 30 min, score"], ["c4h", "CVD 4 h"], ["cday", "CVD of the day"]].map(([name, text]) => h("li", null, h("i", { class: name }), text)),
    h("li", null, h("b", null, "▲"), h("b", null, "▼"), "fired"), h("li", null, h("b", null, "△"), h("b", null, "▽"), "refused"), h("li", null, h("i", { class: "hole" }), "order flow incomplete"));
  hear("readout", tellFigures);
  hear("rates", choices);
  hear("symbol", () => {
    state.candles = new Candles();
    state.rows = [];
    state.hovered = null;
    choices();
    read();
  });
  hear("start", read);
  hear("minute", read);
  hear("trades", (batch) => {
    if (batch.coin !== known.symbol) return;
    state.candles.add(batch.data);
    state.stale = true;
  });
  hear("second", () => {
    if (!state.stale || state.hovered) return;
    state.stale = false;
    tellFigures();
    paint();
  });
  hear("indicators", (row) => {
    if (row.coin !== known.symbol || row.time_ms <= (state.rows.at(-1)?.time_ms ?? 0)) return;
    state.rows.push(row);
    paint();
  });
  hear("signals", (signal) => {
    if (signal.tier && signal.coin === known.symbol) state.marks = [signal, ...state.marks];
  });
  hear("positions", paint);
  hear("theme", paint);
}
