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
          value: (_plot, value) => shown(value, view.yUnit),
        })),
      ],
      hooks: { draw: [(plot) => marks(plot, view.marks ?? [], muted)] },
    };
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
      this.picture = figure.querySelector(".scroll");
      this.canvas = element("div");
      this.notes = element("ul", { className: "crossovers" });
      this.place.append(this.choices(), this.canvas, this.notes, element("p", {
        className: "hint", textContent: "Move over it for values, drag to zoom, double-click for all of it.",
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

    draw() {
      if (this.place.hidden) return;
      this.plot?.destroy();
      const view = this.view();
      const data = [view.x, ...view.series.map((line) => line.values)];
      this.plot = new uPlot(options(this.chart, view, this.place.clientWidth), data, this.canvas);
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
    for (const other of table.tHead.querySelectorAll("[aria-sort]")) other.removeAttribute("aria-sort");
    header.setAttribute("aria-sort", down ? "descending" : "ascending");
    const key = (row) => (column ? amount(row.cells[column]) : row.cells[0].textContent);
    const order = (one, other) => (column ? key(one) - key(other) || 0 : key(one).localeCompare(key(other)));
    const rows = [...table.tBodies[0].rows].sort((one, other) => (down ? order(other, one) : order(one, other)));
    table.tBodies[0].append(...rows);
  }

  const cellText = (cell) => cell.innerText.trim().replace(/\s*\n\s*/g, " ").replaceAll("|", "\\|");

  function markdown(table) {
    const head = [...table.tHead.rows].at(-1);
    const lines = [head, ...table.tBodies[0].rows].map((row) => `| ${[...row.cells].map(cellText).join(" | ")} |`);
    lines.splice(1, 0, `|${" --- |".repeat(head.cells.length)}`);
    return lines.join("\n");
  }

  for (const table of document.querySelectorAll("table.figures")) {
    for (const [column, header] of [...[...table.tHead.rows].at(-1).cells].entries()) {
      header.tabIndex = 0;
      header.classList.add("sortable");
      header.addEventListener("click", () => sort(table, column, header));
      header.addEventListener("keydown", (event) => {
        if (event.key === "Enter" || event.key === " ") {
          event.preventDefault();
          sort(table, column, header);
        }
      });
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
