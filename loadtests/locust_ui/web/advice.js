// The advice beneath the charts: after a test, which pattern for a load that was not measured. It rests on a model,
// and never on the test, which ran all patterns at once.

import { ask, element, heed } from "./asking.js";
import { NONE, count, number } from "./units.js";

const FIELDS = [
  ["clients", "Clients", "5000"],
  ["rate", "Messages a second", "2"],
  ["rtt", "Round trip", "60ms"],
  ["goal", "Goal", "p99 < 1s"],
];
const FIGURES = [
  ["p99 (ms)", (row) => row.p99?.value],
  ["Cores", (row) => row.cores?.value],
  ["Processes", (row) => row.processes?.value, count],
  ["Memory (MB)", (row) => row.memory && row.memory.value / 1e6],
  ["Sent (Mbit/s)", (row) => row.mbit?.value],
];

class Advice extends HTMLElement {
  connectedCallback() {
    if (this.childElementCount) return;
    this.innerHTML = `
      <h2>For another load</h2>
      <form></form>
      <p class="problem" role="alert" hidden></p>
      <div class="answer" aria-live="polite"></div>`;
    const form = this.querySelector("form");
    form.append(...FIELDS.map(field), element("button", { type: "submit" }, "Advise"));
    form.addEventListener("submit", (event) => {
      event.preventDefault();
      const asked = new URLSearchParams(new FormData(form));
      heed(form.querySelector("button"), this.querySelector(".problem"), async () => this.show(await (await ask(`advice?${asked}`)).json()));
    });
  }

  show(told) {
    const moves = told.move_on.map((move) => element("li", {}, move));
    const { inside, of } = told.coverage;
    const ground = `Rests on ${told.model}; ${inside} of ${of} held-out figures lay in their interval. ${told.note}`;
    this.querySelector(".answer").replaceChildren(
      element("p", {}, element("b", {}, told.advice)),
      element("ul", {}, ...moves),
      element("div", { class: "scroll" }, table(told.rows)),
      element("p", { class: "ground" }, ground),
    );
  }
}

function field([name, label, usual]) {
  return element("label", {}, label, " ", element("input", { name, value: usual, size: "9", required: "required" }));
}

function table(rows) {
  const titles = ["Pattern", "Meets the goal", ...FIGURES.map(([title]) => title)];
  const head = element("tr", {}, ...titles.map((title) => element("th", { scope: "col" }, title)));
  const lines = rows.map((row) => {
    const figures = FIGURES.map(([, value, text = number]) => element("td", {}, value(row) === undefined ? NONE : text(value(row))));
    const why = row.why.length ? `: ${row.why.join("; ")}` : "";
    return element("tr", {}, element("th", { scope: "row" }, row.label), element("td", { class: "verdict" }, `${row.meets}${why}`), ...figures);
  });
  return element("table", {}, element("thead", {}, head), element("tbody", {}, ...lines));
}

customElements.define("pollbench-advice", Advice);
