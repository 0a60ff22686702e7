// Requests with the session's token; a 401 renews it once, for all requests that wait.
// Tokens live in sessionStorage and in headers, never in an address.

const KEY = "arb-session";
let session = read();
let renewal = null;
let ended = () => {};

/** An answer that is not what was asked for. */
export class Refused extends Error {
  constructor(status, detail) {
    super(Array.isArray(detail) ? detail.map((each) => each.msg).join("; ") : detail || `the server answered ${status}`);
    this.status = status;
    this.fields = Array.isArray(detail) ? detail : [];
  }
}

function read() {
  try {
    return JSON.parse(sessionStorage.getItem(KEY));
  } catch {
    return null;
  }
}

function keep(next) {
  session = next;
  try {
    if (next) sessionStorage.setItem(KEY, JSON.stringify(next));
    else sessionStorage.removeItem(KEY);
  } catch {
    // Without storage the session lasts as long as the page.
  }
}

/** Runs when the session has ended by itself. */
export const onEnd = (run) => (ended = run);

/** The user of a kept session, if there is one. */
export const user = () => session?.user ?? null;

const address = (path, query) => {
  const url = new URL(path, document.baseURI);
  for (const [name, value] of Object.entries(query ?? {})) if (value !== undefined && value !== null && value !== "") url.searchParams.set(name, value);
  return url;
};

async function answer(response) {
  const text = await response.text();
  let body = null;
  try {
    body = text ? JSON.parse(text) : null;
  } catch {
    body = null;
  }
  if (!response.ok) throw new Refused(response.status, body?.detail);
  return body;
}

const post = (path, body) => fetch(address(path), { method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify(body) });

/** Logs in or registers. */
export async function enter(path, body) {
  const told = await answer(await post(path, body));
  keep({ access: told.access_token, refresh: told.refresh_token, user: told.user });
  return told.user;
}

/** Ends the session here and, where it can be reached, at the server. */
export async function leave() {
  const refresh = session?.refresh;
  const headers = { ...bearer(), "Content-Type": "application/json" };
  keep(null);
  if (refresh) await fetch(address("api/logout"), { method: "POST", headers, body: JSON.stringify({ refresh_token: refresh }) }).catch(() => {});
}

/** The header that says who asks. */
export const bearer = () => (session ? { Authorization: `Bearer ${session.access}` } : {});

/** Exchanges the refresh token; the session ends where the server refuses it. */
export function renew() {
  renewal ??= (async () => {
    try {
      const told = await answer(await post("api/refresh", { refresh_token: session?.refresh ?? "" }));
      keep({ ...session, access: told.access_token, refresh: told.refresh_token ?? session.refresh });
      return true;
    } catch (error) {
      if (error instanceof Refused && error.status < 500 && error.status !== 429) {
        keep(null);
        ended();
      }
      return false;
    } finally {
      renewal = null;
    }
  })();
  return renewal;
}

/** A request as the session's user. `options` as for fetch; `path` is relative to the page. */
export async function ask(path, options = {}) {
  const url = address(path);
  const send = () => fetch(url, { ...options, headers: { ...options.headers, ...bearer() } });
  const before = session?.access;
  let response = await send();
  if (response.status === 401 && session && (session.access !== before || (await renew()))) response = await send();
  return response;
}

/** Reads. */
export const get = async (path, query) => answer(await ask(`${path}${address(path, query).search}`));

/** Changes something, at most once however often the request is repeated. */
export async function change(method, path, body) {
  const headers = { "Content-Type": "application/json", "Idempotency-Key": unique() };
  return answer(await ask(path, { method, headers, body: JSON.stringify(body ?? {}) }));
}

// crypto.randomUUID exists only over https and on this machine; this works everywhere.
const unique = () => [...crypto.getRandomValues(new Uint8Array(16))].map((byte) => byte.toString(16).padStart(2, "0")).join("");
