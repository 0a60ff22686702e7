// Figures as people read them. An absent value is an en dash, never a zero.

const NONE = "–";
const known = (value) => typeof value === "number" && Number.isFinite(value);
const minus = (text) => text.replace("-", "−");
const shapes = new Map();

function shape(digits, sign) {
  const key = `${digits}${sign}`;
  let format = shapes.get(key);
  if (!format) shapes.set(key, (format = new Intl.NumberFormat("en-US", { minimumFractionDigits: digits, maximumFractionDigits: digits, signDisplay: sign })));
  return format;
}

const plain = (value, digits, sign = "auto") => (known(value) ? minus(shape(digits, sign).format(value)) : NONE);

/** A price with as many decimals as its size calls for. */
export function price(value) {
  if (!known(value)) return NONE;
  const size = Math.abs(value);
  if (size < 0.01) return minus(Number(value.toPrecision(5)).toFixed(10).replace(/0+$/, "").replace(/\.$/, ""));
  const digits = size >= 10_000 ? 1 : size >= 100 ? 2 : size >= 1 ? 4 : 5;
  return plain(value, digits);
}

/** An amount in quote currency. */
export const money = (value) => plain(value, Math.abs(value) >= 100_000 ? 0 : 2);
/** An amount with its sign. */
export const change = (value) => plain(value, Math.abs(value) >= 100_000 ? 0 : 2, "exceptZero");
/** A fraction as percent. */
export const percent = (value, digits = 2) => (known(value) ? `${plain(value * 100, digits)} %` : NONE);
/** A fraction as percent with its sign. */
export const drift = (value, digits = 2) => (known(value) ? `${plain(value * 100, digits, "exceptZero")} %` : NONE);
/** Multiples of the risk of a trade. */
export const r = (value, digits = 2) => (known(value) ? `${plain(value, digits, "exceptZero")} R` : NONE);
/** A plain number. */
export const number = (value, digits = 0) => plain(value, digits);
/** Basis points with their sign. */
export const bps = (value, digits = 1) => plain(value, digits, "exceptZero");

/** Any number in little room: 1.24 M, 812 k, 0.0042. */
export function short(value) {
  if (!known(value)) return NONE;
  const size = Math.abs(value);
  if (size >= 1e9) return `${plain(value / 1e9, 2)} G`;
  if (size >= 1e6) return `${plain(value / 1e6, 2)} M`;
  if (size >= 1e4) return `${plain(value / 1e3, 1)} k`;
  if (size >= 100) return plain(value, 1);
  if (size >= 1 || size === 0) return plain(value, size === 0 ? 0 : 2);
  return minus(Number(value.toPrecision(3)).toString());
}

/** Base units of a position that are still open. */
export const openQty = ({ open_qty, qty }) => open_qty ?? qty;

/** gain or loss by the sign. */
export const tone = (value) => (!known(value) || value === 0 ? "" : value > 0 ? "gain" : "loss");

const two = (value) => String(value).padStart(2, "0");

/** HH:MM:SS in UTC. */
export function clock(ms) {
  if (!known(ms)) return NONE;
  const date = new Date(ms);
  return `${two(date.getUTCHours())}:${two(date.getUTCMinutes())}:${two(date.getUTCSeconds())}`;
}

/** The time of today, else the day before it. */
export function moment(ms, now) {
  if (!known(ms)) return NONE;
  const day = (at) => Math.floor(at / 86_400_000);
  if (day(ms) === day(now)) return clock(ms);
  const date = new Date(ms);
  return `${two(date.getUTCMonth() + 1)}-${two(date.getUTCDate())} ${clock(ms).slice(0, 5)}`;
}

/** h:mm:ss until something. */
export function countdown(ms) {
  if (!known(ms)) return NONE;
  const seconds = Math.max(0, Math.floor(ms / 1000));
  return `${Math.floor(seconds / 3600)}:${two(Math.floor(seconds / 60) % 60)}:${two(seconds % 60)}`;
}

/** A length of time in its two largest units. */
export function length(ms) {
  if (!known(ms)) return NONE;
  const seconds = Math.max(0, Math.round(ms / 1000));
  if (seconds < 60) return `${seconds} s`;
  if (seconds < 3600) return `${Math.floor(seconds / 60)} min`;
  if (seconds < 86_400) return `${Math.floor(seconds / 3600)} h ${two(Math.floor(seconds / 60) % 60)}`;
  return `${Math.floor(seconds / 86_400)} d ${Math.floor(seconds / 3600) % 24} h`;
}

/** The name of a rule or factor in words. */
export const words = (name) => String(name ?? "").replaceAll("_", " ");

/** BTC of BTCUSDT, else the symbol itself. */
export const coin = (symbol) => (/^[A-Z0-9]+USDT$/.test(symbol ?? "") ? symbol.slice(0, -4) : symbol ?? NONE);

/** LONG or SHORT in the way of chips. */
export const side = (direction) => (direction === "LONG" ? { text: "Long", tone: "long" } : direction === "SHORT" ? { text: "Short", tone: "short" } : { text: "None", tone: "" });

const FACTS = {
  complete_15m: "Trades of the last 15 minutes are missing",
  complete_30m: "Trades of the last 30 minutes are missing",
  complete_4h: "Trades of the last 4 hours are missing",
  cvd_4h: "The 4 h CVD does not point the same way",
  atr: "There is no ATR yet",
};
const REFUSALS = { "state is ReduceOnly": "the engine only reduces", "state is Halted": "the engine is halted" };

/** Why a decision fired or not, in a sentence. */
export function reason(signal) {
  const text = String(signal.reason ?? "").replace(/\d{4}-\d\d-\d\dT(\d\d:\d\d:\d\d)(\.\d+)?Z/g, "$1 UTC");
  if (signal.fired) return "Entry approved";
  if (text === "no_direction") return "The order flow points nowhere";
  if (text === "signal_flip") return "Closes the opposite position";
  if (text === "entry") return "Wants an entry";
  const gate = /^(\w+): (\S+) against (\S+)$/.exec(text);
  if (gate && gate[1] === "threshold") return `Score ${minus(gate[2])} of the ${gate[3]} it takes`;
  if (gate) return `${capital(words(gate[1]))} is ${minus(gate[2])}, the limit is ${minus(gate[3])}`;
  const fact = /^(\w+): not met$/.exec(text);
  if (fact) return FACTS[fact[1]] ?? `${capital(words(fact[1]))} is not met`;
  if (text === "busy: position") return "Already in a position";
  const busy = /^busy: (.*)$/.exec(text);
  if (busy) return `Busy: ${words(busy[1])}`;
  const risk = /^risk: (.*)$/.exec(text);
  if (risk) return `Refused by risk: ${REFUSALS[risk[1]] ?? words(risk[1])}`;
  return capital(words(text));
}

/** With a capital at the front. */
export const capital = (text) => text.charAt(0).toUpperCase() + text.slice(1);
