// The report in a browser, as a reader uses it. Run by scripts/report-check.
"use strict";
const assert = require("node:assert/strict");
const path = require("node:path");
const { chromium } = require("playwright-core");
const [, , work, shots] = process.argv;

const flags = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking", "--disable-component-update", "--disable-sync"];
const desktop = { viewport: { width: 1440, height: 1000 } };
const phone = { viewport: { width: 390, height: 844 }, isMobile: true, hasTouch: true, deviceScaleFactor: 2 };

// A page that fails the check with the first thing it complains about or asks for.
async function opened(browser, name, options, chart = "market") {
  const context = await browser.newContext({ timezoneId: "Asia/Tokyo", ...options });
  const page = await context.newPage();
  const complaints = [];
  page.on("console", (message) => complaints.push(`console: ${message.text()}`));
  page.on("pageerror", (error) => complaints.push(`error: ${error.message}`));
  page.on("dialog", (dialog) => { complaints.push(`dialog: ${dialog.message()}`); dialog.dismiss(); });
  const address = `file://${path.join(work, name)}`;
  page.on("request", (request) => { if (request.url() !== address && !/^(data|blob):/.test(request.url())) complaints.push(`request: ${request.url()}`); });
  await page.goto(address);
  await page.waitForSelector(`#${chart} .main-svg`);
  return { page, done: async () => { assert.deepEqual(complaints, []); await context.close(); } };
}

const drawn = (page) => page.evaluate(() => new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done))));
const range = (page) => page.evaluate(() => document.getElementById("market").layout.xaxis.range.map((text) => Date.parse(`${text.replace(" ", "T")}Z`)));
async function settled(page, wanted) {
  for (let tries = 0; tries < 100; tries++) {
    const [from, to] = await range(page);
    if (wanted(to - from)) return;
    await drawn(page);
  }
  assert.fail(`the range stays ${await range(page)}`);
}
const shot = (page, name, more = {}) => page.screenshot({ path: path.join(shots, `${name}.png`), ...more });
const overflow = (page) => page.evaluate(() => document.documentElement.scrollWidth - innerWidth);

async function plotArea(page) {
  await page.evaluate(() => document.getElementById("charts").scrollIntoView({ behavior: "instant" }));
  await drawn(page);
  return page.locator("#market .nsewdrag").first().boundingBox();
}

const checks = {
  async "dragging zooms all panes, a double click and the buttons zoom back"(browser) {
    const { page, done } = await opened(browser, "one.html", { ...desktop, colorScheme: "light" });
    const whole = await range(page);
    const box = await plotArea(page);
    const y = box.y + 300;
    await page.mouse.move(box.x + box.width * 0.25, y);
    await page.mouse.down();
    await page.mouse.move(box.x + box.width * 0.5, y, { steps: 6 });
    await page.mouse.up();
    await settled(page, (length) => length < (whole[1] - whole[0]) * 0.4);
    const near = await range(page);
    const share = (at) => (at - whole[0]) / (whole[1] - whole[0]);
    assert.ok(Math.abs(share(near[0]) - 0.25) < 0.02 && Math.abs(share(near[1]) - 0.5) < 0.02, `${near.map(share)}`);
    const axes = await page.evaluate(() => new Set(document.getElementById("market").data.map((trace) => trace.xaxis ?? "x")).size);
    assert.equal(axes, 1, "all panes share one axis");
    const first = await page.evaluate(() => document.getElementById("market").data[0].x[0]);
    assert.ok(Date.parse(`${first}Z`) >= near[0] - 3600e3, "only what is in view is drawn, finer");
    await page.mouse.dblclick(box.x + box.width * 0.5, y);
    await settled(page, (length) => length === whole[1] - whole[0]);
    await page.getByRole("button", { name: "Zoom in" }).press("Enter");
    await drawn(page);
    const half = await range(page);
    assert.ok(Math.abs((half[1] - half[0]) / (whole[1] - whole[0]) - 0.5) < 0.01);
    await page.getByRole("button", { name: "Later" }).click();
    assert.ok((await range(page))[0] > half[0]);
    await page.getByRole("button", { name: "Whole period" }).click();
    assert.deepEqual(await range(page), whole);
    await done();
  },

  async "hovering tells the figures of every pane, in UTC"(browser) {
    const { page, done } = await opened(browser, "one.html", { ...desktop, colorScheme: "light" });
    const box = await plotArea(page);
    await page.mouse.move(box.x + box.width * 0.6, box.y + 400);
    await page.waitForSelector("#market .hoverlayer .legend");
    const told = (await page.locator("#market .hoverlayer").textContent()).replaceAll("\u00a0", " ");
    for (const part of ["equity", "drawdown", "open", "high", "30 min", "4 h", "day"]) assert.ok(told.includes(part), `${part}: ${told}`);
    const at = Date.parse("2024-06-01T00:00:00Z") + 0.6 * ((await range(page))[1] - (await range(page))[0]);
    const title = await page.locator("#market .hoverlayer .legendtitletext").textContent();
    assert.ok(Math.abs(Date.parse(`${title.replace(" ", "T")}Z`) - at) < 600e3, `${title} is not ${new Date(at).toISOString()}`);
    await shot(page, "desktop-hover");
    await done();
  },

  async "the theme follows the system and its button, charts included"(browser) {
    const { page, done } = await opened(browser, "one.html", { ...desktop, colorScheme: "dark" });
    const look = () => page.evaluate(() => [document.documentElement.dataset.theme, getComputedStyle(document.body).backgroundColor, document.getElementById("market").layout.paper_bgcolor, document.getElementById("distribution").layout.font.color]);
    const dark = await look();
    assert.equal(dark[0], "dark");
    await shot(page, "desktop-dark");
    await page.getByRole("button", { name: "Switch to light colours" }).click();
    const light = await look();
    assert.equal(light[0], "light");
    dark.forEach((value, at) => assert.notEqual(value, light[at]));
    await shot(page, "desktop-light");
    await page.reload();
    await page.waitForSelector("#market .main-svg");
    assert.equal((await look())[0], "light", "the choice is kept");
    await done();
  },

  async "decisions are paged, filtered, and open to their factors"(browser) {
    const { page, done } = await opened(browser, "one.html", { ...desktop, colorScheme: "light" });
    const list = page.locator("#decision-list");
    const lines = list.locator("tbody > tr:not(.detail):not(.detail *)");
    assert.ok((await page.locator("*").count()) < 9_000, "the document stays small");
    const status = list.locator(".pager span");
    const whole = await status.textContent();
    await list.locator("tbody .toggle").first().press("Enter");
    const detail = list.locator("tr.detail").first();
    for (const part of ["direction", "crowding", "/ 40", "large_flow_15m", "absent"]) assert.ok((await detail.textContent()).includes(part), part);
    await list.locator("tbody .toggle").first().click();
    assert.equal(await list.locator("tr.detail").count(), 0);
    await page.locator("[data-kind]").first().click();
    assert.notEqual(await status.textContent(), whole);
    await list.locator("select").nth(0).selectOption("entry");
    for (const line of await lines.allTextContents()) assert.ok(line.includes("yes"), line);
    await list.locator("select").nth(0).selectOption("");
    await list.locator("select").nth(2).selectOption("SHORT");
    for (const line of await lines.allTextContents()) assert.ok(line.includes("SHORT") && !line.includes("LONG"), line);
    await list.locator("input").fill("nothing has this text");
    assert.equal(await status.textContent(), "no decisions");
    await list.locator("input").fill("threshold:");
    assert.ok((await lines.count()) > 0);
    await list.locator("input").fill("");
    await list.getByRole("button", { name: "Next" }).click();
    assert.ok((await status.textContent()).startsWith("26–50"));
    await done();
  },

  async "trades are sorted by their headings and shown on the chart"(browser) {
    const { page, done } = await opened(browser, "one.html", { ...desktop, colorScheme: "light" });
    const list = page.locator("#trade-list");
    const column = async () => (await list.locator("tbody tr td:nth-last-child(2)").allTextContents()).filter((text) => text !== "–").map((text) => Number(text.replace("−", "-")));
    await list.getByRole("button", { name: "R", exact: true }).click();
    const falling = await column();
    assert.ok(falling.length > 2);
    assert.deepEqual(falling, [...falling].sort((a, b) => b - a));
    assert.equal(await list.locator("th[aria-sort]").getAttribute("aria-sort"), "descending");
    await list.getByRole("button", { name: "R", exact: true }).click();
    assert.deepEqual(await column(), [...falling].sort((a, b) => a - b));
    const whole = await range(page);
    await list.getByRole("button", { name: "chart" }).first().click();
    const near = await range(page);
    assert.ok(near[1] - near[0] < (whole[1] - whole[0]) / 2);
    await done();
  },

  async "the instrument is chosen for price and flow, equity stays"(browser) {
    const { page, done } = await opened(browser, "two.html", { ...desktop, colorScheme: "light" });
    const traces = () => page.evaluate(() => { const { data } = document.getElementById("market"); return [data[0].y[0], data.find((trace) => trace.type === "candlestick").open.at(-1)]; });
    const before = await traces();
    await page.locator("#instrument").selectOption({ label: "ETHUSDT" });
    const after = await traces();
    assert.equal(after[0], before[0]);
    assert.notEqual(after[1], before[1]);
    assert.ok((await page.locator("#results").textContent()).includes("v51_baseline"));
    assert.ok((await page.locator("#decisions").textContent()).includes("one in"), "the cap is told");
    await shot(page, "desktop-two", { fullPage: true });
    await done();
  },

  async "a phone shows everything without scrolling sideways, and scrolls over the chart"(browser) {
    for (const colorScheme of ["light", "dark"]) {
      const { page, done } = await opened(browser, "two.html", { ...phone, colorScheme });
      assert.ok((await overflow(page)) <= 0);
      await page.locator("#decision-list .toggle").first().tap();
      assert.ok((await overflow(page)) <= 0);
      await shot(page, `phone-${colorScheme}`, { fullPage: true });
      const box = await plotArea(page);
      const [x, y] = [box.x + box.width / 2, 500];
      const before = await page.evaluate(() => scrollY);
      const client = await page.context().newCDPSession(page);
      const touch = (type, touchPoints) => client.send("Input.dispatchTouchEvent", { type, touchPoints });
      await touch("touchStart", [{ x, y }]);
      for (let moved = 30; moved <= 300; moved += 30) await touch("touchMove", [{ x, y: y - moved }]);
      await touch("touchEnd", []);
      await drawn(page);
      assert.ok((await page.evaluate(() => scrollY)) > before + 150, "the page scrolls");
      await page.getByRole("button", { name: "Zoom in" }).tap();
      await done();
    }
  },

  async "a hostile name is only text"(browser) {
    const { page, done } = await opened(browser, "hostile.html", { ...desktop, colorScheme: "light" });
    assert.equal(await page.locator("img").count(), 0);
    assert.ok((await page.locator("main").textContent()).includes("<img src=x onerror=alert(1)>"));
    await done();
  },

  async "the carry is zoomed, hovered, and its pairs are shown on the chart"(browser) {
    const { page, done } = await opened(browser, "carry.html", { ...desktop, colorScheme: "light" });
    const whole = await range(page);
    const box = await plotArea(page);
    await page.mouse.move(box.x + box.width * 0.5, box.y + 300);
    await page.waitForSelector("#market .hoverlayer .legend");
    const told = (await page.locator("#market .hoverlayer").textContent()).replaceAll("\u00a0", " ");
    for (const part of ["equity", "funding", "fees", "basis", "held", "% a year", "bps"]) assert.ok(told.includes(part), `${part}: ${told}`);
    await shot(page, "carry-hover");
    await page.mouse.down();
    await page.mouse.move(box.x + box.width * 0.75, box.y + 300, { steps: 6 });
    await page.mouse.up();
    await settled(page, (length) => length < (whole[1] - whole[0]) * 0.3);
    await page.getByRole("button", { name: "Whole period" }).click();
    assert.deepEqual(await range(page), whole);
    await page.locator("#market-choice").selectOption({ label: "ZUSDT" });
    assert.ok((await page.locator("#market .annotation").allTextContents()).every((text) => !text.includes("Basis, bps")), "no basis without prices");
    await page.locator("#pair-list").getByRole("button", { name: "chart" }).first().click();
    const near = await range(page);
    assert.ok(near[1] - near[0] < whole[1] - whole[0]);
    for (let times = 0; times < 5; times++) await page.getByRole("button", { name: "Zoom in" }).click();
    const gaps = await page.evaluate(() => document.getElementById("market").data.filter((trace) => trace.mode === "lines" && !trace.connectgaps).length);
    assert.equal(gaps, 0, "hours are joined however near");
    await shot(page, "carry-near");
    const figures = (await page.locator(".card .figure").allTextContents()).slice(0, 4).map((text) => Number(text.replace("−", "-").replaceAll(/[+,]/g, "")));
    assert.ok(Math.abs(figures[0] - figures[1] - figures[2] - figures[3]) < 0.02, `${figures}`);
    await page.getByRole("button", { name: "Switch to dark colours" }).click();
    await shot(page, "carry-dark", { fullPage: true });
    await done();
  },

  async "the sweep's heat map follows its choices"(browser) {
    const { page, done } = await opened(browser, "sweep.html", { ...desktop, colorScheme: "dark" }, "heat");
    const choice = (at) => page.locator("#heat-controls select").nth(at);
    const cells = () => page.evaluate(() => JSON.stringify(document.getElementById("heat").data[0].z));
    const before = await cells();
    await choice(1).selectOption("test");
    const test = await cells();
    assert.notEqual(test, before);
    await choice(0).selectOption("trades");
    assert.notEqual(await cells(), test);
    const sides = () => page.evaluate(() => [document.getElementById("heat").data[0].x.length, document.getElementById("heat").data[0].y.length]);
    const [across, up] = await sides();
    await choice(2).selectOption("1");
    await choice(3).selectOption("0");
    assert.deepEqual(await sides(), [up, across]);
    await page.evaluate(() => document.getElementById("heat").scrollIntoView({ block: "center", behavior: "instant" }));
    await drawn(page);
    const box = await page.locator("#heat .nsewdrag").first().boundingBox();
    await page.mouse.move(box.x + 60, box.y + 60);
    await page.waitForSelector("#heat .hoverlayer .hovertext");
    await page.getByRole("button", { name: "Switch to light colours" }).click();
    await shot(page, "sweep-light", { fullPage: true });
    await done();
  },

  async "carry and sweep fit a phone"(browser) {
    for (const [name, chart] of [["carry.html", "market"], ["sweep.html", "heat"]]) {
      const { page, done } = await opened(browser, name, { ...phone, colorScheme: "light" }, chart);
      assert.ok((await overflow(page)) <= 0, name);
      await shot(page, `phone-${name.replace(".html", "")}`, { fullPage: true });
      await done();
    }
  },

  async "every control is reached by keyboard, and text has contrast"(browser) {
    for (const colorScheme of ["light", "dark"]) {
      const { page, done } = await opened(browser, "one.html", { ...desktop, colorScheme });
      await page.keyboard.press("Tab");
      assert.equal(await page.evaluate(() => document.activeElement.className), "skip");
      const unreachable = await page.evaluate(() => [...document.querySelectorAll("button, select, input, summary, a[href]")].filter((each) => each.tabIndex < 0).length);
      assert.equal(unreachable, 0);
      const low = await page.evaluate(() => {
        const style = getComputedStyle(document.documentElement);
        const light = (name) => {
          const channels = style.getPropertyValue(`--${name}`).trim().match(/[0-9a-f]{2}/gi).slice(0, 3).map((hex) => parseInt(hex, 16) / 255);
          const [r, g, b] = channels.map((c) => (c <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4));
          return 0.2126 * r + 0.7152 * g + 0.0722 * b;
        };
        const contrast = (a, b) => (Math.max(light(a), light(b)) + 0.05) / (Math.min(light(a), light(b)) + 0.05);
        return ["text", "muted", "gain", "loss", "accent"].flatMap((name) => ["page", "panel"].filter((back) => contrast(name, back) < 4.5).map((back) => `${name} on ${back}`));
      });
      assert.deepEqual(low, []);
      await done();
    }
  },

  async "it prints in light colours on the width of a page"(browser) {
    const { page, done } = await opened(browser, "one.html", { ...desktop, colorScheme: "dark" });
    await page.evaluate(() => dispatchEvent(new Event("beforeprint")));
    await page.emulateMedia({ media: "print" });
    const [theme, width] = await page.evaluate(() => [document.documentElement.dataset.theme, document.querySelector("#market .main-svg").clientWidth]);
    assert.equal(theme, "light");
    assert.ok(width <= 720, `${width}`);
    await page.emulateMedia({ media: null });
    await page.evaluate(() => dispatchEvent(new Event("afterprint")));
    await page.pdf({ path: path.join(shots, "print.pdf"), format: "A4", margin: { top: "1cm", bottom: "1cm", left: "1cm", right: "1cm" } });
    assert.equal(await page.evaluate(() => document.documentElement.dataset.theme), "dark", "and comes back");
    await done();
  },
};

(async () => {
  const browser = await chromium.launch({ executablePath: "/usr/bin/chromium", args: flags });
  let failed = 0;
  for (const [claim, check] of Object.entries(checks)) {
    try {
      await check(browser);
      console.log(`ok    ${claim}`);
    } catch (error) {
      failed += 1;
      console.log(`FAIL  ${claim}\n${error.stack}`);
    }
  }
  await browser.close();
  process.exitCode = failed > 0 ? 1 : 0;
})();
