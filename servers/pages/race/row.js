/**
 * One lane on the page: its client, what it got, and the row that shows it.
 */
import { Lane } from "./lane.js";
import { Strip } from "./strip.js";
import { count, latency, ratio } from "./words.js";

/** How the client of each protocol goes about it, in a line. */
const HOW = {
  short_polling: "asks at an interval",
  long_polling: "asks, and is held",
  chunked: "one response, JSON lines",
  sse: "EventSource",
  websocket: "one socket, both ways",
  guest: "your own; when its messages were due is unknown",
};
const STATES = { open: "open", connecting: "asking", offline: "offline", hidden: "waits while hidden", stopped: "stopped" };

export class Row {
  #stopping;
  #figures = {};
  #arrivals = new Map();
  #requests = [];

  /**
   * template: of the row. pattern: what /race/state says of the lane, or of a guest, whose messages are not the feed's;
   * options: () => what `follow` takes besides.
   * race: hears of every message, `race.delivered(row, message, atMs)`, and of every change of state.
   */
  constructor(template, pattern, follow, options, lastId, race) {
    const { name, label, protocol, url, light, dark } = pattern;
    Object.assign(this, { name, label, protocol, url, follow, options, race });
    this.isGuest = protocol === "guest";
    this.lane = new Lane(lastId);
    this.element = template.content.firstElementChild.cloneNode(true);
    this.element.dataset.lane = this.name;
    this.element.style.setProperty("--light", light);
    this.element.style.setProperty("--dark", dark);
    this.element.querySelector("b").textContent = this.label;
    this.element.querySelector(".how").textContent = HOW[protocol] ?? "";
    this.stateText = this.element.querySelector(".state");
    this.toggleButton = this.element.querySelector(".toggle");
    this.toggleButton.addEventListener("click", () => (this.running ? this.stop() : this.start()));
    const canvas = this.element.querySelector("canvas");
    canvas.setAttribute("aria-label", `${this.label}: arrivals drawn over time; the figures are in this row`);
    this.strip = new Strip(canvas);
    for (const cell of this.element.querySelectorAll("[data-figure]")) this.#figures[cell.dataset.figure] = cell;
  }

  get running() {
    return this.#stopping !== undefined;
  }

  /** Follow the feed from where this lane is. */
  start() {
    this.stop();
    this.lane.restart(this.race.now());
    this.#stopping = new AbortController();
    const { signal } = this.#stopping;
    this.follow(this.url, { ...this.options(), lastId: this.lane.lastId, signal, on: this.#observer(signal) });
    this.#showToggle();
  }

  /** Let go of the connection; the lane keeps its place in the feed. */
  stop() {
    this.#stopping?.abort();
    this.#stopping = undefined;
    this.#showState("stopped");
    this.#showToggle();
  }

  /** Begin the figures anew; bytes: what the lane has carried so far. */
  restart(bytes) {
    this.lane.restart(this.race.now());
    this.bytesBefore = bytes;
    this.bytesEach = undefined;
  }

  /** Hear how many bytes the lane has carried in all. */
  carried(bytes) {
    this.bytesBefore ??= bytes;
    this.bytesEach = this.lane.messages ? (bytes - this.bytesBefore) / this.lane.messages : undefined;
  }

  /** Forget what is no longer drawn, or everything. */
  forget(beforeMs = Infinity) {
    this.#requests = this.#requests.filter(({ atMs }) => atMs >= beforeMs);
    for (const [id, atMs] of this.#arrivals) if (atMs < beforeMs) this.#arrivals.delete(id);
  }

  has(id) {
    return this.#arrivals.has(id);
  }

  draw(published, nowMs, spanMs, grid) {
    const marks = [];
    for (const [id, dueMs] of this.isGuest ? this.#arrivals : published) {
      const arrivedMs = this.#arrivals.get(id);
      if ((arrivedMs ?? nowMs) >= nowMs - spanMs) marks.push({ id, dueMs, arrivedMs });
    }
    const colour = getComputedStyle(this.element).getPropertyValue("--line");
    this.strip.draw({ nowMs, spanMs, marks, requests: this.#requests, colour, grid });
  }

  showFigures(errorMs) {
    const { lane } = this;
    this.#show("latest", latency(lane.latestMs, errorMs));
    this.#show("median", latency(lane.medianMs, errorMs));
    this.#show("worst", latency(lane.worstMs, errorMs));
    this.#show("messages", count(lane.messages) + trouble(lane));
    this.#show("requests", count(lane.requests));
    this.#show("empty", count(lane.empty));
    this.#show("bytes", this.bytesEach === undefined ? "–" : ratio(this.bytesEach, 1));
    this.#figures.messages.classList.toggle("bad", trouble(lane) !== "");
  }

  /** What a client reports to, until its own signal aborts: what an old one still says is not of this lane any more. */
  #observer(signal) {
    const heard = (take) => (...said) => signal.aborted || take(...said);
    return {
      request: heard(() => {
        this.lane.request();
        this.#requests.push({ atMs: performance.now(), empty: false });
      }),
      empty: heard(() => {
        this.lane.emptyAnswer();
        const last = this.#requests.at(-1);
        if (last) last.empty = true;
      }),
      message: heard((message, atMs) => {
        const dueMs = this.isGuest ? undefined : this.race.pageTime(message.due_ns);
        this.lane.message(message.id, dueMs, atMs);
        this.#arrivals.set(message.id, atMs);
        if (!this.isGuest) this.race.delivered(this, message.id, dueMs, atMs);
      }),
      remark: heard((kind, firstId) => {
        this.lane.remark(kind, firstId);
        if (kind === "ahead") this.forget();
      }),
      state: heard((name, reason, ms) => this.#showState(name, reason, ms)),
    };
  }

  #showState(name, reason, ms) {
    if (name === this.state && name !== "waiting") return;
    // What came due while nobody looked and nobody asked would tell of the reader, not of the pattern.
    if (this.state === "hidden") this.lane.sinceMs = this.race.now();
    this.state = name;
    const wait = ms === undefined ? "" : `again in ${(ms / 1000).toFixed(1)} s: `;
    this.stateText.textContent = STATES[name] ?? `${wait}${reason}`;
    this.element.dataset.state = name;
    this.race.changed();
  }

  #showToggle() {
    this.toggleButton.textContent = this.running ? "Stop" : "Resume";
    this.toggleButton.setAttribute("aria-label", `${this.running ? "Stop" : "Resume"} ${this.label}`);
  }

  #show(figure, text) {
    const cell = this.#figures[figure];
    if (cell.textContent !== text) cell.textContent = text;
  }
}

function trouble({ missed, repeated }) {
  return (missed ? `, ${count(missed)} missed` : "") + (repeated ? `, ${count(repeated)} repeated` : "");
}
