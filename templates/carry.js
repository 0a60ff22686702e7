// The page of a carry back-test: one chart over time whose panes share their axis, and the pairs.
// Values come once an hour or less, so lines go on over the buckets in between.
"use strict";
(() => {
  const { data, colour, fixed, signed, utc, stamp, span, plain, node } = arb;
  const DAY = 86400e3;
  const name = (at) => data.markets[at]?.symbol ?? "";
  const several = data.markets.length > 1;
  const whole = [data.first_ms, Math.max(data.last_ms, data.first_ms + DAY)];
  const zoom = arb.zoom(whole, 6 * 3600e3, () => redraw());
  let market = data.pairs[0]?.market ?? 0;
  const select = document.getElementById("market-choice");
  data.markets.forEach((each, at) => select.append(node("option", { value: at, selected: at === market }, each.symbol)));
  select.closest("label").hidden = !several;
  select.addEventListener("change", () => { market = Number(select.value); redraw(); });
  const end = (pair) => pair.closed_ms ?? whole[1];
  function show(pair) {
    if (pair.market !== market) { market = pair.market; select.value = market; }
    const room = Math.max((end(pair) - pair.opened_ms) / 4, DAY);
    zoom.set(pair.opened_ms - room, end(pair) + room);
    document.getElementById("charts").scrollIntoView();
  }

  const of = (pair) => `${plain(name(pair.market))}, ${fixed(pair.notional)} of spot`;
  const entryText = (pair) => `<b>opened</b> ${of(pair)}${pair.entry_basis_bps == null ? "" : `, basis ${signed(pair.entry_basis_bps, 1)} bps`}`;
  const exitText = (pair) => `<b>ended by ${plain(pair.reason)}</b> after ${span(end(pair) - pair.opened_ms)}, net ${signed(pair.net)}<br>funding ${signed(pair.funding)}, fees ${fixed(pair.fees)}, basis ${signed(pair.basis)}`;

  function marks(pairs, at, y) {
    const trace = (list, when, text, symbol, tone, size) => ({
      type: "scatter", mode: "markers", yaxis: arb.axisName(at), x: list.map((pair) => stamp(when(pair))), y: list.map((pair) => y(when(pair))), text: list.map(text), hovertemplate: "%{text}<extra></extra>",
      marker: { symbol, size, color: colour(tone), line: { color: colour("panel"), width: 1.5 } },
    });
    const ended = pairs.filter((pair) => pair.closed_ms != null);
    return [
      trace(pairs, (pair) => pair.opened_ms, entryText, "triangle-up", "text", 11),
      trace(ended.filter((pair) => pair.net > 0), end, exitText, "circle", "gain", 9),
      trace(ended.filter((pair) => pair.net <= 0), end, exitText, "x", "loss", 9),
    ];
  }
  // The last value of a series at a time, for marks that lie on its line.
  const at = (series, scale) => (ms) => {
    let bucket = Math.min(Math.floor((ms - series.start_ms) / series.step_ms), series.second.length - 1);
    while (bucket > 0 && series.second[bucket] == null) bucket--;
    return (series.second[bucket] ?? 0) * scale;
  };

  function build() {
    const view = zoom.view();
    const most = arb.narrow() ? 320 : 900;
    const chosen = data.markets[market];
    const line = (pane, series, tone, text, scale = 1, more = {}) => {
      const { x, y } = arb.line(series, view, most);
      return { type: "scatter", mode: "lines", x, y: y.map((value) => value && value * scale), yaxis: arb.axisName(pane), line: { color: colour(tone), width: 1.4 }, connectgaps: true, hovertemplate: `${text}<extra></extra>`, ...more };
    };
    const pairs = data.pairs.filter((pair) => pair.market === market && pair.opened_ms <= view[1] && end(pair) >= view[0]);
    const traces = [
      line(0, data.equity, "equity", "equity %{y:,.2f}"),
      line(1, data.funding, "gain", "funding %{y:,.2f}"),
      line(1, data.fees, "loss", "fees %{y:,.2f}"),
      line(1, data.basis, "score", "basis %{y:,.2f}", 1, { line: { color: colour("score"), width: 1.4, dash: "dot" } }),
      line(2, data.notional, "equity", "held %{y:,.0f}", 1, { line: { color: colour("equity"), width: 1.2, shape: "hv" } }),
      line(3, chosen.rate, "gain", "funding %{y:.2f} % a year", 100, { line: { color: colour("gain"), width: 1.4, shape: "vh" } }),
      ...(chosen.priced ? [line(4, chosen.basis, "score", "basis %{y:.1f} bps")] : []),
      ...(pairs.length <= 400 ? marks(pairs, 3, at(chosen.rate, 100)) : []),
    ];
    document.getElementById("view").textContent = `${utc(view[0])} to ${utc(view[1])} UTC${pairs.length > 400 ? "; zoom in to see where pairs begin and end" : ""}`;
    const list = [
      { name: "Equity, quote currency", share: 22 },
      { name: "Earned since the start: funding (solid blue), fees (orange), basis (dotted)", share: 26, more: { zeroline: true } },
      { name: "Spot notional held", share: 12, more: { rangemode: "tozero" } },
      { name: `Settled funding, % a year, ${plain(chosen.symbol)}`, share: 22, more: { zeroline: true } },
      ...(chosen.priced ? [{ name: `Basis, bps, ${plain(chosen.symbol)}`, share: 18, more: { zeroline: true } }] : []),
    ];
    const { layout, domains } = arb.panes(list, view);
    layout.shapes = pairs.slice(0, 400).map((pair) => ({ type: "rect", xref: "x", yref: "paper", x0: stamp(pair.opened_ms), x1: stamp(end(pair)), y0: 0, y1: domains[3][1], fillcolor: colour("hole"), line: { width: 0 }, layer: "below" }));
    return { traces, layout };
  }

  const element = document.getElementById("market");
  let redraw = () => {};
  if (data.markets.length > 0) {
    redraw = arb.chart(element, build);
    zoom.follow(element);
  }

  arb.table(document.getElementById("pair-list"), {
    label: "pairs", rows: data.pairs,
    columns: [
      { key: "opened_ms", label: "opened, UTC", show: (pair) => utc(pair.opened_ms) },
      { key: "market", label: "symbol", value: (pair) => name(pair.market), show: (pair) => name(pair.market) },
      { key: "held", label: "held", num: true, value: (pair) => end(pair) - pair.opened_ms, show: (pair) => span(end(pair) - pair.opened_ms) },
      { key: "notional", label: "notional", num: true, show: (pair) => fixed(pair.notional) },
      { key: "perp_entry_price", label: "short at", num: true, value: (pair) => Number(pair.perp_entry_price) },
      { key: "spot_entry_price", label: "coins at", num: true, value: (pair) => Number(pair.spot_entry_price) },
      { key: "entry_basis_bps", label: "basis, bps", num: true, show: (pair) => signed(pair.entry_basis_bps, 1) },
      { key: "funding", label: "funding", num: true, show: (pair) => signed(pair.funding), tone: (pair) => pair.funding },
      { key: "fees", label: "fees", num: true, show: (pair) => fixed(pair.fees) },
      { key: "basis", label: "basis", num: true, show: (pair) => signed(pair.basis), tone: (pair) => pair.basis },
      { key: "net", label: "net", num: true, show: (pair) => signed(pair.net), tone: (pair) => pair.net },
      { key: "reason", label: "ended by" },
      { key: "chart", label: "", value: null, show: (pair) => node("button", { type: "button", class: "link", onclick: () => show(pair) }, "chart") },
    ],
  });
})();
