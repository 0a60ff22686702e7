// The page of a back-test: one chart over time whose panes share their axis, the distribution of
// R, and the lists of decisions, trades and holes.
"use strict";
(() => {
  const { data, colour, fixed, signed, compact, utc, stamp, span, plain, node } = arb;
  const HOUR = 3600e3;
  const symbol = (at) => data.instruments[at]?.symbol ?? "";
  const several = data.instruments.length > 1;
  const side = (sign) => (sign > 0 ? "LONG" : sign < 0 ? "SHORT" : "none");
  const trades = arb.rows(data.trades, Object.keys(data.trades));
  const decisions = arb.rows(data.decisions, ["time_ms", "instrument", "strategy", "side", "score", "tier", "fired", "price", "kind", "reason", "factors"]);
  const holes = arb.rows(data.holes, ["instrument", "from_id", "to_id", "start_ms", "end_ms"]);
  decisions.forEach((decision) => { decision.kind = data.decisions.kinds[decision.kind]; });

  // The view: which instrument, from when to when.
  const whole = [data.first_ms, Math.max(data.last_ms, data.first_ms + 60e3)];
  const zoom = arb.zoom(whole, 5 * 60e3, () => redraw());
  let instrument = 0;
  const select = document.getElementById("instrument");
  data.instruments.forEach((each, at) => select.append(node("option", { value: at }, each.symbol)));
  select.closest("label").hidden = !several;
  select.addEventListener("change", () => { instrument = Number(select.value); redraw(); });
  function show(at, from, to) {
    if (at !== instrument) { instrument = at; select.value = at; }
    const room = Math.max((to - from) / 2, HOUR / 2);
    zoom.set(from - room, to + room);
    document.getElementById("charts").scrollIntoView();
  }

  const within = (list, most) => {
    if (list.length <= most) return list;
    const every = Math.ceil(list.length / most);
    return list.filter((_, at) => at % every === 0);
  };
  const tradeOwner = (trade) => (data.strategies.length > 1 ? `<br>${plain(data.strategies[trade.strategy])}` : "");
  const entryText = (t) => `<b>entry ${side(t.side)}</b> ${utc(t.entry_ms).slice(11)} at ${t.entry_price}, qty ${t.qty}${tradeOwner(t)}<br>${t.tier}, score ${fixed(t.score, 1)}, then ${t.open ? `open (${t.status})` : `${t.status} ${signed(t.r)} R`}`;
  const exitText = (t) => `<b>exit ${t.status} ${signed(t.r)} R</b>, net ${signed(t.net)}${tradeOwner(t)}<br>${side(t.side)} from ${t.entry_price} to ${compactPrice(t.exit_price)} in ${span(t.exit_ms - t.entry_ms)}`;
  const compactPrice = (price) => (price == null ? "–" : String(Number(price.toPrecision(9))));

  function tradeTraces(shown) {
    const links = { up: { x: [], y: [] }, down: { x: [], y: [] } };
    for (const trade of shown) {
      if (trade.open) continue;
      const link = trade.net > 0 ? links.up : links.down;
      link.x.push(stamp(trade.entry_ms), stamp(trade.exit_ms), null);
      link.y.push(Number(trade.entry_price), trade.exit_price, null);
    }
    const link = ({ x, y }, name) => ({ type: "scatter", mode: "lines", x, y, yaxis: "y3", hoverinfo: "skip", line: { color: colour(name), width: 2, dash: "dot" } });
    const marks = (list, [x, y, text], symbolName, name, size) => ({
      type: "scatter", mode: "markers", x: list.map((each) => stamp(x(each))), y: list.map(y), yaxis: "y3", text: list.map(text), hovertemplate: "%{text}<extra></extra>",
      marker: { symbol: symbolName, size, color: colour(name), line: { color: colour("panel"), width: 1.5 } },
    });
    const entry = [(t) => t.entry_ms, (t) => Number(t.entry_price), entryText];
    const exit = [(t) => t.exit_ms, (t) => t.exit_price, exitText];
    const closed = shown.filter((trade) => !trade.open);
    return [
      link(links.up, "gain"), link(links.down, "loss"),
      marks(closed.filter((t) => t.net > 0), exit, "circle", "gain", 9),
      marks(closed.filter((t) => t.net <= 0), exit, "x", "loss", 9),
      marks(shown.filter((t) => t.side > 0), entry, "triangle-up", "text", 12),
      marks(shown.filter((t) => t.side < 0), entry, "triangle-down", "text", 12),
    ];
  }

  // Of decisions that lie too close for the view, the highest score is drawn.
  function highest(list, most) {
    if (list.length <= most) return list;
    const [from, to] = zoom.view();
    const width = (to - from) / most;
    const best = new Map();
    for (const decision of list) {
      const slot = Math.floor(decision.time_ms / width);
      if (!(best.get(slot)?.score >= decision.score)) best.set(slot, decision);
    }
    return [...best.values()];
  }
  function decisionTraces(mine) {
    const part = ([shape, points]) => `${plain(data.decisions.shapes[shape].name)} ${compact(points)}/${compact(data.decisions.shapes[shape].max)}`;
    const parts = (d) => d.factors.map(part).map((text, at) => (at % 3 === 2 ? `${text}<br>` : `${text}  `)).join("");
    const text = (d) => `<b>${d.fired ? "entry" : `no entry: ${plain(d.reason)}`}</b><br>${utc(d.time_ms).slice(11)} ${side(d.side)} ${d.tier}, score ${fixed(d.score, 1)}<br>${parts(d)}`;
    const marks = (list, symbolName, name, size) => ({
      type: "scatter", mode: "markers", yaxis: "y4", x: list.map((d) => stamp(d.time_ms)), y: list.map((d) => d.score), text: list.map(text), hovertemplate: "%{text}<extra></extra>",
      marker: { symbol: symbolName, size, color: colour(name), line: { width: name === "score" ? 1.5 : 0, color: colour("panel") } },
    });
    const quiet = mine.filter((d) => !d.fired);
    const drawn = highest(quiet, 500);
    return { traces: [marks(drawn, "circle", "dim", 4), marks(mine.filter((d) => d.fired), "diamond", "score", 10)], hidden: quiet.length - drawn.length };
  }

  function build() {
    const view = zoom.view();
    const market = data.instruments[instrument];
    const most = arb.narrow() ? 160 : 420;
    const bars = arb.candles(market.price, view, most);
    const tick = (series) => arb.line(series, view, most * 2);
    const stroke = (at, series, name, more = {}) => ({ type: "scatter", mode: "lines", ...tick(series), yaxis: arb.axisName(at), line: { color: colour(name), width: 1.4 }, connectgaps: false, hovertemplate: "%{y}<extra></extra>", ...more });
    // The area is a line of its own, at zero where there is no value: filled across a gap it would
    // show values that nobody had.
    const area = (at, series, name) => {
      const own = stroke(at, series, "gain", { hovertemplate: `${name} %{y:,.5~g}<extra></extra>` });
      return [{ ...own, y: own.y.map((value) => value ?? 0), fill: "tozeroy", fillcolor: colour("bar"), line: { width: 0 }, hoverinfo: "skip", hovertemplate: null }, own];
    };
    const own = trades.filter((t) => t.instrument === instrument && t.entry_ms <= view[1] && (t.exit_ms ?? whole[1]) >= view[0]);
    const drawn = within(own, 300);
    const scores = decisionTraces(decisions.filter((d) => d.instrument === instrument && zoom.has(d.time_ms)));
    const drawdown = tick(data.drawdown);
    const traces = [
      stroke(0, data.equity, "equity", { hovertemplate: "equity %{y:,.2f}<extra></extra>" }),
      { type: "scatter", mode: "lines", x: drawdown.x, y: drawdown.y.map((v) => v && v * 100), yaxis: "y2", fill: "tozeroy", fillcolor: colour("fill"), line: { color: colour("loss"), width: 1.2 }, hovertemplate: "drawdown %{y:.2f} %<extra></extra>" },
      { type: "candlestick", x: bars.x, open: bars.open, high: bars.high, low: bars.low, close: bars.close, yaxis: "y3", increasing: { line: { color: colour("gain"), width: 1 }, fillcolor: colour("panel") }, decreasing: { line: { color: colour("loss"), width: 1 }, fillcolor: colour("loss") }, text: bars.x.map((_, at) => ["open", "high", "low", "close"].map((name) => `${name} ${compactPrice(bars[name][at])}`).join("  ")), hoverinfo: "text" },
      ...tradeTraces(drawn),
      ...scores.traces,
      ...[market.cvd_30m, market.cvd_4h, market.cvd_day].flatMap((series, at) => area(4 + at, series, ["30 min", "4 h", "day"][at])),
    ];
    const notes = [];
    if (drawn.length < own.length) notes.push(`${drawn.length} of ${own.length} trades drawn`);
    if (scores.hidden > 0) notes.push(`${fixed(scores.hidden, 0)} lower scores not drawn`);
    document.getElementById("view").textContent =
      `${utc(view[0])} to ${utc(view[1])} UTC, candles of ${span(bars.step)}${notes.length ? `; ${notes.join(", ")} until zoomed in` : ""}`;
    return { traces, layout: layout(view) };
  }

  function layout(view) {
    const cvd = { zeroline: true };
    const { layout: out, domains } = arb.panes([
      { name: "Equity, quote currency", share: 15 },
      { name: "Drawdown, %", share: 8, more: { zeroline: true, tickformat: ".1f", rangemode: "tozero" } },
      { name: `Price, ${plain(symbol(instrument))}`, share: 34, more: { nticks: 7 } },
      { name: "Score of decisions", share: 13 },
      { name: "CVD 30 min, base units", share: 10, more: cvd },
      { name: "CVD 4 h", share: 10, more: cvd },
      { name: "CVD since 00:00 UTC", share: 10, more: cvd },
    ], view);
    out.shapes = holes.filter((hole) => hole.instrument === instrument && hole.end_ms >= view[0] && hole.start_ms <= view[1]).sort((a, b) => b.end_ms - b.start_ms - (a.end_ms - a.start_ms)).slice(0, 150)
      .map((hole) => ({ type: "rect", xref: "x", yref: "paper", x0: stamp(hole.start_ms), x1: stamp(hole.end_ms), y0: 0, y1: domains[2][1], fillcolor: colour("hole"), line: { width: 1, color: colour("hole") }, layer: "below" }));
    return out;
  }

  const element = document.getElementById("market");
  let redraw = () => {};
  if (data.instruments.length > 0) {
    redraw = arb.chart(element, build);
    zoom.follow(element);
  }

  const distribution = document.getElementById("distribution");
  if (distribution) {
    const most = Math.max(...data.r_bins.map(([, count]) => count));
    arb.chart(distribution, () => ({
      traces: [{ type: "bar", x: data.r_bins.map(([middle]) => middle), y: data.r_bins.map(([, count]) => count), width: 0.235, marker: { color: data.r_bins.map(([middle]) => colour(middle > 0 ? "gain" : "loss")) }, customdata: data.r_bins.map(([middle]) => `${signed(middle - 0.125)} to ${signed(middle + 0.125)} R`), hovertemplate: "%{customdata}: %{y} trades<extra></extra>" }],
      layout: { margin: { l: 40, r: 8, t: 6, b: 36 }, bargap: 0, xaxis: arb.axis({ title: { text: "R", font: { color: colour("muted"), size: 11 } }, fixedrange: true, zeroline: true }), yaxis: arb.axis({ fixedrange: true, rangemode: "tozero", tickformat: "d", dtick: most < 8 ? 1 : null }) },
    }));
  }

  // Lists.
  const owner = several ? [{ key: "instrument", label: "symbol", value: (row) => symbol(row.instrument), show: (row) => symbol(row.instrument) }] : [];
  const strategy = data.strategies.length > 1 ? [{ key: "strategy", label: "strategy", value: (row) => data.strategies[row.strategy], show: (row) => data.strategies[row.strategy] }] : [];
  const locate = (run) => ({ key: "chart", label: "", value: null, show: (row) => node("button", { type: "button", class: "link", onclick: () => run(row) }, "chart") });

  const filters = node("div", { class: "filters" });
  const field = (label, control) => { filters.append(node("label", {}, label, control)); return control; };
  const choice = (label, options) => field(label, node("select", {}, node("option", { value: "" }, "all"), ...options.map((option) => node("option", { value: option }, option))));
  const text = field("text", node("input", { type: "search", placeholder: "in reason, notes, symbol", autocomplete: "off" }));
  const kind = choice("reason", [...data.decisions.kinds].sort());
  const tier = choice("tier", data.tiers);
  const direction = choice("direction", ["LONG", "SHORT", "none"]);
  const note = (at) => data.decisions.notes[at];
  const words = (d) => `${d.reason} ${symbol(d.instrument)} ${data.strategies[d.strategy]} ${d.factors.map(([shape, , at]) => `${data.decisions.shapes[shape].name} ${note(at)}`).join(" ")}`.toLowerCase();
  const keep = (d) =>
    (!kind.value || d.kind === kind.value) && (!tier.value || d.tier === tier.value) && (!direction.value || side(d.side) === direction.value) &&
    (!text.value || words(d).includes(text.value.toLowerCase()));

  function factors(decision) {
    const line = ([shape, points, at, values]) => {
      const { name, max, inputs } = data.decisions.shapes[shape];
      const meter = node("span", { class: "meter" }, node("i", {}));
      meter.firstChild.style.width = `${max > 0 ? Math.min(100, (points / max) * 100) : 0}%`;
      return node("tr", {}, node("th", { scope: "row" }, name), node("td", {}, meter, `${compact(points)} / ${compact(max)}`),
        node("td", { class: "wide" }, inputs.map((input, i) => `${input} ${compact(values[i])}`).join(", ")), node("td", { class: "wide" }, note(at)));
    };
    return node("table", {}, node("thead", {}, node("tr", {}, ...["factor", "points", "inputs", "reading"].map((label) => node("th", { scope: "col" }, label)))), node("tbody", {}, ...decision.factors.map(line)));
  }
  const decisionList = document.getElementById("decision-list");
  decisionList.append(filters);
  const refilter = arb.table(decisionList, {
    label: "decisions", rows: decisions, keep, detail: factors, size: 25,
    columns: [
      { key: "time_ms", label: "time, UTC", show: (d) => utc(d.time_ms) }, ...owner, ...strategy,
      { key: "side", label: "direction", show: (d) => side(d.side) },
      { key: "score", label: "score", num: true, show: (d) => fixed(d.score, 1) },
      { key: "tier", label: "tier" },
      { key: "fired", label: "entry", show: (d) => (d.fired ? "yes" : "no") },
      { key: "reason", label: "reason", wide: true },
      { key: "price", label: "price", num: true, show: (d) => compactPrice(d.price) },
      locate((d) => show(d.instrument, d.time_ms, d.time_ms)),
    ],
  });
  [text, kind, tier, direction].forEach((control) => control.addEventListener("input", refilter));
  document.querySelectorAll("[data-kind]").forEach((button) => button.addEventListener("click", () => {
    kind.value = button.dataset.kind;
    refilter();
    filters.scrollIntoView({ block: "center" });
    kind.focus({ preventScroll: true });
  }));

  const sum = (t) => node("div", {}, node("p", {}, `${t.open ? "Open" : "Closed"} ${side(t.side)} of ${t.qty} ${symbol(t.instrument)} by ${data.strategies[t.strategy]}, ${t.tier}, score ${fixed(t.score, 1)}`),
    node("p", { class: "muted" }, `last stop ${t.stop_price}, targets ${t.tp1_price} and ${t.tp2_price}; gross ${signed(t.pnl)}, fees ${fixed(t.fee)}, funding ${fixed(t.funding)}, net ${signed(t.net)}`));
  arb.table(document.getElementById("trade-list"), {
    label: "trades", rows: trades, detail: sum,
    columns: [
      { key: "entry_ms", label: "entry, UTC", show: (t) => utc(t.entry_ms) }, ...owner, ...strategy,
      { key: "side", label: "side", show: (t) => side(t.side) },
      { key: "tier", label: "tier" },
      { key: "score", label: "score", num: true, show: (t) => fixed(t.score, 1) },
      { key: "entry_price", label: "entry price", num: true, value: (t) => Number(t.entry_price) },
      { key: "exit_price", label: "exit price", num: true, show: (t) => compactPrice(t.exit_price) },
      { key: "qty", label: "qty", num: true, value: (t) => Number(t.qty) },
      { key: "held", label: "held", num: true, value: (t) => (t.exit_ms == null ? null : t.exit_ms - t.entry_ms), show: (t) => (t.exit_ms == null ? "open" : span(t.exit_ms - t.entry_ms)) },
      { key: "status", label: "ended by" },
      { key: "fee", label: "fees", num: true, show: (t) => fixed(t.fee) },
      { key: "net", label: "net", num: true, show: (t) => signed(t.net), tone: (t) => t.net },
      { key: "r", label: "R", num: true, show: (t) => signed(t.r), tone: (t) => t.r },
      locate((t) => show(t.instrument, t.entry_ms, t.exit_ms ?? whole[1])),
    ],
  });

  const holeList = document.getElementById("hole-list");
  if (holeList) {
    arb.table(holeList, {
      label: "holes", rows: holes, size: 20,
      columns: [
        { key: "start_ms", label: "last trade before, UTC", show: (h) => utc(h.start_ms) }, ...owner,
        { key: "length", label: "length", num: true, value: (h) => h.end_ms - h.start_ms, show: (h) => span(h.end_ms - h.start_ms) },
        { key: "missing", label: "missing trades", num: true, value: (h) => h.to_id - h.from_id, show: (h) => fixed(h.to_id - h.from_id + 1, 0) },
        { key: "from_id", label: "ids", show: (h) => `${h.from_id} to ${h.to_id}` },
        locate((h) => show(h.instrument, h.start_ms, h.end_ms)),
      ],
    });
  }
})();
