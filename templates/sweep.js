// The page of a sweep: where each fold trains and tests, the heat map, and whether the best is more
// than luck.
"use strict";
(() => {
  const { data, colour, plain, node, stamp, utc, fixed } = arb;
  const text = (value) => plain(typeof value === "string" ? value : JSON.stringify(value));
  const named = (ranked) => data.paths.map((path, at) => `${plain(path)} ${text(ranked.values[at])}`).join("<br>");
  const titled = (title, more = {}) => arb.axis({ title: { text: plain(title), font: { color: colour("muted"), size: 12 } }, automargin: true, fixedrange: true, ...more });
  const margin = { l: 56, r: 16, t: 12, b: 44 };

  // Where each fold trains and tests.
  function plan() {
    const spans = { train: [], test: [], "hold-out": [] };
    for (const fold of data.folds) {
      const row = `fold ${fold.fold}`;
      fold.train_spans.forEach((span) => spans.train.push([row, span]));
      spans.test.push([row, fold.test_span]);
    }
    if (data.hold_out.span) spans["hold-out"].push(["hold-out", data.hold_out.span]);
    const colours = { train: colour("gain"), test: colour("loss"), "hold-out": colour("score") };
    const traces = Object.entries(spans).filter(([, list]) => list.length).map(([name, list]) => ({
      type: "bar", orientation: "h", name, marker: { color: colours[name], opacity: 0.75 }, width: 0.62,
      y: list.map(([row]) => row), base: list.map(([, [from]]) => stamp(from)), x: list.map(([, [from, to]]) => to - from),
      text: list.map(() => name), textposition: "inside", insidetextanchor: "middle", insidetextfont: { color: colour("panel") },
      hovertext: list.map(([row, [from, to]]) => `${row}, ${name}<br>${utc(from)} to ${utc(to)} UTC`), hoverinfo: "text",
    }));
    return { traces, layout: { barmode: "overlay", margin: { ...margin, l: 64, t: 4, b: 40 }, xaxis: arb.axis({ type: "date", fixedrange: true }), yaxis: arb.axis({ autorange: "reversed", type: "category", fixedrange: true }) } };
  }

  // The heat map over two parameters.
  const figures = {
    "R a day": (shown) => shown.r_per_day, "total R": (shown) => shown.total_r, "Sharpe ratio per hour": (shown) => shown.sharpe,
    "profit factor": (shown) => shown.profit_factor, "net": (shown) => Number(shown.net), "trades": (shown) => shown.trades,
    "win rate": (shown) => shown.win_rate, "drawdown": (shown) => shown.max_drawdown_ratio,
  };
  const choice = { x: 0, y: 1, figure: "R a day", span: "train", others: "best" };
  function control(label, key, options) {
    const select = node("select", {}, ...options.map(([value, name]) => node("option", { value, selected: String(choice[key]) === String(value) }, name)));
    select.addEventListener("change", () => {
      choice[key] = key === "x" || key === "y" ? Number(select.value) : select.value;
      redraw();
    });
    document.getElementById("heat-controls").append(node("label", {}, label, select));
  }
  const paths = data.paths.map((path, at) => [at, path]);
  control("figure", "figure", Object.keys(figures).map((name) => [name, name]));
  control("on", "span", [["train", "train spans"], ["test", "test span"]]);
  control("across", "x", paths);
  if (paths.length > 1) control("up", "y", paths);
  if (paths.length > 2) control("of the other parameters", "others", [["best", "the best"], ["mean", "the mean"]]);

  // The different values of a parameter, numbers by size.
  function values(at) {
    const all = [...new Map(data.ranking.map((ranked) => [text(ranked.values[at]), ranked.values[at]])).values()];
    return all.every((value) => typeof value === "number") ? all.sort((a, b) => a - b) : all;
  }
  function cells(xs, ys, isFlat) {
    const lists = ys.map(() => xs.map(() => []));
    for (const ranked of data.ranking) {
      const shown = ranked[choice.span];
      const value = shown.trades || choice.figure === "trades" ? figures[choice.figure](shown) : null;
      const x = xs.findIndex((each) => text(each) === text(ranked.values[choice.x]));
      const y = isFlat ? 0 : ys.findIndex((each) => text(each) === text(ranked.values[choice.y]));
      if (value != null) lists[y][x].push(value);
    }
    const best = choice.figure === "drawdown" ? Math.min : Math.max;
    const mean = (list) => list.reduce((a, b) => a + b, 0) / list.length;
    return lists.map((row) => row.map((list) => (list.length === 0 ? null : choice.others === "mean" ? mean(list) : best(...list))));
  }
  function heat() {
    const isFlat = data.paths.length < 2 || choice.x === choice.y;
    const xs = values(choice.x);
    const ys = isFlat ? [choice.figure] : values(choice.y);
    const z = cells(xs, ys, isFlat);
    const known = z.flat().filter((value) => value != null);
    const isSigned = known.some((value) => value < 0);
    const most = Math.max(1e-12, ...known.map(Math.abs));
    const form = (value) => (value == null ? "" : fixed(value, Math.abs(value) >= 100 ? 0 : Math.abs(value) >= 10 ? 1 : 2));
    const up = isFlat ? "" : `${plain(data.paths[choice.y])} %{y}<br>`;
    const trace = {
      type: "heatmap", x: xs.map(text), y: ys.map(text), z, xgap: 2, ygap: 2,
      colorscale: isSigned ? [[0, colour("loss")], [0.5, colour("page")], [1, colour("gain")]] : [[0, colour("page")], [1, colour("gain")]],
      zmin: isSigned ? -most : Math.min(...known), zmax: most,
      text: z.map((row) => row.map(form)), texttemplate: xs.length * ys.length > 400 ? "" : "%{text}",
      hovertemplate: `${plain(data.paths[choice.x])} %{x}<br>${up}${choice.figure} %{text}<extra></extra>`,
      colorbar: { thickness: 12, outlinewidth: 0, tickfont: { color: colour("muted"), size: 11 } },
    };
    return { traces: [trace], layout: { margin, xaxis: titled(data.paths[choice.x], { type: "category" }), yaxis: titled(isFlat ? "" : data.paths[choice.y], { type: "category" }) } };
  }

  // All Sharpe ratios, with the best and what luck alone would give.
  function sharpes() {
    const best = data.deflated_sharpe;
    const mark = (x, name, tone, side) => ({
      shape: { type: "line", x0: x, x1: x, yref: "paper", y0: 0, y1: 1, line: { color: colour(tone), width: 2, dash: name === "luck" ? "dash" : "solid" } },
      note: { x, yref: "paper", y: 1, yanchor: "bottom", xanchor: side, showarrow: false, text: name, font: { color: colour(tone) } },
    });
    const [low, high] = best && best.sharpe > best.benchmark ? ["right", "left"] : ["left", "right"];
    const marks = best ? [mark(best.benchmark, "luck", "loss", low), mark(best.sharpe, "best", "gain", high)] : [];
    const trace = { type: "histogram", x: data.sharpes, marker: { color: colour("dim"), line: { color: colour("panel"), width: 1 } }, nbinsx: Math.min(40, Math.ceil(2 * Math.sqrt(data.sharpes.length))), hovertemplate: "%{x}: %{y} variants<extra></extra>" };
    return { traces: [trace], layout: { margin: { ...margin, t: 28 }, bargap: 0.02, shapes: marks.map((each) => each.shape), annotations: marks.map((each) => each.note), xaxis: titled("Sharpe ratio per hour"), yaxis: titled("variants") } };
  }

  // Train against test of every variant.
  function scatter() {
    const list = data.ranking.filter((ranked) => ranked.train.trades > 0);
    const trace = (part, size, tone) => ({
      type: "scatter", mode: "markers", marker: { size, color: colour(tone), line: { color: colour("panel"), width: 1 } },
      x: part.map((ranked) => ranked.train.r_per_day), y: part.map((ranked) => ranked.test.r_per_day), text: part.map((ranked) => `rank ${ranked.rank}<br>${named(ranked)}`),
      hovertemplate: "%{text}<br>train %{x:.3f}, test %{y:.3f} R a day<extra></extra>",
    });
    return { traces: [trace(list.slice(1), 8, "dim"), trace(list.slice(0, 1), 13, "gain")], layout: { margin, hovermode: "closest", xaxis: titled("R a day in train", { zeroline: true }), yaxis: titled("R a day in test", { zeroline: true }) } };
  }

  arb.chart(document.getElementById("plan"), plan);
  const redraw = arb.chart(document.getElementById("heat"), heat);
  arb.chart(document.getElementById("sharpes"), sharpes);
  arb.chart(document.getElementById("scatter"), scatter);
})();
