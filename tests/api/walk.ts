// The front end's way through the API, with a client whose types come from the OpenAPI document:
// register, log in, rates, signals, paper, refresh on 401, log out. Run by scripts/api-check.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import createClient, { type Middleware } from "openapi-fetch";
import type { paths } from "./schema.js";

type Ready = { rest: string; admin: { email: string; password: string } };
const [, , readyFile] = process.argv;
assert.ok(readyFile, "usage: walk.js READY.json");
const ready: Ready = JSON.parse(readFileSync(readyFile, "utf8"));

let access = "";
let refresh = "";
let refreshed = 0;

const client = createClient<paths>({ baseUrl: ready.rest });

// What a front end does: adds the token, and where it is refused asks for a new one, once.
const authorised: Middleware = {
  onRequest({ request }) {
    if (access) request.headers.set("Authorization", `Bearer ${access}`);
    return request;
  },
  async onResponse({ request, response }) {
    if (response.status !== 401 || !refresh || request.url.endsWith("/api/refresh")) return response;
    const answer = await fetch(`${ready.rest}/api/refresh`, {
      method: "POST",
      headers: { "Content-Type": "application/json" },
      body: JSON.stringify({ refresh_token: refresh }),
    });
    if (!answer.ok) return response;
    const tokens: { access_token: string; refresh_token: string } = await answer.json();
    access = tokens.access_token;
    refresh = tokens.refresh_token;
    refreshed += 1;
    const again = new Request(request.url, { method: request.method, headers: request.headers });
    again.headers.set("Authorization", `Bearer ${access}`);
    return fetch(again);
  },
};
client.use(authorised);

function got<T>(what: string, answer: { data?: T; error?: unknown; response: Response }): T {
  assert.ok(answer.response.ok, `${what}: ${answer.response.status} ${JSON.stringify(answer.error)}`);
  assert.ok(answer.data !== undefined, `${what}: no body`);
  return answer.data;
}

// Nobody waits for a fixed time: a condition is asked for until it holds.
async function until<T>(what: string, ask: () => Promise<T | undefined>): Promise<T> {
  for (let tries = 0; tries < 240; tries += 1) {
    const found = await ask();
    if (found !== undefined) return found;
    await new Promise((again) => setTimeout(again, 250));
  }
  return assert.fail(`${what} did not happen within a minute`);
}

const health = got("health", await client.GET("/api/health"));
assert.ok(["ok", "degraded"].includes(health.status));

const rates = got("rates", await client.GET("/api/rates"));
const btc = rates["BTC"];
assert.ok(btc, `BTC is among ${Object.keys(rates)}`);
assert.equal(typeof btc.mark_price, "number");
assert.equal(btc.symbol, "BTCUSDT");

const unknown = await client.POST("/api/login", { body: { email: "nobody@example.org", password: "wrong-password-1" } });
assert.equal(unknown.response.status, 401);
const closed = await client.GET("/api/stats");
assert.equal(closed.response.status, 401, "statistics need a token");

const admin = got("login", await client.POST("/api/login", { body: ready.admin }));
assert.equal(admin.token_type, "bearer");
assert.equal(admin.user.role, "admin");
({ access_token: access, refresh_token: refresh } = admin);

const invite = got("invite", await client.POST("/api/invites", { body: { role: "user", uses: 1 } }));
const email = `walker-${process.pid}@example.org`;
const password = "a walk along the shore";
const user = got("register", await client.POST("/api/register", { body: { email, password, invite_code: invite.code } }));
assert.equal(user.user.role, "user");
const twice = await client.POST("/api/register", { body: { email, password, invite_code: invite.code } });
assert.ok([400, 409].includes(twice.response.status));
({ access_token: access, refresh_token: refresh } = user);

const me = got("me", await client.GET("/api/me"));
assert.equal(me.email, email);
assert.match(me.created_at, /^\d{4}-\d\d-\d\dT.*Z$/);

const latest = await until("a decision about BTC", async () => {
  const signals = got("latest", await client.GET("/api/signals/latest"));
  return signals["BTC"] ?? undefined;
});
assert.ok(latest.score !== null && latest.score >= 0 && latest.score <= 100);
const both = got("latest of both", await client.GET("/api/signals/latest-v52"));
assert.ok(both["BTC"]);
const indicators = await until("indicators", async () => {
  const answer = got("indicators", await client.GET("/api/signals/indicators", { params: { query: { symbol: "BTC", minutes: 60 } } }));
  return answer.data.length > 0 ? answer : undefined;
});
assert.equal(indicators.symbol, "BTC", "coins are named as the caller names them");
got("history", await client.GET("/api/signals/history", { params: { query: { limit: 10 } } }));
got("market indicators", await client.GET("/api/signals/market-indicators", { params: { query: { symbol: "BTC" } } }));
got("kline", await client.GET("/api/kline", { params: { query: { symbol: "BTC", interval: "1m", limit: 50 } } }));
got("snapshots", await client.GET("/api/snapshots", { params: { query: { hours: 1 } } }));
got("stats", await client.GET("/api/stats"));
got("opportunities", await client.GET("/api/funding/opportunities"));

const summary = got("paper summary", await client.GET("/api/paper/summary"));
assert.ok(summary.equity > 0);
const positions = got("positions", await client.GET("/api/paper/positions"));
assert.ok(Array.isArray(positions.data));
got("equity curve", await client.GET("/api/paper/equity-curve"));
const live = await client.GET("/api/live/summary");
assert.equal(live.response.status, 409, "no live executor runs");
const forbidden = await client.POST("/api/live/pause", {});
assert.equal(forbidden.response.status, 403, "a user may not pause");

access = "expired";
const after = got("me after a refresh", await client.GET("/api/me"));
assert.equal(after.email, email);
assert.equal(refreshed, 1);

const bye = got("logout", await client.POST("/api/logout", { body: { refresh_token: refresh } }));
assert.equal(bye.ok, true);
const gone = await client.POST("/api/refresh", { body: { refresh_token: refresh } });
assert.equal(gone.response.status, 401, "a login that ended gives no more tokens");
console.log("the front end's walk: every step as the contract says");
