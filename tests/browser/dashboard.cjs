// The dashboard in a browser, as a trader uses it. Run by scripts/dashboard-check.
"use strict";
const assert = require("node:assert/strict");
const path = require("node:path");
const { chromium } = require("playwright-core");
const [, , readyLine, shots] = process.argv;
const { rest, admin } = JSON.parse(readyLine);
const base = rest.replace(/\/$/, "");

const flags = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking", "--disable-component-update", "--disable-sync"];
const desktop = { viewport: { width: 1440, height: 900 } };
const phone = { viewport: { width: 390, height: 844 }, isMobile: true, hasTouch: true, deviceScaleFactor: 2, reducedMotion: "reduce" };
const WAIT = 60_000;

// A page that fails the check with the first thing it complains about or asks elsewhere. What a
// check provokes on purpose it names in `expected`.
async function opened(browser, options, { expected = [], prepare = async () => {} } = {}) {
  const context = await browser.newContext({ timezoneId: "Asia/Tokyo", colorScheme: "dark", ...options });
  const page = await context.newPage();
  page.setDefaultTimeout(WAIT);
  const complaints = [];
  const complain = (text) => expected.some((each) => each.test(text)) || complaints.push(text);
  page.on("console", (message) => ["error", "warning"].includes(message.type()) && complain(`console: ${message.text()}`));
  page.on("pageerror", (error) => complain(`error: ${error.message}`));
  page.on("dialog", (dialog) => { complain(`dialog: ${dialog.message()}`); dialog.dismiss(); });
  page.on("request", (request) => {
    const url = request.url();
    if (!url.startsWith(`${base}/`) && !/^(data|blob):/.test(url)) complain(`another host: ${url}`);
    if (/token|bearer|eyJ/i.test(new URL(url).search)) complain(`a token in an address: ${url}`);
  });
  await prepare(page);
  await page.goto(`${base}/`);
  return { page, done: async () => { assert.deepEqual(complaints, []); await context.close(); } };
}

async function typed(page) {
  await page.getByLabel("E-mail").fill(admin.email);
  await page.getByLabel("Password").fill(admin.password);
  await page.getByRole("button", { name: "Log in", exact: true }).click();
  await shown(page);
}

// Most checks share one login, because there may only be so many in a minute.
let shared;
async function login(page) {
  if (shared) {
    await page.evaluate((kept) => sessionStorage.setItem("arb-session", kept), shared);
    await page.reload();
    return shown(page);
  }
  await typed(page);
  shared = await page.evaluate(() => sessionStorage.getItem("arb-session"));
}

async function shown(page) {
  await page.locator("#stream-state", { hasText: "live" }).waitFor();
  await page.locator("#chart .main-svg").first().waitFor();
  await page.locator("#score-cards .card").first().waitFor();
}

// Waits until `read` gives something that `fits`; fails with what it gave last.
async function until(page, what, read, fits) {
  const end = Date.now() + WAIT;
  let last;
  while (Date.now() < end) {
    last = await read();
    if (fits(last)) return last;
    await page.evaluate(() => new Promise((done) => setTimeout(done, 100)));
  }
  assert.fail(`${what}: ${JSON.stringify(last)}`);
}

const shot = (page, name, more = {}) => page.screenshot({ path: path.join(shots, `${name}.png`), ...more });
const overflow = (page) => page.evaluate(() => document.documentElement.scrollWidth - innerWidth);
const texts = (page, selector) => page.locator(selector).allTextContents();
const dialog = (page) => page.getByRole("dialog");
const session = (page) => page.evaluate(() => JSON.parse(sessionStorage.getItem("arb-session")));

async function calls(page, pathPart) {
  const found = [];
  page.on("request", (request) => request.method() !== "GET" && request.url().includes(pathPart) && found.push({ body: request.postDataJSON(), key: request.headers()["idempotency-key"] }));
  return found;
}

// Everything a screen reader or a keyboard needs of the elements that are shown.
const flaws = (page) => page.evaluate(() => {
  const found = [];
  const seen = (element) => element.checkVisibility({ visibilityProperty: true });
  const name = (element) => (element.getAttribute("aria-label") ?? element.labels?.[0]?.textContent ?? element.textContent ?? "").trim();
  const say = (element, what) => found.push(`${what}: ${element.outerHTML.slice(0, 120)}`);
  for (const each of document.querySelectorAll("button, a[href], summary, input, select, textarea")) {
    if (!seen(each)) continue;
    if (!name(each)) say(each, "has no name");
    if (each.tabIndex > 0) say(each, "breaks the order of focus");
  }
  for (const each of document.querySelectorAll("input, select, textarea")) if (seen(each) && !each.labels?.length && !each.getAttribute("aria-label")) say(each, "has no label");
  for (const each of document.querySelectorAll("th")) if (!each.scope) say(each, "has no scope");
  for (const each of document.querySelectorAll("[role=meter]")) if (!each.getAttribute("aria-label") || !each.hasAttribute("aria-valuenow")) say(each, "tells no value");
  for (const each of document.querySelectorAll("[role=img]")) if (seen(each) && !each.getAttribute("aria-label") && !document.getElementById(each.getAttribute("aria-labelledby"))?.textContent) say(each, "says nothing");
  for (const each of document.querySelectorAll("section")) if (seen(each) && !document.getElementById(each.getAttribute("aria-labelledby"))) say(each, "is a section without a title");
  for (const each of document.querySelectorAll(".scroll")) if (seen(each) && (each.tabIndex !== 0 || !each.getAttribute("aria-label"))) say(each, "scrolls only by mouse");
  const ids = [...document.querySelectorAll("[id]")].map((each) => each.id);
  ids.filter((id, at) => ids.indexOf(id) !== at).forEach((id) => found.push(`twice: #${id}`));
  for (const [what, selector] of Object.entries({ main: "main", header: "header", navigation: "nav[aria-label]", alerts: "[role=alert]", polite: "[aria-live=polite]", heading: "h1" })) if (!document.querySelector(selector)) found.push(`there is no ${what}`);
  if (!document.documentElement.lang) found.push("the page has no language");
  return found;
});

// Pairs of colours of text and what it stands on whose contrast is below 4.5, as the browser
// computes them.
const faint = (page) => page.evaluate(() => {
  const probe = document.body.appendChild(document.createElement("i"));
  const light = (token) => {
    probe.style.color = `var(--${token})`;
    const [r, g, b] = getComputedStyle(probe).color.match(/[\d.]+/g).slice(0, 3).map((c) => c / 255).map((c) => (c <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4));
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const contrast = (a, b) => (Math.max(light(a), light(b)) + 0.05) / (Math.min(light(a), light(b)) + 0.05);
  const low = ["text", "muted", "gain", "loss", "score", "ok", "warn", "bad"].flatMap((token) => ["page", "panel", "raised"].filter((back) => contrast(token, back) < 4.5).map((back) => `${token} on ${back}: ${contrast(token, back).toFixed(2)}`));
  probe.remove();
  return low;
});

const checks = {
  async "a visitor sees funding rates move, and nothing else"(browser) {
    const { page, done } = await opened(browser, desktop);
    const rows = page.locator("#rates-rows tr");
    await rows.first().waitFor();
    const read = () => texts(page, "#rates-rows td");
    const before = await read();
    await until(page, "no rate has moved", read, (now) => now.join() !== before.join());
    const shown = await page.evaluate(() => [...document.querySelectorAll("section")].filter((each) => each.checkVisibility()).map((each) => each.id));
    assert.deepEqual(shown, ["rates", "welcome"]);
    for (const name of ["Pause entries", "Flatten…", "Reset halt…", "Log out"]) assert.equal(await page.getByRole("button", { name }).count(), 0, name);
    const asked = await page.evaluate(() => performance.getEntriesByType("resource").map((each) => new URL(each.name).pathname).filter((each) => each.startsWith("/api/")));
    assert.deepEqual([...new Set(asked)].sort(), ["/api/health", "/api/rates"]);
    assert.deepEqual(await flaws(page), []);
    await shot(page, "visitor-dark");
    await done();
  },

  async "a wrong password is told, and the page stays as it is"(browser) {
    const { page, done } = await opened(browser, desktop, { expected: [/status of 401/] });
    await page.getByLabel("E-mail").fill(admin.email);
    await page.getByLabel("Password").fill("not this one at all");
    await page.getByLabel("Password").press("Enter");
    await page.locator("#login-complaint", { hasText: /\w/ }).waitFor();
    assert.equal(await page.evaluate(() => document.body.dataset.view), "public");
    assert.equal(await session(page), null);
    await page.getByRole("button", { name: "Register with an invite" }).click();
    assert.ok(await page.getByLabel("Invite code").isVisible());
    await done();
  },

  async "who logs in sees the engine, live"(browser) {
    const { page, done } = await opened(browser, desktop);
    await login(page);
    const moves = async (what, selector) => {
      const before = (await texts(page, selector)).join();
      await until(page, `${what} has not moved`, async () => (await texts(page, selector)).join(), (now) => now !== before);
    };
    await moves("a rate", "#rates-rows td");
    await moves("the last price", "#readout dd");
    await moves("a decision", "#scores-at");
    assert.ok((await page.locator("#rules li").count()) > 10, "every rule with its distance");
    const used = await page.locator("#rules [role=meter]").evaluateAll((all) => all.map((each) => Number(each.getAttribute("aria-valuenow"))));
    assert.deepEqual(used, [...used].sort((a, b) => b - a), "the worst comes first");
    assert.match(await page.locator("#unmeasured summary").textContent(), /not measured/);
    assert.equal(await page.locator("#components li").count(), 4);
    await page.locator("#opportunities-rows tr").first().waitFor();
    await page.locator("#equity-chart .main-svg").first().waitFor();
    const cards = page.locator("#score-cards .card");
    assert.match(await cards.first().locator(".verdict").textContent(), /^(Fired|Did not fire)\. \S/);
    assert.ok((await texts(page, "#strip dd")).every((each) => each !== ""));
    assert.ok((await overflow(page)) <= 0);
    await shot(page, "desktop-dark");
    await shot(page, "desktop-dark-whole", { fullPage: true });
    await done();
  },

  async "another instrument and period are chosen for chart and scores"(browser) {
    const { page, done } = await opened(browser, desktop);
    await login(page);
    const names = await texts(page, "#symbols button");
    const wanted = names.at(-1);
    await page.locator("#symbols").getByRole("button", { name: wanted, exact: true }).click();
    await page.locator("#scores-at", { hasText: wanted }).waitFor();
    assert.equal(await page.locator("#rates-rows tr[aria-current=true] .coin").textContent(), wanted);
    await page.locator("#spans").getByRole("button", { name: "1 h" }).press("Enter");
    const length = () => page.evaluate(() => { const [from, to] = document.getElementById("chart").layout?.xaxis.range.map((each) => Number(new Date(each))) ?? [0, 0]; return (to - from) / 3600e3; });
    await until(page, "the period stays", length, (hours) => hours > 0.9 && hours < 1.1);
    const late = await page.evaluate(() => Date.parse(`${document.getElementById("chart").layout.xaxis.range[1]}Z`) - performance.timeOrigin - performance.now());
    const clock = await page.evaluate(() => { const [h, m, s] = document.getElementById("clock").textContent.match(/\d+/g).map(Number); const now = new Date(); return Date.UTC(now.getUTCFullYear(), now.getUTCMonth(), now.getUTCDate(), h, m, s) - Date.now(); });
    assert.ok(Math.abs(((late - clock) % 86400e3)) < 180e3, `the chart ends ${late - clock} ms after the present of its host, in UTC`);
    const panes = await page.evaluate(() => new Set(document.getElementById("chart").data.map((trace) => trace.yaxis ?? "y")).size);
    assert.equal(panes, 4, "price, two panes of CVD, score");
    assert.match(await page.locator("#chart-summary").textContent(), /last price [\d,.]+/);
    await done();
  },

  async "a signal opens to its reasons"(browser) {
    const { page, done } = await opened(browser, desktop);
    await login(page);
    const toggle = page.locator("#signal-rows .toggle").first();
    await toggle.waitFor();
    await toggle.press("Enter");
    const detail = page.locator("#signal-rows tr.detail:not([hidden])").first();
    const told = await detail.textContent();
    for (const part of [/^(Fired|Did not fire)\. /, /direction/, /crowding/, /confirmation/, / \/ \d+/]) assert.match(told, part);
    assert.ok((await detail.getByRole("meter").count()) >= 5);
    assert.equal(await toggle.getAttribute("aria-expanded"), "true");
    await detail.scrollIntoViewIfNeeded();
    await shot(page, "desktop-reasons");
    await toggle.press("Enter");
    assert.equal(await detail.count(), 0);
    await page.locator("#signals-kind").selectOption("refused");
    for (const row of await texts(page, "#signal-rows tr:not(.detail) td.wide")) assert.doesNotMatch(row, /^Fired/);
    await done();
  },

  async "the open part of a position, steps of equity and signals that are news are shown"(browser) {
    const { page, done } = await opened(browser, desktop, { expected: [/ERR_FAILED/] });
    await login(page);
    const now = Date.now();
    const [coin] = await texts(page, "#symbols button");
    const position = { id: 7, symbol: "ETHUSDT", strategy: "one", direction: "LONG", score: 80, tier: "standard", entry_price: 100, entry_time_ms: now - 900e3, qty: 9.99, open_qty: 5, sl_price: 101.5, tp1_price: 105, tp2_price: 110, status: "tp1_hit", unrealized_pnl: 5, unrealized_r: 0.7, score_factors: null };
    const signal = (minutes, reason, fired = false) => ({ time_ms: now - minutes * 60e3, strategy: "one", symbol: `${coin}USDT`, coin, direction: "LONG", score: 80, tier: "standard", fired, reason, price: 100, factors: {} });
    const items = [signal(1, "busy: position"), signal(2, "busy: cool_down"), signal(3, "risk: another strategy owns the instrument"), signal(4, "risk: costs: 500 against a limit of 400"), signal(5, "risk: costs: 490 against a limit of 400"), signal(6, "entry", true)];
    const stubs = { "positions*": { data: [position] }, "equity-curve*": { data: [{ time_ms: now - 600e3, equity: 10_050, pnl_r: 0.25 }] }, "summary*": { balance: 10_050, equity: 10_055, total_pnl: 50, total_pnl_r: 0.25, trades: 1, active: 1, win_rate: 1, profit_factor: null, max_drawdown: 0, start_time_ms: now - 900e3 } };
    for (const [name, json] of Object.entries(stubs)) await page.route(`**/api/paper/${name}`, (route) => route.fulfill({ json }));
    await page.route("**/api/signals/history**", (route) => route.fulfill({ json: { items, next: null } }));
    await page.route("**/api/stream**", (route) => route.abort());
    await page.reload();
    await page.locator("#position-list .meta", { hasText: "5.00 of 9.99 ETH" }).waitFor();
    const cut = await page.locator("#position-list").evaluate((list) => [...list.querySelectorAll(".tick span")].some((each) => each.getBoundingClientRect().left < list.getBoundingClientRect().left));
    assert.ok(!cut, "every label of the ladder is inside the panel");
    await page.getByRole("button", { name: "Flatten…" }).click();
    assert.match(await dialog(page).getByRole("listitem").textContent(), /ETH long 5\.00:/);
    await page.keyboard.press("Escape");
    const marks = () => page.evaluate(() => (document.getElementById("chart").data ?? []).filter((trace) => trace.mode === "markers").map((trace) => trace.text));
    const [fired, refused] = await until(page, "the chart has no marks", marks, (all) => all[0]?.length);
    assert.deepEqual([fired.length, refused.length], [1, 1], "one that fired, the first of the refused for costs");
    assert.match(fired[0], /^signal fired, one/);
    await page.locator("#equity-chart").scrollIntoViewIfNeeded();
    const equity = () => page.evaluate(() => { const { x, y, line } = document.getElementById("equity-chart").data?.[1] ?? {}; return { x: x?.slice(0, 2).map((each) => Date.parse(`${each}Z`)), y: y?.slice(0, 2), shape: line?.shape }; });
    await until(page, "equity does not begin at the first entry", equity, ({ x, y, shape }) => shape === "hv" && x[0] === now - 900e3 && x[1] === now - 600e3 && y[1] === 10_050);
    await done();
  },

  async "entries are paused and resumed, each after a question"(browser) {
    const { page, done } = await opened(browser, desktop);
    await login(page);
    const made = await calls(page, "/api/live/");
    const pause = page.locator("#pause");
    if ((await pause.textContent()) === "Resume entries") assert.fail("the demonstration begins paused");
    await pause.click();
    await dialog(page).getByText("No new position").waitFor();
    await shot(page, "desktop-question");
    await page.keyboard.press("Escape");
    assert.equal(made.length, 0, "nothing is done without an answer");
    await pause.click();
    await dialog(page).getByRole("button", { name: "Pause entries" }).click();
    await page.locator("#risk-state", { hasText: "Paused" }).waitFor();
    await pause.filter({ hasText: "Resume entries" }).click();
    await dialog(page).getByRole("button", { name: "Resume entries" }).click();
    await page.locator("#risk-state", { hasText: "Active" }).waitFor();
    assert.equal(made.length, 2);
    assert.ok(made[0].key && made[1].key && made[0].key !== made[1].key, "each command has a key of its own");
    await done();
  },

  async "everything is closed after a question that says what"(browser) {
    const { page, done } = await opened(browser, desktop);
    await login(page);
    const made = await calls(page, "/api/live/");
    await page.locator("#positions-total", { hasText: /open/ }).waitFor();
    const open = await page.locator("#position-list .position").count();
    await page.getByRole("button", { name: "Flatten…" }).click();
    const asked = dialog(page);
    assert.equal(await asked.getByRole("listitem").count(), open, "every open position is named");
    assert.equal(await asked.locator("select").inputValue(), "all");
    await asked.getByRole("button", { name: "Flatten now" }).click();
    await asked.waitFor({ state: "hidden" });
    assert.deepEqual(made.map((each) => each.body), [{}, { book: "all" }], "entries are paused first");
    await page.locator("#position-list .empty").waitFor();
    await page.locator("#pause", { hasText: "Resume entries" }).click();
    await dialog(page).getByRole("button", { name: "Resume entries" }).click();
    await page.locator("#risk-state", { hasText: "Active" }).waitFor();
    await done();
  },

  async "a halt is told, and an admin resets it with a reason"(browser) {
    let halted = false;
    const { page, done } = await opened(browser, desktop, {
      expected: [/ERR_FAILED/],
      prepare: async (page) => {
        await page.route("**/api/live/risk-status", async (route) => {
          const response = await route.fetch();
          const body = await response.json();
          await route.fulfill({ response, json: halted && response.ok() ? { ...body, state: "halted" } : body });
        });
      },
    });
    await login(page);
    assert.ok(await page.locator("#reset").isHidden(), "there is nothing to reset");
    halted = true;
    await page.route("**/api/stream**", (route) => route.abort());
    await page.reload();
    await page.locator("#risk-state", { hasText: "Halted" }).waitFor();
    await shot(page, "desktop-halted");
    const made = await calls(page, "/api/live/reset-halt");
    await page.locator("#reset").click();
    await dialog(page).getByRole("button", { name: "Reset" }).click();
    await dialog(page).getByText("A reason is needed").waitFor();
    assert.equal(made.length, 0);
    await dialog(page).getByLabel("Why it is safe to go on").fill("the feed was checked by hand");
    halted = false;
    await dialog(page).getByRole("button", { name: "Reset" }).click();
    await page.locator("#risk-state", { hasText: "Active" }).waitFor();
    assert.deepEqual(made.map((each) => each.body), [{ reason: "the feed was checked by hand" }]);
    assert.ok(await page.locator("#reset").isHidden());
    await done();
  },

  async "settings are changed after a question that tells the difference"(browser) {
    const { page, done } = await opened(browser, desktop, { expected: [/status of 422/] });
    await login(page);
    const field = page.locator("#settings-form [name=risk_per_trade]");
    await until(page, "the settings are not there", () => field.inputValue(), (value) => value !== "");
    const before = await field.inputValue();
    await field.fill("nonsense");
    await page.getByRole("button", { name: "Apply…" }).click();
    await page.locator("#settings-complaint", { hasText: "above 0" }).waitFor();
    await field.fill("50");
    await page.getByRole("button", { name: "Apply…" }).click();
    await dialog(page).getByText(`Risk per trade: ${before} % → 50 %`).waitFor();
    await dialog(page).getByRole("button", { name: "Apply", exact: true }).click();
    await dialog(page).locator(".complaint", { hasText: /allowed/ }).waitFor();
    await page.keyboard.press("Escape");
    const other = before === "1" ? "2" : "1";
    for (const [from, to] of [[before, other], [other, before]]) {
      await field.fill(to);
      await page.getByRole("button", { name: "Apply…" }).click();
      await dialog(page).getByText(`Risk per trade: ${from} % → ${to} %`).waitFor();
      await dialog(page).getByRole("button", { name: "Apply", exact: true }).click();
      await dialog(page).waitFor({ state: "hidden" });
      await until(page, "the setting is not in force", () => field.inputValue(), (value) => value === to);
    }
    await done();
  },

  async "a lost stream is told, and comes back behind the last message"(browser) {
    const { page, done } = await opened(browser, desktop, {
      expected: [/ERR_FAILED/],
      prepare: (page) => page.addInitScript(() => {
        const real = globalThis.fetch;
        globalThis.fetch = (url, options = {}) => {
          if (!String(url).includes("/api/stream")) return real(url, options);
          globalThis.line = new AbortController();
          return real(url, { ...options, signal: AbortSignal.any([options.signal, globalThis.line.signal]) });
        };
      }),
    });
    const asked = [];
    page.on("request", (request) => request.url().includes("/api/stream") && asked.push(request.headers()["last-event-id"]));
    await login(page);
    await until(page, "no message has come", () => page.locator("#scores-at").textContent(), (text) => text !== "");
    await page.route("**/api/stream**", (route) => route.abort());
    await page.evaluate(() => globalThis.line.abort());
    await page.locator("#banner", { hasText: "The live stream is lost" }).waitFor();
    await shot(page, "desktop-lost");
    await page.unroute("**/api/stream**");
    await page.getByRole("button", { name: "Try now" }).click();
    await page.locator("#stream-state", { hasText: "live" }).waitFor();
    await page.locator("#banner").waitFor({ state: "hidden" });
    assert.equal(asked[0], undefined, "the first connection begins with the present state");
    assert.match(asked.at(-1), /^.+-\d+$/, "the last one goes on behind a message");
    await done();
  },

  async "an expired token is renewed without a word, an ended session is told"(browser) {
    const { page, done } = await opened(browser, desktop, { expected: [/status of 401/, /status of 404/] });
    await typed(page);
    const spoil = (part) => page.evaluate((part) => {
      const kept = JSON.parse(sessionStorage.getItem("arb-session"));
      for (const each of part) kept[each] = "nonsense";
      sessionStorage.setItem("arb-session", JSON.stringify(kept));
    }, part);
    await spoil(["access"]);
    await page.reload();
    await page.locator("#stream-state", { hasText: "live" }).waitFor();
    assert.notEqual((await session(page)).access, "nonsense");
    await spoil(["access", "refresh"]);
    await page.reload();
    await page.getByText("The session has ended").waitFor();
    assert.equal(await session(page), null);
    assert.equal(await page.evaluate(() => document.body.dataset.view), "public");
    await typed(page);
    await page.getByRole("button", { name: "Log out" }).click();
    await page.locator("#welcome").waitFor();
    assert.equal(await session(page), null);
    await done();
  },

  async "hostile text stays text"(browser) {
    const evil = "<img src=x onerror=alert(1)><script>alert(2)</script>";
    const { page, done } = await opened(browser, desktop, {
      prepare: (page) => page.route("**/api/signals/history**", async (route) => {
        const response = await route.fetch();
        if (!response.ok()) return route.fulfill({ response });
        const factor = { score: 1, max: 5, inputs: { [evil]: 1 }, note: evil };
        const item = { time_ms: Date.now(), strategy: evil, symbol: evil, coin: evil, direction: "LONG", score: 80, tier: "heavy", fired: false, reason: evil, price: 1, factors: { [evil]: factor } };
        await route.fulfill({ response, json: { items: [item], next: null } });
      }),
    });
    await login(page);
    const row = page.locator("#signal-rows tr", { hasText: "onerror" }).first();
    await row.waitFor();
    await row.locator(".toggle").click();
    await page.locator("#signal-rows tr.detail:not([hidden])", { hasText: "onerror" }).waitFor();
    assert.equal(await page.locator("#signals img, #signals script").count(), 0);
    await done();
  },

  async "a phone shows everything without scrolling sideways"(browser) {
    for (const colorScheme of ["light", "dark"]) {
      const { page, done } = await opened(browser, { ...phone, colorScheme });
      await page.locator("#rates-rows tr").first().waitFor();
      assert.ok((await overflow(page)) <= 0);
      await shot(page, `phone-visitor-${colorScheme}`);
      await login(page);
      assert.ok((await overflow(page)) <= 0);
      await shot(page, `phone-${colorScheme}`);
      for (const name of ["Chart", "Positions", "Risk", "Signals"]) {
        await page.locator("#jump").getByRole("link", { name, exact: true }).tap();
        await shot(page, `phone-${colorScheme}-${name.toLowerCase()}`);
      }
      await page.locator("#signal-rows .toggle").first().tap();
      assert.ok((await overflow(page)) <= 0);
      await shot(page, `phone-${colorScheme}-whole`, { fullPage: true });
      const small = await page.evaluate(() => [...document.querySelectorAll("button, select, input:not([type=checkbox])")].filter((each) => each.checkVisibility() && each.getBoundingClientRect().height < 24).map((each) => each.outerHTML.slice(0, 100)));
      assert.deepEqual(small, [], "everything can be hit by a finger");
      await done();
    }
  },

  async "colours follow the system and the button, charts included, and the choice is kept"(browser) {
    const { page, done } = await opened(browser, { ...desktop, colorScheme: "light" });
    await login(page);
    const look = () => page.evaluate(() => [getComputedStyle(document.body).backgroundColor, document.getElementById("chart").layout.font.color]);
    const light = await look();
    assert.deepEqual(await faint(page), []);
    await shot(page, "desktop-light");
    await page.getByRole("button", { name: "Switch to dark colours" }).click();
    const dark = await until(page, "the chart keeps its colours", look, (now) => now.every((colour, at) => colour !== light[at]));
    assert.deepEqual(await faint(page), []);
    await page.reload();
    await page.locator("#chart .main-svg").first().waitFor();
    assert.equal((await look())[0], dark[0], "the choice is kept");
    await done();
  },

  async "everything is named, reached by keyboard, and stays where it is"(browser) {
    const { page, done } = await opened(browser, { ...desktop, reducedMotion: "reduce" }, {
      prepare: (page) => page.addInitScript(() => {
        globalThis.shifted = 0;
        new PerformanceObserver((list) => list.getEntries().forEach((each) => { if (!each.hadRecentInput) globalThis.shifted += each.value; })).observe({ type: "layout-shift", buffered: true });
      }),
    });
    await login(page);
    assert.deepEqual(await flaws(page), []);
    await page.evaluate(() => { document.activeElement.blur(); scrollTo(0, 0); });
    await page.reload();
    await page.locator("#score-cards .card").first().waitFor();
    await page.keyboard.press("Tab");
    assert.equal(await page.evaluate(() => document.activeElement.className), "skip");
    await page.keyboard.press("Tab");
    const ring = await page.evaluate(() => { const style = getComputedStyle(document.activeElement); return [style.outlineStyle, parseFloat(style.outlineWidth)]; });
    assert.ok(ring[0] !== "none" && ring[1] >= 2, `the focus is seen: ${ring}`);
    const before = (await texts(page, "#rates-rows td")).join();
    await until(page, "no rate has moved", async () => (await texts(page, "#rates-rows td")).join(), (now) => now !== before);
    assert.equal(await page.evaluate(() => document.getAnimations().length), 0, "nothing moves for who asked for rest");
    const shifted = await page.evaluate(() => globalThis.shifted);
    assert.ok(shifted < 0.1, `the layout shifted by ${shifted}`);
    await done();
  },
};

(async () => {
  const only = process.argv[4];
  const browser = await chromium.launch({ executablePath: "/usr/bin/chromium", args: flags });
  let failed = 0;
  for (const [claim, check] of Object.entries(checks)) {
    if (only && !claim.includes(only)) continue;
    try {
      await check(browser);
      console.log(`ok    ${claim}`);
    } catch (error) {
      failed += 1;
      console.log(`FAIL  ${claim}\n${error.stack}`);
      await Promise.all(browser.contexts().map((context) => context.close()));
    }
  }
  await browser.close();
  process.exitCode = failed > 0 ? 1 : 0;
})();
