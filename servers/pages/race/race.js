/**
 * The race page: starts a client per lane, keeps the clocks compared, and shows who got what when.
 */
import { ask } from "./ask.js";
import { Offset, compare, resolution } from "./clock.js";
import { Knob } from "./knob.js";
import { showPush } from "./push_row.js";
import { Row } from "./row.js";
import { heeded, say } from "./say.js";
import { waitFor } from "./waiting.js";
import { count, latency, milliseconds, names, rateWords, seconds } from "./words.js";

const ORDER = ["short_polling", "long_polling", "chunked", "sse", "websocket"];
const TEXT_EVERY_MS = 250;
const STATE_EVERY_MS = 1000;
const DRAWN_MS = 30_000; // more than any strip shows
const CLOCK = location.origin.replace(/^http/, "ws") + "/race/clock";
const EXCHANGES = 8;
const GONE = { url: "/race/gone", bytes: 0, requests: 0, empty: 0 }; // a server started again with fewer patterns

const byId = (id) => document.getElementById(id);
const narrow = matchMedia("(max-width: 60rem)");
const still = matchMedia("(prefers-reduced-motion: reduce)");
const never = new AbortController().signal;

class Race {
  #shownMs = 0;
  #drawnMs = 0;
  #summary;
  #awaited;

  constructor() {
    this.offset = new Offset(resolution());
    this.published = new Map();
    this.rows = []; // lanes of our feed
    this.guests = [];
    this.intervalMs = 2000;
    this.rate = new Knob("rate", [0, 0.1, 0.2, 0.5, 1, 2, 5, 10, 20, 50], rateWords, heeded((perS) => this.#setRate(perS)));
    this.interval = new Knob("interval", [0.2, 0.5, 1, 2, 5, 10, 30], seconds, heeded((s) => this.#setInterval(s)));
    this.rtt = new Knob("rtt", [0, 10, 20, 40, 80, 160, 320, 640], milliseconds, heeded((ms) => this.#setRtt(ms)));
    this.interval.set(this.intervalMs / 1000);
    byId("publish").addEventListener("click", heeded(() => this.#publish()));
    byId("cut").addEventListener("click", heeded(() => this.#cut()));
    byId("pause").addEventListener("click", () => this.#pause());
    byId("link").addEventListener("click", heeded(() => this.#copyLink()));
  }

  async run() {
    await compare(CLOCK, this.offset, 2 * EXCHANGES);
    const state = await ask("/race/state");
    await this.#lineUp(state);
    this.#take(state);
    if (location.hash) await heeded((asked) => this.#obey(asked))(new URLSearchParams(location.hash.slice(1)));
    for (const row of this.everyone) row.start();
    requestAnimationFrame(() => this.#frame());
    for (;;) {
      await waitFor(never, { ms: STATE_EVERY_MS });
      await this.#refresh();
      this.#forget(performance.now() - DRAWN_MS);
    }
  }

  get everyone() {
    return [...this.rows, ...this.guests];
  }

  // What the rows ask of the race.

  now() {
    return performance.now();
  }

  /** Turn a server's instant into one of this page. Above 2^53 ns, 104 days of uptime, a number may be 1 ns off. */
  pageTime(ns) {
    return ns / 1e6 - this.offset.offsetMs;
  }

  delivered(row, id, dueMs, atMs) {
    this.published.set(id, dueMs);
    row.element.dispatchEvent(
      new CustomEvent("delivery", { bubbles: true, detail: { lane: row.name, id, latencyMs: atMs - dueMs } }),
    );
    if (this.#awaited?.id === id && this.#awaited.rows.delete(row)) {
      this.#awaited.told.push(`${row.label} ${latency(atMs - dueMs, this.offset.errorMs)}`);
      if (this.#awaited.rows.size === 0) this.#tell();
    }
  }

  /** A lane has another state: say so once all that happens together has happened. */
  changed() {
    clearTimeout(this.#summary);
    this.#summary = setTimeout(() => {
      const running = this.everyone.filter((row) => row.running);
      const lost = running.filter((row) => row.state === "waiting" || row.state === "offline");
      const words = lost.length ? `${names(lost)}: no connection, trying again.` : `${running.length} lanes are running.`;
      if (words !== this.summarised) say(words);
      this.summarised = words;
    }, 700);
  }

  // Setting up, and keeping up with the server.

  async #lineUp(state) {
    const place = ({ protocol }) => (ORDER.includes(protocol) ? ORDER.indexOf(protocol) : ORDER.length);
    for (const pattern of state.lanes.toSorted((a, b) => place(a) - place(b))) {
      const options = () => (pattern.protocol === "short_polling" ? { intervalMs: this.intervalMs } : {});
      await this.#add(this.rows, pattern, options, state.newest_id);
    }
    for (const guest of state.guests) await this.#add(this.guests, guest, () => ({}), 0);
  }

  async #add(rows, pattern, options, lastId) {
    const { follow } = await import(`./${pattern.protocol}.js`);
    const row = new Row(byId("row"), pattern, follow, options, lastId, this);
    rows.push(row);
    byId("rows").append(row.element);
  }

  async #refresh() {
    try {
      this.#take(await ask("/race/state"));
      await compare(CLOCK, this.offset, EXCHANGES);
    } catch (problem) {
      byId("counted").textContent = `The server does not answer (${problem.message}). Start it again, and this page goes on.`;
    }
  }

  #take(state) {
    const lanes = new Map(state.lanes.map((lane) => [lane.name, lane]));
    if (state.token !== this.token) this.#meet(state.token, lanes);
    for (const row of this.rows) row.carried((lanes.get(row.name) ?? GONE).bytes);
    const [, rate] = /^(?:steady|poisson):([^,]+)/.exec(state.schedule) ?? [];
    if (rate || state.schedule === "manual") this.rate.set(Number(rate ?? 0));
    else this.rate.set(0, state.schedule); // bursts, say, which the slider does not make
    this.rtt.set(state.rtt_ms);
    this.#showCounts(lanes);
    byId("without").hidden = state.without.length === 0;
    byId("without").textContent = `No lane for ${state.without.join(", ")}: no module of this page speaks its protocol.`;
    showPush(state);
  }

  /** A server that was not there before: its lanes have other addresses, and it has counted nothing of ours yet. */
  #meet(token, lanes) {
    const first = this.token === undefined;
    this.token = token;
    this.countedBefore = new Map();
    for (const row of this.rows) {
      const { url, bytes, requests, empty } = lanes.get(row.name) ?? GONE;
      if (!first) {
        row.url = url;
        row.lane.sent = { requests: 0, empty: 0 };
        if (row.running) row.start();
      }
      this.countedBefore.set(row.name, first ? { requests, empty } : { requests: 0, empty: 0 });
      row.restart(first ? bytes : 0);
    }
    if (!first) this.published.clear();
  }

  #showCounts(lanes) {
    const total = { sent: 0, counted: 0, sentEmpty: 0, countedEmpty: 0 };
    for (const row of this.rows) {
      const before = this.countedBefore.get(row.name);
      total.sent += row.lane.sent.requests;
      total.sentEmpty += row.lane.sent.empty;
      const { requests, empty } = lanes.get(row.name) ?? GONE;
      total.counted += requests - before.requests;
      total.countedEmpty += empty - before.empty;
    }
    byId("counted").textContent =
      `This page has sent ${count(total.sent)} requests, of which ${count(total.sentEmpty)} came back empty; since then the ` +
      `server has counted ${count(total.counted)} and ${count(total.countedEmpty)}, from all open pages.`;
  }

  // What the controls do. Figures start again with every change: a median over two settings is of neither.

  /** Set what the address asks for: rate, interval and rtt. What is not there, or no number, stays as it is. */
  async #obey(asked) {
    const number = (name) => (asked.has(name) ? Number(asked.get(name)) : NaN);
    if (number("rate") >= 0) await ask("/api/schedule", "PUT", { schedule: number("rate") ? `poisson:${number("rate")}` : "manual" });
    if (number("rtt") >= 0) await ask("/race/rtt", "PUT", { rtt_ms: number("rtt") });
    if (number("interval") > 0) {
      this.intervalMs = number("interval") * 1000;
      this.interval.set(number("interval"));
    }
    this.#take(await ask("/race/state"));
  }

  async #setRate(perS) {
    await ask("/api/schedule", "PUT", { schedule: perS ? `poisson:${perS}` : "manual" });
    this.#restart(await ask("/race/state"), `${rateWords(perS)}.`);
  }

  async #setRtt(ms) {
    this.#restart(await ask("/race/rtt", "PUT", { rtt_ms: ms }), `Round trip ${ms} ms.`);
  }

  async #setInterval(s) {
    this.intervalMs = s * 1000;
    for (const row of this.rows) if (row.protocol === "short_polling" && row.running) row.start();
    this.#restart(await ask("/race/state"), `Short poll every ${seconds(s)}.`);
  }

  #restart(state, words) {
    const lanes = new Map(state.lanes.map((lane) => [lane.name, lane]));
    for (const row of this.everyone) row.restart((lanes.get(row.name) ?? GONE).bytes);
    this.#take(state);
    say(`${words} Figures start again.`);
    this.#remember();
  }

  /** Keep the settings in the address, so that it can be passed on. */
  #remember() {
    const settings = { rate: this.rate.value, interval: this.interval.value, rtt: this.rtt.value };
    history.replaceState(null, "", `#${new URLSearchParams(settings)}`);
  }

  async #copyLink() {
    this.#remember();
    await navigator.clipboard.writeText(location.href);
    say("The address of this race, with its settings, is copied.");
  }

  async #publish() {
    const rows = this.rows.filter((row) => row.running);
    const { id } = await ask("/api/message?content=published%20by%20hand", "POST");
    const told = [];
    this.#awaited = { id, told, rows: new Set(rows.filter((row) => !row.has(id))) };
    const already = rows.filter((row) => row.has(id)).map((row) => row.label);
    if (already.length) told.push(`${already.join(", ")} at once`);
    say(`Message ${count(id)} is published …`);
  }

  #tell() {
    say(`Message ${count(this.#awaited.id)}: ${this.#awaited.told.join(", ")}.`);
    this.#awaited = undefined;
  }

  async #cut() {
    this.summarised = "";
    this.#take(await ask("/race/cut", "POST"));
    say("All connections are cut. The clients come back by themselves, and resume where they were.");
  }

  #pause() {
    this.paused = !this.paused;
    byId("pause").setAttribute("aria-pressed", this.paused);
  }

  // Drawing.

  #frame() {
    const nowMs = performance.now();
    if (!this.paused && nowMs - this.#shownMs >= TEXT_EVERY_MS) {
      this.#shownMs = nowMs;
      this.#showFigures();
    }
    // Who asked for less motion gets a new picture once a second instead of one that flows.
    if (!this.paused && nowMs - this.#drawnMs >= (still.matches ? 1000 : 0)) {
      this.#drawnMs = nowMs;
      this.#draw(nowMs);
    }
    requestAnimationFrame(() => this.#frame());
  }

  #draw(nowMs) {
    const spanMs = narrow.matches ? 6000 : 12_000;
    const grid = getComputedStyle(document.documentElement).getPropertyValue("--grid");
    for (const row of this.everyone) row.draw(this.published, nowMs, spanMs, grid);
    byId("span").textContent = spanMs / 1000;
  }

  #showFigures() {
    const { errorMs, exchanges } = this.offset;
    for (const row of this.everyone) row.showFigures(errorMs);
    const bound = `± ${errorMs.toPrecision(2)} ms`;
    byId("clock").textContent = `latencies are exact to ${bound}`;
    byId("bound").textContent =
      `The server stamps when a message is due, this page when it has it, each by its own clock. ${exchanges} exchanges ` +
      `with the server bound the difference of the two to ${bound}; that is how far off a latency can be.`;
  }

  #forget(beforeMs) {
    for (const [id, dueMs] of this.published) if (dueMs < beforeMs) this.published.delete(id);
    for (const row of this.everyone) row.forget(beforeMs);
  }
}

await new Race().run();
