// How the parts are, and what is recorded of the order flow.

import { get } from "../api.js";
import { at, dress, follow, h, write } from "../dom.js";
import { capital, length, number } from "../format.js";
import { hear, known, now, setClock } from "../state.js";

const LOOKS = { ok: "ok", degraded: "warn", off: "muted" };

function component([name]) {
  const dot = h("span", { class: "dot", "aria-hidden": "true" });
  const status = h("span", { class: "hidden" });
  const detail = h("span", { class: "detail" });
  return {
    element: h("li", null, h("span", { class: "name" }, dot, capital(name), status), detail),
    update([, value]) {
      dress(dot, `dot ${LOOKS[value.status] ?? "muted"}`);
      write(status, `: ${value.status}`);
      write(detail, value.status === "off" ? `off · ${value.detail}` : value.detail || value.status);
    },
  };
}

function tape([name]) {
  const [trades, gaps, last] = [h("td", { class: "num" }), h("td", { class: "num" }), h("td", { class: "num" })];
  return {
    element: h("tr", null, h("th", { scope: "row" }, name), trades, gaps, last),
    update([, value]) {
      write(trades, number(value.count));
      write(gaps, number(value.gaps));
      dress(gaps, `num ${value.gaps > 0 ? "warn" : ""}`);
      write(last, value.last_time_ms ? `${length(now() - value.last_time_ms)} ago` : "–");
    },
  };
}

/** Draws at each `health` message and reads the order flow beside it. */
export function mount() {
  const [list, rows, pill, foot] = ["components", "tape-rows", "health-status", "version"].map(at);
  hear("health", (health) => {
    setClock(health.ts * 1000 + 500);
    dress(pill, `pill ${health.status === "ok" ? "ok" : "warn"}`);
    write(pill.lastElementChild, health.status);
    follow(list, Object.entries(health.components), ([name]) => name, component);
    write(foot, `arb ${health.version} · up ${length(health.uptime_secs * 1000)}`);
  });
  hear("tape-read", async () => {
    const told = await get("api/trades/meta");
    if (known.user) follow(rows, Object.entries(told), ([name]) => name, tape);
  });
}
