// The page from start to end: who is here, what is read when, what the stream says.

import { get, onEnd, user as keptUser } from "./api.js";
import { start as alerts, toast } from "./alerts.js";
import { at, write } from "./dom.js";
import { clock } from "./format.js";
import { build, show } from "./layout.js";
import { mount as account } from "./panels/account.js";
import { mount as controls } from "./panels/controls.js";
import { mount as health } from "./panels/health.js";
import { mount as login } from "./panels/login.js";
import { mount as market } from "./panels/market.js";
import { mount as opportunities } from "./panels/opportunities.js";
import { mount as positions } from "./panels/positions.js";
import { mount as rates } from "./panels/rates.js";
import { mount as risk } from "./panels/risk.js";
import { mount as scores } from "./panels/scores.js";
import { mount as settings } from "./panels/settings.js";
import { mount as signals } from "./panels/signals.js";
import { mount as trades } from "./panels/trades.js";
import { Live } from "./stream.js";
import { book, coins, hear, known, may, now, setClock, tell } from "./state.js";

const POLL = 2_000;
const PATIENCE = 1_500;
const DRIFT = 3_000;
const YOUNG = 12;
const MARKET = ["rates", "signals", "indicators", "trades"];
const ALL = [...MARKET, "positions", "risk"];
let live = null;
let streaming = false;
let failures = 0;

// What a message changes in the page's knowledge, before any panel hears it.
function remember() {
  hear("user", (user) => (known.user = user));
  hear("symbol", (symbol) => {
    known.symbol = symbol;
    try {
      sessionStorage.setItem("arb-symbol", symbol);
    } catch {
      // The next visit starts with the first coin.
    }
  });
  hear("positions", (told) => {
    const ids = (list) => (list ?? []).map((each) => `${each.id}${each.status}`).join();
    const moved = known.positions && ids(known.positions.data) !== ids(told.data);
    known.positions = told;
    if (moved) setTimeout(readAccount, 600);
  });
  hear("risk", (status) => {
    const other = known.risk && known.risk.mode !== status.mode;
    known.risk = status;
    if (other) readAccount();
  });
  hear("config", (config) => (known.config = config));
  hear("heartbeat", ({ ts }) => setClock(ts * 1000 + 500));
  // A simulated venue's time may run faster than ours.
  hear("rates", (rates) => {
    const newest = Math.max(...Object.values(rates).map((rate) => rate.ts)) * 1000;
    if (newest > now() + DRIFT) setClock(newest + 500);
  });
}

const quiet = (work) => work.catch((error) => {
  if (error.status !== 401) console.warn(error.message);
});

// Each by itself, so that one that fails does not keep the others.
const reads = (...all) => Promise.all(all.map((read) => quiet(read())));

const readRates = async () => tell("rates", await get("api/rates"));
const readHealth = async () => tell("health", await get("api/health"));
const readRisk = async () => tell("risk", await get("api/live/risk-status"));
const readLatest = async () => {
  tell("latest", await get("api/signals/latest-v52"));
  names();
};
const readOpportunities = async () => tell("opportunities", (await get("api/funding/opportunities")).data);
const readConfig = async () => {
  tell("config", await get(`${book()}/config`));
  names();
};
const readPositions = async () => {
  const told = await get(`${book()}/positions`);
  if (!streaming || !known.positions) tell("positions", { mode: known.risk?.mode, account: known.risk?.account, data: told.data });
};
const readCloses = async (symbol, interval, limit) => (await get("api/kline", { symbol, interval, limit })).data.map((bar) => bar.close).filter(Number.isFinite);
const readHistory = async () => {
  // A day, or the last hours of an engine that is younger, or what was settled before it started.
  const settled = await get("api/history", { days: 7 });
  const all = await Promise.all(coins().map(async (coin) => {
    const day = await readCloses(coin, "15m", 96);
    if (day.length >= YOUNG) return [coin, day];
    const hours = await readCloses(coin, "1m", 180);
    return [coin, hours.length >= YOUNG ? hours : (settled[coin] ?? []).map((each) => each.funding_rate)];
  }));
  known.history = Object.fromEntries(all);
  tell("history");
};

function readAccount() {
  if (may("user")) {
    tell("account-read");
    tell("carry-read");
  }
}

// Strategies that decide, and those that could: what any answer named.
function names() {
  const all = new Set([...(known.config?.enabled_strategies ?? []), ...Object.values(known.signals).flatMap((each) => Object.keys(each))]);
  for (const name of known.strategies ?? []) all.add(name);
  known.strategies = [...all].sort();
  tell("known-names", { strategies: known.strategies });
}

function choose() {
  const all = coins();
  let kept = null;
  try {
    kept = sessionStorage.getItem("arb-symbol");
  } catch {
    kept = null;
  }
  if (!known.symbol && all.length) tell("symbol", all.includes(kept) ? kept : all[0]);
}

async function enterAsMember() {
  // Panels are shown when they have their size, so that nothing jumps.
  at("main").dataset.settling = "";
  await quiet(readRates());
  choose();
  if (may("user")) await quiet(readRisk());
  if (!known.user) return;
  tell("start");
  const first = reads(readHealth, readLatest, readOpportunities, readHistory, ...(may("user") ? [readPositions, readConfig] : []));
  readAccount();
  tell("tape-read");
  live?.close();
  live = new Live(may("user") ? ALL : MARKET, (topic, body) => tell(topic, body), (state) => {
    streaming = state.state === "open";
    tell("stream", state);
    if (state.state === "open") quiet(readLatest());
  });
  await Promise.race([first, new Promise((done) => setTimeout(done, PATIENCE))]);
  requestAnimationFrame(() => {
    delete at("main").dataset.settling;
    // The field that had the focus is gone.
    if (known.entered) at("main").focus({ preventScroll: true });
    known.entered = false;
  });
}

function arrive(user) {
  show(user ? "member" : "public", may);
  write(at("mode"), "");
  if (user) return void enterAsMember();
  delete at("main").dataset.settling;
  live?.close();
  live = null;
  streaming = false;
  Object.assign(known, { risk: null, positions: null, config: null, history: {}, signals: {}, symbol: null });
  quiet(readRates());
  quiet(readHealth());
}

function lookAgain() {
  if (document.hidden) return;
  live?.retry();
  reads(readRates, readHealth);
}

function turn() {
  let seconds = 0;
  setInterval(() => {
    seconds += 1;
    write(at("clock"), `${clock(now())} UTC`);
    tell("second");
    if (document.hidden) return;
    if (!streaming && (seconds * 1000) % POLL === 0) {
      readRates().then(() => (failures = 0), (error) => {
        failures += 1;
        if (failures === 3 && !known.user) toast(`The rates cannot be read: ${error.message}`, "bad");
      });
    }
    if (seconds % 10 === 0) quiet(readHealth());
    if (!known.user) return;
    if (seconds % 30 === 0) reads(readOpportunities, async () => tell("tape-read"));
    if (seconds % 60 === 0) {
      tell("minute");
      readAccount();
      if (may("user")) quiet(readConfig());
    }
    if (seconds % 300 === 0) reads(readHistory, readRates);
  }, 1000);
}

function theme() {
  const system = matchMedia("(prefers-color-scheme: light)");
  const root = document.documentElement;
  const button = at("theme");
  const light = () => (root.dataset.theme ? root.dataset.theme === "light" : system.matches);
  const label = () => button.setAttribute("aria-label", `Switch to ${light() ? "dark" : "light"} colours`);
  button.addEventListener("click", () => {
    root.dataset.theme = light() ? "dark" : "light";
    try {
      localStorage.setItem("arb-theme", root.dataset.theme);
    } catch {
      // The choice lasts as long as the page.
    }
    label();
    tell("theme");
  });
  system.addEventListener("change", () => {
    label();
    tell("theme");
  });
  label();
}

build();
remember();
[login, rates, opportunities, health, market, scores, signals, trades, account, positions, risk, settings, controls].forEach((mount) => mount());
alerts(() => live?.retry());
theme();
hear("user", arrive);
hear("refresh", () => reads(readRisk, readPositions, readConfig));
hear("stream", ({ state }) => state === "open" && (failures = 0));
onEnd(() => {
  if (!known.user) return;
  toast("The session has ended. Log in again.", "bad");
  tell("user", null);
});
document.addEventListener("visibilitychange", lookAgain);
addEventListener("online", lookAgain);
turn();
tell("user", keptUser());
