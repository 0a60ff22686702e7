// Candles of an instrument: read as minutes, kept live by the trades of the stream, shown in the
// minutes that fit the period.

const MINUTE = 60_000;

/** One-minute candles of the last day at most. */
export class Candles {
  #bars = [];

  /** Takes what was read; bars already kept live stay where they are newer. */
  fill(read) {
    const newest = read.at(-1)?.time_ms ?? 0;
    this.#bars = [...read.map((bar) => ({ ...bar })), ...this.#bars.filter((bar) => bar.time_ms > newest)];
  }

  /** Counts trades in. */
  add(trades) {
    for (const { time_ms, price, qty, is_buyer_maker } of trades) {
      const start = Math.floor(time_ms / MINUTE) * MINUTE;
      const last = this.#bars.at(-1);
      if (last && start < last.time_ms) continue;
      let bar = last;
      if (!last || start > last.time_ms) {
        bar = { time_ms: start, open: last?.close ?? price, high: price, low: price, close: price, volume: 0, delta: 0 };
        this.#bars.push(bar);
        if (this.#bars.length > 1500) this.#bars.shift();
      }
      bar.close = price;
      bar.high = Math.max(bar.high, price);
      bar.low = Math.min(bar.low, price);
      bar.volume += qty;
      bar.delta += is_buyer_maker ? -qty : qty;
    }
  }

  /** The newest minute. */
  get last() {
    return this.#bars.at(-1);
  }

  /** Candles of so many minutes since a time. */
  since(from, minutes) {
    const width = minutes * MINUTE;
    const out = [];
    for (const bar of this.#bars) {
      if (bar.time_ms < from) continue;
      const start = Math.floor(bar.time_ms / width) * width;
      const into = out.at(-1);
      if (into?.time_ms === start) {
        into.high = Math.max(into.high, bar.high);
        into.low = Math.min(into.low, bar.low);
        into.close = bar.close;
        into.volume += bar.volume;
        into.delta += bar.delta;
      } else {
        out.push({ ...bar, time_ms: start });
      }
    }
    return out;
  }
}

/** At most `most` rows, evenly, the newest always among them. */
export function thin(rows, most) {
  const step = Math.ceil(rows.length / most);
  return step <= 1 ? rows : rows.filter((_, index) => (rows.length - 1 - index) % step === 0);
}

/** Stretches in which windows were incomplete, as [from, to]. */
export function holes(rows) {
  const out = [];
  for (const row of rows) {
    if (row.complete !== false) continue;
    const last = out.at(-1);
    if (last && row.time_ms - last[1] <= 90_000) last[1] = row.time_ms;
    else out.push([row.time_ms, row.time_ms]);
  }
  return out;
}
