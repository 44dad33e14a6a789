// The Delivery tab: a table with a row for each pattern, and charts of it over time.
// Locust's page creates the element; it lives in a shadow tree, so neither's styles reach the other.

import "./advice.js";
import { ask, element, heed } from "./asking.js";
import { LineChart } from "./line_chart.js";
import { clock, count, number, percent } from "./units.js";

const EACH_MS = 2000;
const PROBLEM_MS = 20_000;
const HERE = new URL(".", import.meta.url);

const COLUMNS = [
  ["p50 (ms)", "Half of all deliveries since the start took at most this", (row) => number(row.p50_ms)],
  ["p99 (ms)", "99 % of all deliveries since the start took at most this", (row) => number(row.p99_ms)],
  ["Deliveries/s", "Over the last 5 seconds, all users together", (row) => number(row.rate_per_s)],
  ["Empty (%)", "Responses without a message; a stream has none", (row) => percent(row.empty_ratio)],
  ["Bytes/delivery", "HTTP bytes both ways, headers included", (row) => number(row.bytes)],
  ["Missed", "Messages that users never received, although they received newer ones", (row) => count(row.missed), true],
  ["Twice", "Deliveries of a message that the user already had", (row) => count(row.duplicated), true],
  ["Lag (ms)", "The usual delay of the load generator's event loop; all patterns share it", (row) => number(row.lag_ms)],
  ["Errors", "Requests that failed", (row) => count(row.errors), true],
];

const CHARTS = [
  { title: "Delivery latency, p50", scale: "log", column: 1, text: (value) => `${number(value)} ms` },
  { title: "Delivery latency, p99", scale: "log", column: 2, text: (value) => `${number(value)} ms` },
  { title: "Deliveries per second", scale: "linear", column: 3, text: number },
  { title: "Empty responses", scale: "percent", column: 4, text: (value) => `${percent(value)} %` },
];
const LATENCIES = [1, 2];
const DELIVERIES = 3;

// What the server has said: `state` is its last answer, `points` all it has told of the test that is shown.
class Live extends EventTarget {
  state = null;
  silent = false;
  points = {};

  async follow() {
    await this.ask();
    setTimeout(() => this.follow(), EACH_MS);
  }

  async ask() {
    const newest = Math.max(0, ...Object.values(this.points).map((points) => points.at(-1)?.[0] ?? 0));
    const known = this.state ? { scale: this.state.scale, after: newest } : {};
    try {
      this.take(await (await ask(`live?${new URLSearchParams(known)}`)).json());
    } catch {
      this.silent = true;
    }
    this.dispatchEvent(new Event("change"));
  }

  take(state) {
    if (state.scale !== this.state?.scale) this.points = {};
    for (const [pattern, fresh] of Object.entries(state.points)) {
      const older = (this.points[pattern] ?? []).filter((point) => point[0] < (fresh[0]?.[0] ?? Infinity));
      this.points[pattern] = [...older, ...fresh];
    }
    this.state = state;
    this.silent = false;
  }
}

const live = new Live();

class DeliveryTab extends HTMLElement {
  connectedCallback() {
    const root = this.shadowRoot ?? this.attachShadow({ mode: "open" });
    root.innerHTML = `
      <link rel="stylesheet" href="${new URL("delivery.css", HERE)}">
      <header><p role="status"></p><nav aria-label="Downloads"></nav></header>
      <p class="why" hidden></p>
      <p class="problem" role="alert" hidden></p>
      <div class="scroll"><table role="table">
        <caption>Deliveries of each pattern since the test started, or since the last reset</caption>
        <thead role="rowgroup"><tr role="row"></tr></thead><tbody role="rowgroup"></tbody>
      </table></div>
      <section class="charts" aria-label="Over time"></section>
      <pollbench-advice hidden></pollbench-advice>`;
    const heads = [["Pattern", ""], ...COLUMNS, ["Verdict", "Whether these figures can be trusted, and why not"]];
    root.querySelector("thead tr").append(...heads.map(([title, help]) => element("th", { role: "columnheader", scope: "col", title: help }, title)));
    this.charts = CHARTS.map((chart) => new LineChart(chart, (at) => this.point(at)));
    root.querySelector(".charts").append(...this.charts.map((chart) => chart.figure));
    this.show = () => this.render(root);
    live.addEventListener("change", this.show);
    document.addEventListener("click", this.recolour);
    this.resized = new ResizeObserver(this.show);
    this.resized.observe(this);
    this.show();
  }

  disconnectedCallback() {
    live.removeEventListener("change", this.show);
    document.removeEventListener("click", this.recolour);
    this.resized.disconnect();
  }

  // Locust's theme is a button of its page; it leaves no mark but the colours.
  recolour = () => requestAnimationFrame(() => this.show());

  // Show all charts at one instant, `null` for the newest.
  point(at) {
    for (const chart of this.charts) chart.point(at);
  }

  render(root) {
    const { state } = live;
    if (!state) return;
    this.classList.toggle("dark", isDark());
    root.querySelector("[role=status]").textContent = status(state);
    renderDownloads(root.querySelector("nav"), state, root.querySelector(".problem"));
    renderWhy(root.querySelector(".why"), state);
    root.querySelector("tbody").replaceChildren(...state.rows.map(tableRow));
    root.querySelector(".scroll").hidden = !state.rows.length;
    root.querySelector("pollbench-advice").hidden = state.phase !== "stopped";
    const latencies = Object.values(live.points).flat().flatMap((point) => LATENCIES.map((column) => point[column]));
    for (const [nth, chart] of this.charts.entries()) {
      const { column } = CHARTS[nth];
      const shown = series(state, column);
      const values = LATENCIES.includes(column) ? latencies.filter((value) => value !== null) : null;
      chart.draw(shown, state.width_s, values);
    }
  }
}

function status(state) {
  if (live.silent) return "Locust does not respond any more; these are its last figures.";
  if (state.phase === "none") return "Nothing has been measured yet.";
  const lost = state.workers.lost ? ` ${state.workers.lost} of ${state.workers.all} workers lost.` : "";
  const shares = state.shares ? ` ${state.shares}.` : "";
  const judge = state.ruled ? " The verdict is the report's." : "";
  if (state.phase === "stopped") return `Final figures of ${state.run}.${lost}${judge}${shares}`;
  return `Running for ${clock(state.elapsed_s)}.${lost}${shares}`;
}

function tableRow(row) {
  const bad = row.verdict === "VALID" ? "" : row.verdict.toLowerCase();
  const name = element("th", { role: "rowheader", scope: "row" }, element("i", { class: "swatch", "aria-hidden": "true" }), row.label);
  const cells = COLUMNS.map(([title, , text, isLoss]) => {
    const shown = text(row);
    return element("td", { role: "cell", "data-title": title, class: isLoss && shown !== "0" ? "loss" : "" }, shown);
  });
  const reasons = row.reasons.length ? element("span", {}, row.reasons.join("; ")) : "";
  const verdict = element("td", { role: "cell", "data-title": "Verdict", class: `verdict ${bad}` }, element("b", {}, row.verdict), " ", reasons);
  const line = element("tr", { role: "row" }, name, ...cells, verdict);
  paint(line, row.colour);
  return line;
}

function series(state, column) {
  return state.rows.map((row) => ({
    label: row.label,
    colour: row.colour,
    points: (live.points[row.pattern] ?? [])
      .filter((point) => point[column] !== null)
      .map((point) => [
        Math.max(0, point[0] * state.width_s - state.from_s),
        column === DELIVERIES ? point[column] / state.width_s : point[column],
      ]),
  })).filter((each) => each.points.length);
}

function renderDownloads(nav, state, problem) {
  if (!nav.childElementCount) {
    for (const { name, title } of state.downloads) {
      const button = element("button", { type: "button" }, `Download ${title}`);
      button.addEventListener("click", () => heed(button, problem, () => download(name)));
      nav.append(button);
    }
    nav.append(element("a", { class: "before" }));
  }
  for (const [nth, { problem: why }] of state.downloads.entries()) {
    const button = nav.children[nth];
    button.disabled = Boolean(why) || button.hasAttribute("aria-busy");
    button.title = why;
  }
  const before = nav.querySelector(".before");
  before.hidden = !state.before;
  before.href = new URL(`../report.html?${new URLSearchParams({ run: state.before })}`, HERE);
  before.textContent = `Download the report of ${state.before}`;
}

// What cannot be had of a test that has ended is said before anybody asks for it.
function renderWhy(line, state) {
  const why = state.phase === "stopped" ? [...new Set(state.downloads.map((each) => each.problem).filter(Boolean))] : [];
  line.hidden = !why.length;
  line.textContent = why.length ? `No report: ${why.join("; ")}.` : "";
}

async function download(file) {
  const answer = await ask(file);
  const name = /filename=([^;]+)/.exec(answer.headers.get("content-disposition"))?.[1] ?? file;
  const url = URL.createObjectURL(await answer.blob());
  element("a", { href: url, download: name.replaceAll('"', "") }).click();
  setTimeout(() => URL.revokeObjectURL(url), 60_000);
}

// A refusal must be seen on whatever tab: Locust closes its dialog, and has no place of its own for it.
function renderProblem() {
  const { number: latest = 0, text = "" } = live.state?.problem ?? {};
  if (renderProblem.seen === undefined) renderProblem.seen = latest;
  if (latest === renderProblem.seen) return;
  renderProblem.seen = latest;
  document.querySelector("pollbench-problem")?.remove();
  const box = element("pollbench-problem", { role: "alert" }, text, " ");
  const close = element("button", { type: "button", "aria-label": "Close" }, "\u00d7");
  close.addEventListener("click", () => box.remove());
  box.append(close);
  document.body.append(box);
  setTimeout(() => box.remove(), PROBLEM_MS);
}

function isDark() {
  const [red, green, blue] = getComputedStyle(document.body).backgroundColor.match(/[\d.]+/g).map(Number);
  return red + green + blue < 384;
}

function paint(node, colour) {
  node.style.setProperty("--light", colour.light);
  node.style.setProperty("--text", colour.text);
  node.style.setProperty("--dark", colour.dark);
}

document.head.append(element("link", { rel: "stylesheet", href: new URL("problem.css", HERE) }));
customElements.define("pollbench-delivery", DeliveryTab);
live.addEventListener("change", renderProblem);
live.follow();
