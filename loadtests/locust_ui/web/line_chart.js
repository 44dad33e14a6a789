// A line chart that names each line at its end, with the value there; pointing at an instant shows the values then.

import { clock } from "./units.js";

const HEIGHT = 240;
const MARGIN = { top: 8, right: 205, bottom: 24, left: 52 };
const NARROW = { px: 480, right: 14 };
const LABEL_GAP = 15;
const SILENCE_S = 10;

export class LineChart {
  // told: called with the instant pointed at, in seconds since the start, or null for the newest.
  constructor({ title, scale, text }, told) {
    this.scale = scale;
    this.text = text;
    this.title = title;
    this.told = told;
    this.at = null;
    this.series = [];
    this.figure = document.createElement("figure");
    const caption = document.createElement("figcaption");
    caption.textContent = title;
    this.svg = shape("svg", { tabindex: 0, role: "img", height: HEIGHT });
    this.legend = document.createElement("ul");
    this.figure.append(caption, this.svg, this.legend);
    this.svg.addEventListener("pointerdown", (event) => told(this.instantAt(event.offsetX)));
    this.svg.addEventListener("pointermove", (event) => told(this.instantAt(event.offsetX)));
    this.svg.addEventListener("pointerleave", () => told(null));
    this.svg.addEventListener("keydown", (event) => this.key(event));
    this.svg.addEventListener("blur", () => told(null));
  }

  // series: [{label, colour, points: [[seconds, value], ...]}]; width_s: how far apart points are.
  // values: what the y axis must reach, `null` for what is drawn; charts to be compared share it.
  draw(series, width_s, values) {
    this.series = series;
    this.width_s = width_s;
    this.values = values ?? series.flatMap((each) => each.points.map((point) => point[1]));
    this.render();
  }

  point(at) {
    this.at = at;
    this.render();
  }

  key(event) {
    const step = { ArrowLeft: -this.width_s, ArrowRight: this.width_s }[event.key];
    if (event.key === "Escape") this.told(null);
    if (!step) return;
    event.preventDefault();
    this.told(Math.min(this.end, Math.max(0, (this.at ?? this.end) + step)));
  }

  // On a narrow screen the lines are named beneath the chart, or there would be no room for it.
  get narrow() {
    return this.width < NARROW.px;
  }

  get right() {
    return this.narrow ? NARROW.right : MARGIN.right;
  }

  get end() {
    return Math.max(0, ...this.series.map((each) => each.points.at(-1)[0]));
  }

  instantAt(x) {
    const share = (x - MARGIN.left) / Math.max(1, this.width - MARGIN.left - this.right);
    return share < 0 || share > 1 ? null : share * this.span;
  }

  render() {
    this.figure.hidden = !this.series.length;
    if (this.figure.hidden) return;
    this.width = this.figure.clientWidth;
    this.span = Math.max(10, this.end);
    const { ticks, y } = SCALES[this.scale](this.values);
    const x = (seconds) => MARGIN.left + (seconds / this.span) * (this.width - MARGIN.left - this.right);
    const nodes = [...this.yAxis(ticks, y), ...this.xAxis(x)];
    const ends = this.series.map((each) => ({ each, point: nearest(each.points, this.at) }));
    for (const each of this.series) nodes.push(line(each, x, y, this.width_s));
    if (this.at !== null) {
      nodes.push(shape("line", { class: "cursor", x1: x(this.at), x2: x(this.at), y1: MARGIN.top, y2: HEIGHT - MARGIN.bottom }));
    }
    nodes.push(...this.labels(ends, x, y));
    this.svg.setAttribute("width", this.width);
    this.svg.setAttribute("aria-label", this.description(ends));
    this.svg.replaceChildren(...nodes);
    this.legend.hidden = !this.narrow;
    this.legend.replaceChildren(...(this.narrow ? ends.map((end) => this.entry(end)) : []));
  }

  description(ends) {
    const when = this.at === null ? "newest" : `at ${clock(this.at)}`;
    return `${this.title}, ${when}: ${ends.map(({ each, point }) => `${each.label} ${this.text(point[1])}`).join(", ")}`;
  }

  yAxis(ticks, y) {
    return ticks.flatMap(({ at, text }) => [
      shape("line", { class: "grid", x1: MARGIN.left, x2: this.width - this.right, y1: y(at), y2: y(at) }),
      label(text, { class: "tick", x: MARGIN.left - 8, y: y(at) + 4, "text-anchor": "end" }),
    ]);
  }

  xAxis(x) {
    const step = [5, 10, 30, 60, 120, 300, 600, 1800, 3600, 7200, 21600].find((each) => this.span / each <= 6) ?? 86400;
    const instants = Array.from({ length: Math.floor(this.span / step) + 1 }, (_, nth) => nth * step);
    return instants.map((at) => label(clock(at), { class: "tick", x: x(at), y: HEIGHT - 6, "text-anchor": "middle" }));
  }

  entry({ each, point }) {
    const item = document.createElement("li");
    const swatch = document.createElement("i");
    swatch.className = "swatch";
    const value = document.createElement("span");
    value.className = "value";
    value.textContent = this.text(point[1]);
    item.append(swatch, each.label, value);
    return paint(item, each.colour);
  }

  labels(ends, x, y) {
    const wanted = ends.map(({ point }) => y(point[1]));
    const placed = spread(wanted, LABEL_GAP, MARGIN.top + 6, HEIGHT - MARGIN.bottom);
    return ends.flatMap(({ each, point }, nth) => {
      const mark = shape("circle", { class: "mark", cx: x(point[0]), cy: wanted[nth], r: 3 });
      if (this.narrow) return [paint(mark, each.colour)];
      const text = label(each.label, { class: "label", x: this.width - MARGIN.right + 12, y: placed[nth] + 4 });
      const value = shape("tspan", { class: "value", dx: 6 });
      value.textContent = this.text(point[1]);
      text.append(value);
      return [mark, text].map((node) => paint(node, each.colour));
    });
  }
}

// A line breaks where nothing came for a while, so that a silence is seen.
function line(each, x, y, width_s) {
  const silence_s = Math.max(SILENCE_S, 5 * width_s);
  const path = each.points.map(([at, value], nth) => {
    const joined = nth > 0 && at - each.points[nth - 1][0] <= silence_s;
    return `${joined ? "L" : "M"}${x(at).toFixed(1)} ${y(value).toFixed(1)}`;
  });
  return paint(shape("path", { class: "line", d: path.join("") }), each.colour);
}

function nearest(points, at) {
  if (at === null) return points.at(-1);
  return points.reduce((best, point) => (Math.abs(point[0] - at) < Math.abs(best[0] - at) ? point : best));
}

function logarithmic(values) {
  const low = Math.floor(Math.log10(Math.min(...values)));
  const high = Math.max(low + 1, Math.ceil(Math.log10(Math.max(...values))));
  const powers = Array.from({ length: high - low + 1 }, (_, nth) => low + nth);
  const ticks = powers.map((power) => ({ at: 10 ** power, text: milliseconds(power) }));
  return { ticks, y: (value) => position((Math.log10(value) - low) / (high - low)) };
}

function milliseconds(power) {
  if (power >= 3) return `${10 ** (power - 3)} s`;
  return power >= 0 ? `${10 ** power} ms` : `${(10 ** power).toFixed(-power)} ms`;
}

function percentage() {
  return { ticks: [0, 0.5, 1].map((at) => ({ at, text: `${100 * at} %` })), y: position };
}

function linear(values) {
  const most = Math.max(1, ...values);
  const power = 10 ** Math.floor(Math.log10(most / 2));
  const step = [1, 2, 5, 10].map((each) => each * power).find((each) => most / each <= 4);
  const high = Math.ceil(most / step) * step;
  const ticks = Array.from({ length: Math.round(high / step) + 1 }, (_, nth) => ({ at: nth * step, text: (nth * step).toLocaleString("en") }));
  return { ticks, y: (value) => position(value / high) };
}

const SCALES = { log: logarithmic, linear, percent: percentage };

function position(share) {
  return HEIGHT - MARGIN.bottom - share * (HEIGHT - MARGIN.top - MARGIN.bottom);
}

// Positions as near as possible to those wanted, in their order, `gap` apart, between top and bottom.
function spread(wanted, gap, top, bottom) {
  const order = wanted.map((_, nth) => nth).sort((one, other) => wanted[one] - wanted[other]);
  const pools = [];
  order.forEach((nth, rank) => {
    let [total, members] = [wanted[nth] - rank * gap, 1];
    while (pools.length && pools.at(-1)[0] / pools.at(-1)[1] > total / members) {
      const [before, more] = pools.pop();
      [total, members] = [total + before, members + more];
    }
    pools.push([total, members]);
  });
  const level = pools.flatMap(([total, members]) => Array(members).fill(total / members));
  const highest = bottom - (order.length - 1) * gap;
  const placed = [];
  order.forEach((nth, rank) => {
    placed[nth] = Math.min(Math.max(level[rank], top), Math.max(top, highest)) + rank * gap;
  });
  return placed;
}

function paint(node, colour) {
  node.style.setProperty("--light", colour.light);
  node.style.setProperty("--text", colour.text);
  node.style.setProperty("--dark", colour.dark);
  return node;
}

function label(text, attributes) {
  const node = shape("text", attributes);
  node.textContent = text;
  return node;
}

function shape(tag, attributes) {
  const node = document.createElementNS("http://www.w3.org/2000/svg", tag);
  for (const [name, value] of Object.entries(attributes)) node.setAttribute(name, value);
  return node;
}
