// The account: figures in the header, the equity curve, how trading went.

import { get } from "../api.js";
import { at, dress, figure, write } from "../dom.js";
import { change, drift, length, money, number, percent, r, tone } from "../format.js";
import { axis, base, colours, config, painter, utc } from "../plots.js";
import { book, hear, known, now } from "../state.js";
import { thin } from "./candles.js";

const MINUTE = 60_000;
const MOST = 2_000;

let curve = [];
let summary = null;
// Equity as it was told while the page is open.
let heard = [];

function listen({ ts, account }) {
  if (!account) return;
  const time_ms = ts * 1000;
  while (heard.at(-1)?.time_ms >= time_ms) heard.pop();
  heard.push({ time_ms, equity: account.equity });
  if (heard.length > MOST) heard = thin(heard, MOST / 2);
}

// The balance after each closed trade, up to where the account itself was heard.
function steps(start) {
  const began = heard[0]?.time_ms ?? now();
  const first = summary?.start_time_ms ? [{ time_ms: summary.start_time_ms, equity: start }] : [];
  return [...[...first, ...curve].filter((point) => point.time_ms < began), ...heard];
}

async function draw(library, element) {
  const tint = colours("muted", "line", "faint", "gain", "loss", "gain-soft", "loss-soft");
  const start = known.risk?.account?.initial_balance ?? curve[0]?.equity ?? 0;
  const points = steps(start);
  if (points.length === 0) return;
  const gains = points.at(-1).equity >= start;
  const x = points.map((point) => utc(point.time_ms));
  const values = points.map((point) => point.equity);
  const [low, high] = [Math.min(start, ...values), Math.max(start, ...values)];
  const room = Math.max((high - low) * 0.08, Math.abs(start) * 0.0005);
  const from = points[0].time_ms;
  await library.react(element, [
    { type: "scatter", mode: "lines", x, y: points.map(() => start), line: { color: tint.line, width: 1, dash: "dot" }, hoverinfo: "skip" },
    { type: "scatter", mode: "lines", x, y: values, line: { color: gains ? tint.gain : tint.loss, width: 1.6, shape: "hv" }, fill: "tonexty", fillcolor: gains ? tint["gain-soft"] : tint["loss-soft"], hovertemplate: "%{y:,.2f}<extra></extra>" },
  ], {
    ...base(tint),
    margin: { l: 10, r: 52, t: 6, b: 20 },
    hovermode: "x unified",
    dragmode: false,
    xaxis: axis(tint, { type: "date", range: [utc(from), utc(Math.max(points.at(-1).time_ms, from + MINUTE))], nticks: 4, tickfont: { size: 10 } }),
    yaxis: axis(tint, { side: "right", nticks: 4, range: [low - room, high + room], tickformat: ",.0f", tickfont: { size: 10 } }),
  }, config);
}

/** Draws from risk status, summary and equity curve. */
export function mount() {
  const strip = Object.fromEntries(["Equity", "PnL", "PnL in R", "Open R", "Positions", "Max drawdown"].map((name) => [name, figure(at("strip"), name)]));
  const cells = Object.fromEntries(["Balance", "Win rate", "Profit factor", "Trades", "Free margin", "Sharpe", "Mean R", "1 R"].map((name) => [name, figure(at("equity-figures"), name)]));
  const paint = painter("equity-chart", draw);
  const text = at("equity-summary");
  const since = at("equity-since");
  const mode = at("mode");
  let stats = null;

  const header = () => {
    const account = known.positions?.account ?? known.risk?.account;
    if (!account) return;
    const pnl = account.equity - account.initial_balance;
    const open = known.positions?.data ?? [];
    const floating = open.reduce((sum, each) => sum + (each.unrealized_r ?? 0), 0);
    strip.Equity(money(account.equity));
    strip.PnL(`${change(pnl)} (${drift(account.initial_balance ? pnl / account.initial_balance : null, 1)})`, tone(pnl));
    strip["PnL in R"](r(summary?.total_pnl_r), tone(summary?.total_pnl_r));
    strip["Open R"](open.length ? r(floating) : "–", open.length ? tone(floating) : "");
    strip.Positions(`${open.length}${known.config ? ` of ${known.config.max_positions}` : ""}`);
    strip["Max drawdown"](percent(summary?.max_drawdown, 1));
    cells["1 R"](money(account.r_unit));
    cells["Free margin"](account.margin_balance ? percent((account.margin_balance - account.initial_margin) / account.margin_balance, 0) : "–");
  };
  const body = () => {
    cells.Balance(money(summary?.balance));
    cells["Win rate"](percent(summary?.win_rate, 0));
    cells["Profit factor"](number(summary?.profit_factor, 2));
    cells.Trades(number(summary?.trades));
    cells.Sharpe(number(stats?.sharpe, 2));
    cells["Mean R"](r(stats?.mean_r), tone(stats?.mean_r));
    write(since, summary?.start_time_ms ? `since ${length(now() - summary.start_time_ms)}` : "");
    write(text, summary ? `Equity ${money(summary.equity)}, result ${change(summary.total_pnl)} over ${summary.trades} trades.` : "No equity curve yet.");
  };
  hear("account-read", async () => {
    const prefix = book();
    [summary, curve, stats] = await Promise.all([
      get(`${prefix}/summary`), get(`${prefix}/equity-curve`).then((told) => told.data), get(`${prefix}/stats`).catch(() => null),
    ]);
    header();
    body();
    paint();
  });
  hear("risk", () => {
    // Another account, or another user: arriving empties the mode.
    if (mode.textContent !== known.risk.mode) heard = [];
    listen(known.risk);
    paint();
    write(mode, known.risk.mode);
    dress(mode, `pill ${known.risk.mode === "live" ? "bad" : ""}`);
    header();
  });
  hear("positions", header);
  hear("config", header);
  hear("minute", paint);
  hear("theme", paint);
}
