// Live messages over one fetch: server-sent events with the token in a header. A lost connection
// comes back by itself, behind the last message that arrived.

import { ask } from "./api.js";

const FIRST_WAIT = 500;
const LONGEST_WAIT = 20_000;
const SILENCE = 35_000;

/** Splits the bytes of an event stream into `{id, topic, data}`. */
export class Parser {
  #rest = "";

  /** Takes text as it comes and gives the messages it completes. */
  push(text) {
    const blocks = (this.#rest + text).replaceAll("\r\n", "\n").split("\n\n");
    this.#rest = blocks.pop();
    return blocks.map(message).filter((each) => each.data !== "");
  }
}

function message(block) {
  const told = { id: null, topic: "message", data: "" };
  for (const line of block.split("\n")) {
    const cut = line.indexOf(":");
    if (cut < 1) continue;
    const value = line.slice(cut + 1).replace(/^ /, "");
    const field = line.slice(0, cut);
    if (field === "id") told.id = value;
    else if (field === "event") told.topic = value;
    else if (field === "data") told.data += told.data ? `\n${value}` : value;
  }
  return told;
}

/** A connection that is kept until `close`. `heard(topic, data)`; `changed({state, wait, why})`. */
export class Live {
  #last = null;
  #tries = 0;
  #cut = null;
  #timer = null;
  #closed = false;

  constructor(topics, heard, changed) {
    this.topics = topics.join(",");
    this.heard = heard;
    this.changed = changed;
    this.#run();
  }

  /** Ends it for good. */
  close() {
    this.#closed = true;
    clearTimeout(this.#timer);
    this.#cut?.abort();
  }

  /** Tries again now instead of when the wait is over. */
  retry() {
    if (this.#closed || this.#cut) return;
    clearTimeout(this.#timer);
    this.#run();
  }

  async #run() {
    this.#cut = new AbortController();
    let why = "the server ended the stream";
    try {
      why = (await this.#read(this.#cut)) ?? why;
    } catch (error) {
      why = error.name === "AbortError" ? "nothing was heard for 35 s" : error.message;
    }
    this.#cut = null;
    if (this.#closed) return;
    const wait = Math.min(FIRST_WAIT * 2 ** this.#tries, LONGEST_WAIT) * (0.8 + Math.random() * 0.4);
    this.#tries += 1;
    this.changed({ state: "lost", wait, why });
    this.#timer = setTimeout(() => this.#run(), wait);
  }

  async #read(cut) {
    this.changed({ state: "connecting" });
    const headers = { Accept: "text/event-stream", ...(this.#last ? { "Last-Event-ID": this.#last } : {}) };
    const response = await ask(`api/stream?topics=${encodeURIComponent(this.topics)}`, { headers, signal: cut.signal, cache: "no-store" });
    if (!response.ok) {
      const told = await response.json().catch(() => null);
      return typeof told?.detail === "string" ? told.detail : `the server answered ${response.status}`;
    }
    const parser = new Parser();
    const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
    let alarm = setTimeout(() => cut.abort(), SILENCE);
    this.changed({ state: "open" });
    try {
      for (;;) {
        const { value, done } = await reader.read();
        if (done) return null;
        clearTimeout(alarm);
        alarm = setTimeout(() => cut.abort(), SILENCE);
        for (const each of parser.push(value)) {
          const end = this.#hear(each);
          if (end) return end;
        }
      }
    } finally {
      clearTimeout(alarm);
    }
  }

  #hear({ id, topic, data }) {
    const body = JSON.parse(data);
    if (topic === "dropped") return body.reason;
    if (id) this.#last = id;
    this.#tries = 0;
    this.heard(topic, body);
    return null;
  }
}
