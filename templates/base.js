// What every report's script builds on: data, theme, charts over time, tables. Text that came from
// outside only ever becomes text nodes, or passes `plain` before the charting library sees it.
"use strict";
const arb = (() => {
  const data = JSON.parse(document.getElementById("data").textContent);
  const root = document.documentElement;

  // Theme: the system's, until the reader chooses.
  const listeners = [];
  const system = matchMedia("(prefers-color-scheme: dark)");
  const stored = () => { try { return localStorage.getItem("arb-theme"); } catch { return null; } };
  const button = document.getElementById("theme");
  function setTheme(theme) {
    root.dataset.theme = theme;
    button.textContent = theme === "dark" ? "Light" : "Dark";
    button.setAttribute("aria-label", `Switch to ${theme === "dark" ? "light" : "dark"} colours`);
    listeners.forEach((listener) => listener());
  }
  button.addEventListener("click", () => {
    const theme = root.dataset.theme === "dark" ? "light" : "dark";
    try { localStorage.setItem("arb-theme", theme); } catch { /* a file may have no storage */ }
    setTheme(theme);
  });
  system.addEventListener("change", () => { if (!stored()) setTheme(system.matches ? "dark" : "light"); });
  setTheme(stored() ?? (system.matches ? "dark" : "light"));
  const colour = (name) => getComputedStyle(root).getPropertyValue(`--${name}`).trim();

  // Figures.
  const minus = (text) => text.replace("-", "−");
  const fixed = (value, digits = 2) =>
    value == null ? "–" : minus(value.toLocaleString("en-US", { minimumFractionDigits: digits, maximumFractionDigits: digits }));
  const signed = (value, digits = 2) => (value == null ? "–" : (value > 0 ? "+" : "") + fixed(value, digits));
  const compact = (value) =>
    value == null ? "absent" : minus(Math.abs(value) >= 1000 ? fixed(value, 1) : String(Number(value.toPrecision(5))));
  const utc = (ms) => (ms == null ? "–" : new Date(ms).toISOString().slice(0, 19).replace("T", " "));
  // For charts: the library takes numbers for local time, and text without a zone as it stands.
  const stamp = (ms) => new Date(ms).toISOString().slice(0, 23);
  const span = (ms) => {
    const units = [[86400e3, "d"], [3600e3, "h"], [60e3, "min"], [1e3, "s"]];
    const parts = [];
    for (const [length, name] of units) {
      const count = Math.floor(ms / length);
      if (count > 0 && parts.length < 2) parts.push(`${count} ${name}`);
      ms -= count * length;
    }
    return parts.join(" ") || "0 s";
  };
  const plain = (text) => String(text).replace(/&/g, "&amp;").replace(/</g, "&lt;").replace(/>/g, "&gt;");

  // Columns of equal length become rows.
  const rows = (columns, names) => columns[names[0]].map((_, at) => Object.fromEntries(names.map((name) => [name, columns[name][at]])));

  // Elements without markup in strings.
  function node(tag, attributes = {}, ...children) {
    const element = document.createElement(tag);
    for (const [name, value] of Object.entries(attributes)) {
      if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
      else if (value === true) element.setAttribute(name, "");
      else if (value !== false && value != null) element.setAttribute(name, value);
    }
    element.append(...children.filter((child) => child != null));
    return element;
  }

  // Series over time, thinned to what a view can show. Buckets are joined in aligned groups, so
  // that a group does not change while the view moves.
  function groups(series, length, [from, to], most) {
    const first = Math.max(0, Math.floor((from - series.start_ms) / series.step_ms) - 1);
    const last = Math.min(length, Math.ceil((to - series.start_ms) / series.step_ms) + 2);
    const origin = Math.floor(series.start_ms / series.step_ms);
    const nice = [1, 2, 4, 8, 12, 20, 40, 60, 120, 240, 480, 960, 1920, 3840, 7680, 15360];
    const size = nice.find((count) => (last - first) / count <= most) ?? 30720;
    const start = Math.floor((origin + first) / size) * size - origin;
    const out = [];
    for (let at = start; at < last; at += size) out.push([Math.max(at, 0), Math.min(at + size, length), series.start_ms + at * series.step_ms]);
    return { list: out, step: size * series.step_ms };
  }
  function candles(series, view, most) {
    const out = { x: [], open: [], high: [], low: [], close: [], step: 0 };
    const { list, step } = groups(series, series.open.length, view, most);
    out.step = step;
    for (const [from, to, start] of list) {
      let open = null, high = -Infinity, low = Infinity, close = null;
      for (let at = from; at < to; at++) {
        if (series.open[at] == null) continue;
        open ??= series.open[at];
        high = Math.max(high, series.high[at]);
        low = Math.min(low, series.low[at]);
        close = series.close[at];
      }
      if (open == null) continue;
      out.x.push(stamp(start + step / 2)); out.open.push(open); out.high.push(high); out.low.push(low); out.close.push(close);
    }
    return out;
  }
  function line(series, view, most) {
    const out = { x: [], y: [] };
    const { list, step } = groups(series, series.first.length, view, most);
    for (const [from, to, start] of list) {
      let low = null, high = null, lowAt = 0, highAt = 0;
      const take = (value, order) => {
        if (low == null || value < low) { low = value; lowAt = order; }
        if (high == null || value > high) { high = value; highAt = order; }
      };
      for (let at = from; at < to; at++) {
        if (series.first[at] == null) continue;
        take(series.first[at], 2 * at);
        take(series.second[at], 2 * at + 1);
      }
      const x = stamp(start + step / 2);
      if (low == null) { out.x.push(x); out.y.push(null); continue; }
      const [a, b] = lowAt <= highAt ? [low, high] : [high, low];
      out.x.push(x); out.y.push(a);
      if (a !== b) { out.x.push(x); out.y.push(b); }
    }
    return out;
  }

  // Charts. `build()` gives traces and layout for the present colours; it is called again when the
  // theme changes, and for paper.
  const narrow = () => innerWidth < 640;
  const touch = matchMedia("(pointer: coarse)");
  function axis(more = {}) {
    return {
      gridcolor: colour("grid"), linecolor: colour("line"), zerolinecolor: colour("line"), tickcolor: colour("line"),
      tickfont: { color: colour("muted"), size: 11 }, automargin: false, ...more,
    };
  }
  let paper = false;
  let before = null;
  addEventListener("beforeprint", () => { if (!paper) before = root.dataset.theme; paper = true; setTheme("light"); });
  addEventListener("afterprint", () => { paper = false; setTheme(before); });
  function chart(element, build) {
    const config = { displaylogo: false, responsive: true, doubleClick: false, scrollZoom: false, showTips: false, displayModeBar: false };
    const draw = () => {
      const { traces, layout } = build();
      const base = {
        paper_bgcolor: colour("panel"), plot_bgcolor: colour("panel"), showlegend: false,
        font: { color: colour("text"), family: getComputedStyle(document.body).fontFamily, size: 12 },
        hoverlabel: { bgcolor: colour("panel"), bordercolor: colour("line"), font: { color: colour("text"), size: 12 }, align: "left" },
        dragmode: touch.matches ? false : "zoom",
      };
      if (paper) Object.assign(base, { width: 690, height: Math.min(element.clientHeight, 900), autosize: false });
      return Plotly.react(element, traces, { ...base, ...layout }, config);
    };
    listeners.push(draw);
    draw();
    return draw;
  }

  // What part of the time is shown: moved by the buttons with `data-zoom`, and by dragging over the
  // chart that `follow` is given. `changed` is called after each move.
  function zoom(whole, least, changed) {
    let view = [...whole];
    function set(from, to) {
      const length = Math.min(Math.max(to - from, least), whole[1] - whole[0]);
      const start = Math.min(Math.max((from + to - length) / 2, whole[0]), whole[1] - length);
      view = [start, start + length];
      changed();
    }
    const moves = {
      all: () => set(...whole),
      in: ([a, b]) => set(a + (b - a) / 4, b - (b - a) / 4),
      out: ([a, b]) => set(a - (b - a) / 2, b + (b - a) / 2),
      back: ([a, b]) => set(a - (b - a) / 2, b - (b - a) / 2),
      on: ([a, b]) => set(a + (b - a) / 2, b + (b - a) / 2),
    };
    document.querySelectorAll("[data-zoom]").forEach((button) => button.addEventListener("click", () => moves[button.dataset.zoom](view)));
    const instant = (text) => Date.parse(`${text.replace(" ", "T")}Z`);
    function follow(element) {
      element.on("plotly_relayout", (change) => {
        const [from, to] = [change["xaxis.range[0]"], change["xaxis.range[1]"]];
        if (from != null && to != null) set(instant(from), instant(to));
      });
      element.on("plotly_doubleclick", () => set(...whole));
    }
    return { view: () => view, set, follow, has: (ms) => ms >= view[0] && ms <= view[1] };
  }

  // Panes from top to bottom that share the axis of time: names and shares of the height become
  // axes and their headings.
  const axisName = (at) => (at === 0 ? "y" : `y${at + 1}`);
  function panes(list, view) {
    const gap = 0.028;
    const total = list.reduce((sum, { share }) => sum + share, 0);
    const room = 1 - gap * list.length;
    let top = 1;
    const domains = list.map(({ share }) => {
      const high = top - gap;
      top = high - (room * share) / total;
      return [Math.max(top, 0), high];
    });
    const out = {
      margin: { l: narrow() ? 48 : 64, r: 12, t: 4, b: 44 }, hovermode: touch.matches ? "closest" : "x unified", hoversubplots: "axis", hoverdistance: touch.matches ? 40 : 12,
      xaxis: axis({ type: "date", range: view.map(stamp), anchor: axisName(list.length - 1), showspikes: true, spikemode: "across", spikethickness: 1, spikedash: "solid", spikecolor: colour("dim"), spikesnap: "cursor", rangeslider: { visible: false }, unifiedhovertitle: { text: "%{x|%Y-%m-%d %H:%M:%S}" }, fixedrange: touch.matches, hoverformat: "%Y-%m-%d %H:%M:%S" }),
      annotations: list.map(({ name }, at) => ({ text: name, x: 0, xref: "paper", xanchor: "left", y: domains[at][1], yref: "paper", yanchor: "bottom", showarrow: false, font: { size: 11, color: colour("muted") } })),
    };
    list.forEach(({ more }, at) => {
      out[at === 0 ? "yaxis" : `yaxis${at + 1}`] = axis({ domain: domains[at], fixedrange: true, nticks: 4, zeroline: false, exponentformat: "SI", minexponent: 6, separatethousands: true, ...more });
    });
    return { layout: out, domains };
  }

  // A table over rows: sorted by its headings, filtered, in pages, each row with details if asked.
  function table(parent, { columns, rows: all, sort, detail, keep = () => true, size = 50, label }) {
    let order = sort ?? { key: columns[0].key, down: false };
    let page = 0;
    const open = new Set();
    const head = node("tr", {}, detail ? node("th", { scope: "col" }, node("span", { class: "skip" }, "details")) : null);
    const body = node("tbody");
    const status = node("span", { "aria-live": "polite", class: "muted" });
    const back = node("button", { type: "button", onclick: () => { page--; draw(); } }, "Previous");
    const next = node("button", { type: "button", onclick: () => { page++; draw(); } }, "Next");
    for (const column of columns) {
      const cell = node("th", { scope: "col", class: column.num ? "num" : null });
      if (column.value === null) cell.append(column.label);
      else {
        cell.append(node("button", { type: "button", onclick: () => {
          order = { key: column.key, down: order.key === column.key ? !order.down : !!column.num };
          page = 0; draw();
        } }, column.label));
      }
      column.cell = cell;
      head.append(cell);
    }
    function line(row) {
      const cells = columns.map((column) => {
        const text = column.show ? column.show(row) : row[column.key];
        const tone = column.tone ? column.tone(row) : null;
        return node("td", { class: [column.num && "num", column.wide && "wide", tone > 0 && "gain", tone < 0 && "loss"].filter(Boolean).join(" ") || null }, text ?? "–");
      });
      if (!detail) return [node("tr", {}, ...cells)];
      const shown = open.has(row);
      const toggle = node("button", { type: "button", class: "toggle", "aria-expanded": String(shown), "aria-label": "Details", onclick: () => {
        open.has(row) ? open.delete(row) : open.add(row);
        const index = [...body.querySelectorAll(".toggle")].indexOf(toggle);
        draw();
        body.querySelectorAll(".toggle")[index]?.focus();
      } }, shown ? "▾" : "▸");
      const lines = [node("tr", {}, node("td", {}, toggle), ...cells)];
      if (shown) lines.push(node("tr", { class: "detail" }, node("td", { colspan: columns.length + 1 }, detail(row))));
      return lines;
    }
    function draw() {
      const column = columns.find((each) => each.key === order.key);
      const value = column.value ?? ((row) => row[column.key]);
      const turn = order.down ? -1 : 1;
      const found = all.filter(keep).map((row, at) => [row, value(row), at]);
      found.sort(([, a, i], [, b, j]) => (a == null ? (b == null ? i - j : 1) : b == null ? -1 : a < b ? -turn : a > b ? turn : i - j));
      const pages = Math.max(1, Math.ceil(found.length / size));
      page = Math.min(Math.max(page, 0), pages - 1);
      body.replaceChildren(...found.slice(page * size, (page + 1) * size).flatMap(([row]) => line(row)));
      columns.forEach((each) => each.cell.removeAttribute("aria-sort"));
      column.cell.setAttribute("aria-sort", order.down ? "descending" : "ascending");
      back.disabled = page === 0;
      next.disabled = page === pages - 1;
      status.textContent = found.length === 0 ? `no ${label}` : `${fixed(page * size + 1, 0)}–${fixed(Math.min((page + 1) * size, found.length), 0)} of ${fixed(found.length, 0)} ${label}`;
    }
    parent.append(
      node("div", { class: "scroll", tabindex: "0", role: "region", "aria-label": label }, node("table", {}, node("thead", {}, head), body)),
      node("div", { class: "pager" }, back, next, status),
    );
    draw();
    return () => { page = 0; draw(); };
  }

  // The exact text whose hash names the run.
  document.getElementById("save-config")?.addEventListener("click", () => {
    const url = URL.createObjectURL(new Blob([data.config], { type: "application/json" }));
    node("a", { href: url, download: `configuration-${data.config_hash.slice(0, 12)}.json` }).click();
    URL.revokeObjectURL(url);
  });

  return { data, colour, fixed, signed, compact, utc, stamp, span, plain, rows, node, candles, line, axis, axisName, panes, zoom, chart, table, narrow, touch, setTheme };
})();
