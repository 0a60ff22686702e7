// What the page knows, and who wants to hear of it.

const listeners = new Map();

/** The page's knowledge; written by `tell` only. */
export const known = {
  user: null,
  /** Somebody has just logged in by hand. */
  entered: false,
  rates: {},
  symbol: null,
  signals: {},
  positions: null,
  risk: null,
  config: null,
  history: {},
};

/** Calls `run(value)` for each message of a topic. */
export function hear(topic, run) {
  const all = listeners.get(topic) ?? [];
  all.push(run);
  listeners.set(topic, all);
}

/** Hands a message to all who hear the topic; one that fails does not keep it from the others. */
export function tell(topic, value) {
  for (const run of listeners.get(topic) ?? []) {
    try {
      run(value);
    } catch (error) {
      console.error(`${topic}:`, error);
    }
  }
}

const LADDER = ["viewer", "user", "trader", "admin"];

/** Whether the logged-in user has at least this role. */
export const may = (role) => known.user !== null && LADDER.indexOf(known.user.role) >= LADDER.indexOf(role);

/** Prefix of the account's endpoints in the present mode. */
export const book = () => (known.risk?.mode === "live" ? "api/live" : "api/paper");

let offset = 0;

/** Sets the server's clock by a time it told, ms. */
export function setClock(ms) {
  offset = ms - Date.now();
}

/** The server's time, ms. */
export const now = () => Date.now() + offset;

/** Coins with order flow: those whose key is not their symbol. */
export const coins = () => Object.entries(known.rates).filter(([key, rate]) => key !== rate.symbol).map(([key]) => key);
