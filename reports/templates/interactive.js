// Draws a chart anew when a reader asks for it, so that it can be hovered and zoomed. Without this script, and on
// paper, the page's own pictures stand. Also: tables that sort, copying one as Markdown.
"use strict";
(() => {
  const THIN = "\u202f";
  const told = JSON.parse(document.getElementById("chart-data").textContent);
  const css = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();
  const element = (tag, properties = {}, ...children) => {
    const made = Object.assign(document.createElement(tag), properties);
    made.append(...children);
    return made;
  };

  // Three significant digits, and seconds where milliseconds grow long.
  function shown(value, unit) {
    if (value == null || !Number.isFinite(value)) return "–";
    if (unit === "rarity") return `${Number((100 * (1 - 1 / value)).toPrecision(5))}${THIN}%`;
    if (unit === "ms" && Math.abs(value) >= 1000) [value, unit] = [value / 1000, "s"];
    const digits = Math.abs(value) >= 100 ? Math.round(value) : Number(value.toPrecision(3));
    return `${digits.toLocaleString("en")}${unit ? THIN + unit : ""}`;
  }

  const scale = (log) => (log ? { distr: 3, log: 10 } : { distr: 1 });

  // On a log axis uPlot numbers every minor line; only those that begin with 1, 2 or 5 are named.
  const named = (log, unit) => (_plot, splits) =>
    splits.map((value) =>
      value == null || (log && !["1", "2", "5"].includes(String(Number(value.toPrecision(1)).toExponential())[0])) ? null : shown(value, unit));

  function options(chart, view, width) {
    const ink = css("--ink"), muted = css("--muted"), grid = css("--grid");
    const axis = (title, unit, log) => ({
      label: title, stroke: muted, font: "12px system-ui, sans-serif", labelFont: "12px system-ui, sans-serif",
      grid: { stroke: grid, width: 1 }, ticks: { stroke: grid, width: 1 }, values: named(log, unit), size: 64,
      filter: (_plot, splits) => splits,
    });
    return {
      width, height: 380,
      cursor: { drag: { x: true, y: false }, focus: { prox: 24 }, points: { size: 7 } },
      focus: { alpha: 0.25 },
      scales: { x: { time: false, range: (_plot, low, high) => [low, high], ...scale(chart.xLog) }, y: scale(view.yLog) },
      axes: [{ ...axis(chart.xTitle, chart.xUnit, chart.xLog), size: 40 }, axis(view.yTitle, view.yUnit, view.yLog)],
      legend: { live: true },
      series: [
        { label: chart.xTitle, value: (_plot, value) => (value == null ? "" : shown(value, chart.xUnit)) },
        ...view.series.map((line) => ({
          label: line.label, stroke: css(`--line-${line.pattern}`) || ink, width: 1.8, spanGaps: true,
          points: { show: view.x.length < 30, size: 6 },
          value: (_plot, value, _series, at) => shown(value, view.yUnit) + between(line, at, view.yUnit),
        })),
      ],
      hooks: {
        drawAxes: [(plot) => beneath(plot, view)],
        draw: [(plot) => marks(plot, view.marks ?? [], muted)],
      },
    };
  }

  // Between what the repeats lie, where that is more than a point.
  function between(line, at, unit) {
    const [low, high] = [line.low?.[at], line.high?.[at]];
    return low == null || high == null || low === high ? "" : ` (${shown(low, unit)} to ${shown(high, unit)})`;
  }

  // What the picture has beneath its lines: the band of the repeats, and single deliveries as dots.
  function beneath(plot, view) {
    const { ctx, bbox } = plot;
    const to = (x, y) => [plot.valToPos(x, "x", true), plot.valToPos(y, "y", true)];
    ctx.save();
    ctx.beginPath();
    ctx.rect(bbox.left, bbox.top, bbox.width, bbox.height);
    ctx.clip();
    for (const [nth, line] of view.series.entries()) {
      if (!plot.series[nth + 1].show) continue;
      ctx.fillStyle = css(`--line-${line.pattern}`);
      ctx.globalAlpha = 0.14;
      const edge = (values) => view.x.map((x, at) => [x, values[at]]).filter(([, y]) => y != null && (y > 0 || !view.yLog));
      if (line.low && line.high) {
        ctx.beginPath();
        for (const [x, y] of [...edge(line.low), ...edge(line.high).reverse()]) ctx.lineTo(...to(x, y));
        ctx.fill();
      }
      ctx.globalAlpha = 0.28;
      for (const [x, y] of line.dots ?? []) {
        if (y == null || (view.yLog && y <= 0)) continue;
        ctx.beginPath();
        ctx.arc(...to(x, y), 1.8 * devicePixelRatio, 0, 2 * Math.PI);
        ctx.fill();
      }
    }
    ctx.restore();
  }

  // A ring, and a dashed upright line, wherever one pattern overtakes another.
  function marks(plot, crossings, colour) {
    const { ctx, bbox } = plot;
    ctx.save();
    ctx.strokeStyle = colour;
    for (const { at, value } of crossings) {
      ctx.setLineDash([4, 4]);
      const x = Math.round(plot.valToPos(at, "x", true)) + 0.5;
      ctx.beginPath();
      ctx.moveTo(x, bbox.top);
      ctx.lineTo(x, bbox.top + bbox.height);
      ctx.stroke();
      ctx.setLineDash([]);
      ctx.beginPath();
      ctx.arc(x, plot.valToPos(value, "y", true), 6 * devicePixelRatio, 0, 2 * Math.PI);
      ctx.stroke();
    }
    ctx.restore();
  }

  class Explorer {
    constructor(figure, chart, button) {
      this.figure = figure;
      this.chart = chart;
      this.button = button;
      this.place = element("div", { className: "explorer", hidden: true });
      this.picture = figure.querySelector(".pictures");
      this.canvas = element("div");
      this.notes = element("ul", { className: "crossovers" });
      this.says = element("p", { className: "says" });
      this.says.setAttribute("aria-live", "polite");
      this.place.append(this.choices(), this.canvas, this.says, this.notes, element("p", {
        className: "hint", textContent: "Point at it or touch it for values, drag with a mouse to zoom, double-click for all of it. With the keyboard: "
          + "arrows for values, + and - to zoom, 0 for all of it.",
      }));
      this.picture.after(this.place);
      button.addEventListener("click", () => this.toggle());
      matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => this.draw());
      addEventListener("resize", () => this.plot?.setSize({ width: this.place.clientWidth, height: 380 }));
    }

    choices() {
      const views = this.chart.views;
      if (!views) return "";
      const choice = (title, values, text) => {
        const select = element("select", {}, ...[...new Set(values)].map((value) => element("option", { value, textContent: text(value) })));
        select.addEventListener("change", () => this.draw());
        select.setAttribute("aria-label", title);
        return [element("label", {}, `${title} `, select), select];
      };
      const [measure, measures] = choice("Show", views.map((view) => view.measure), (value) => value);
      const [held, helds] = choice("at", views.map((view) => view.held), (value) => value);
      [this.measures, this.helds] = [measures, helds];
      helds.value = views.at(-1).held;
      return element("p", { className: "choices" }, measure, held);
    }

    view() {
      if (!this.chart.views) return this.chart;
      return this.chart.views.find((view) => view.measure === this.measures.value && view.held === this.helds.value);
    }

    toggle() {
      const open = this.place.hidden;
      this.place.hidden = !open;
      this.picture.classList.toggle("printed", open);
      this.button.setAttribute("aria-pressed", String(open));
      this.button.textContent = open ? "Picture" : "Explore";
      this.draw();
    }

    // uPlot listens to a mouse alone.
    reachable() {
      const { over } = this.plot;
      over.tabIndex = 0;
      over.setAttribute("role", "application");
      over.setAttribute("aria-label", `${this.figure.querySelector("h2").firstChild.textContent.trim()}: arrow keys for values`);
      over.addEventListener("keydown", (event) => this.key(event));
      over.addEventListener("focus", () => this.step(0));
      const touch = (event) => {
        if (event.pointerType === "mouse") return;
        const box = over.getBoundingClientRect();
        this.plot.setCursor({ left: event.clientX - box.left, top: event.clientY - box.top });
      };
      over.addEventListener("pointerdown", touch);
      over.addEventListener("pointermove", touch);
    }

    key(event) {
      const does = {
        ArrowLeft: () => this.step(-1), ArrowRight: () => this.step(1), "+": () => this.zoom(0.5), "-": () => this.zoom(2), 0: () => this.all(),
      }[event.key];
      if (!does) return;
      event.preventDefault();
      does();
    }

    // Put the cursor on a point so many further, and say what stands there.
    step(by) {
      const { plot } = this;
      const xs = plot.data[0], { min, max } = plot.scales.x;
      const inside = xs.map((_, at) => at).filter((at) => xs[at] >= min && xs[at] <= max);
      const at = inside.includes(plot.cursor.idx) ? plot.cursor.idx + by : inside[0];
      this.at = Math.min(inside.at(-1), Math.max(inside[0], at));
      plot.setCursor({ left: plot.valToPos(xs[this.at], "x"), top: plot.over.clientHeight / 2 });
      const view = this.view();
      this.says.textContent = [
        shown(xs[this.at], this.chart.xUnit),
        ...view.series.map((line) => `${line.label} ${shown(line.values[this.at], view.yUnit)}`),
      ].join(", ");
    }

    zoom(by) {
      const { plot } = this;
      const log = this.chart.xLog, scaled = log ? Math.log : Number, back = log ? Math.exp : Number;
      const xs = plot.data[0], { min, max } = plot.scales.x;
      const middle = scaled(xs[plot.cursor.idx] ?? back((scaled(min) + scaled(max)) / 2));
      const half = (by * (scaled(max) - scaled(min))) / 2;
      plot.setScale("x", { min: Math.max(xs[0], back(middle - half)), max: Math.min(xs.at(-1), back(middle + half)) });
    }

    all() {
      const xs = this.plot.data[0];
      this.plot.setScale("x", { min: xs[0], max: xs.at(-1) });
    }

    draw() {
      if (this.place.hidden) return;
      this.plot?.destroy();
      const view = this.view();
      const data = [view.x, ...view.series.map((line) => line.values)];
      this.plot = new uPlot(options(this.chart, view, this.place.clientWidth), data, this.canvas);
      this.reachable();
      this.notes.replaceChildren(...(view.marks ?? []).map((mark) => element("li", { textContent: mark.text })));
    }
  }

  for (const figure of document.querySelectorAll("figure[data-chart]")) {
    const chart = told[figure.dataset.scene]?.[figure.dataset.chart];
    if (!chart) continue;
    const button = element("button", { type: "button", className: "tool", textContent: "Explore" });
    button.setAttribute("aria-pressed", "false");
    figure.querySelector("figcaption h2").append(button);
    new Explorer(figure, chart, button);
  }

  // What is folded opens for whoever links to it, and on paper.

  const unfold = (place) => {
    for (let at = place?.closest("details"); at; at = at.parentElement.closest("details")) at.open = true;
  };
  const follow = () => {
    const place = document.getElementById(decodeURIComponent(location.hash.slice(1)));
    unfold(place);
    place?.scrollIntoView();
  };
  addEventListener("hashchange", follow);
  if (location.hash) follow();
  let folded = [];
  addEventListener("beforeprint", () => {
    folded = [...document.querySelectorAll("details:not([open])")];
    for (const each of folded) each.open = true;
  });
  addEventListener("afterprint", () => {
    for (const each of folded) each.open = false;
  });

  // Tables

  const amount = (cell) => {
    const number = parseFloat((cell.firstChild?.textContent ?? "").replaceAll(",", ""));
    return Number.isNaN(number) ? Infinity : number;
  };

  function sort(table, column, header) {
    const down = header.getAttribute("aria-sort") === "ascending";
    for (const other of table.tHead.querySelectorAll("[aria-sort]")) other.setAttribute("aria-sort", "none");
    header.setAttribute("aria-sort", down ? "descending" : "ascending");
    const key = (row) => (column ? amount(row.cells[column]) : row.cells[0].textContent);
    const order = (one, other) => (column ? key(one) - key(other) || 0 : key(one).localeCompare(key(other)));
    const rows = [...table.tBodies[0].rows].sort((one, other) => (down ? order(other, one) : order(one, other)));
    table.tBodies[0].append(...rows);
  }

  const cellText = (cell) => cell.innerText.trim().replace(/\s*\n\s*/g, " ").replaceAll("|", "\\|");

  // The group that each column stands under: Markdown has one row of headings, so each names its group.
  const groupsOf = (table) => [...table.tHead.rows[0].cells].flatMap((cell) => Array(cell.colSpan).fill(cell.innerText.trim()));

  function markdown(table) {
    const head = [...table.tHead.rows].at(-1);
    const groups = table.tHead.rows.length > 1 ? groupsOf(table) : [];
    const titles = [...head.cells].map((cell, at) => (groups[at] ? `${groups[at]}: ` : "") + cellText(cell));
    const lines = [titles, ...[...table.tBodies[0].rows].map((row) => [...row.cells].map(cellText))].map((cells) => `| ${cells.join(" | ")} |`);
    lines.splice(1, 0, `|${" --- |".repeat(titles.length)}`);
    return lines.join("\n");
  }

  for (const table of document.querySelectorAll("table.figures")) {
    for (const [column, header] of [...[...table.tHead.rows].at(-1).cells].entries()) {
      header.setAttribute("aria-sort", "none");
      const by = element("button", { type: "button", className: "sortable", title: "Sort by this column" }, ...header.childNodes);
      by.addEventListener("click", () => sort(table, column, header));
      header.append(by);
    }
    const button = element("button", { type: "button", className: "tool", textContent: "Copy as Markdown" });
    button.addEventListener("click", async () => {
      const text = markdown(table);
      try {
        await navigator.clipboard.writeText(text);
      } catch {
        // A page opened as a file may not use the clipboard; a selection can always be copied.
        const area = element("textarea", { value: text });
        document.body.append(area);
        area.select();
        document.execCommand("copy");
        area.remove();
      }
      button.textContent = "Copied";
      setTimeout(() => { button.textContent = "Copy as Markdown"; }, 2000);
    });
    table.closest(".scroll").before(button);
  }
})();
