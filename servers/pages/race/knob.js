/**
 * A slider over a list of values that are worth having, with its value in words for eyes and for screen readers.
 */
export class Knob {
  #timer;

  /** values: in order. say: value -> words. changed: called with the value once the slider has come to rest. */
  constructor(id, values, say, changed) {
    this.values = values;
    this.say = say;
    this.slider = document.getElementById(id);
    this.output = document.getElementById(`${id}-said`);
    this.slider.max = values.length - 1;
    this.slider.addEventListener("input", () => {
      this.#show(this.value);
      clearTimeout(this.#timer);
      this.#timer = setTimeout(() => {
        this.#timer = undefined;
        changed(this.value);
      }, 150);
    });
  }

  get value() {
    return this.values[Number(this.slider.value)];
  }

  /** Show what is in force, unless somebody is just moving the slider. A value between two steps shows as itself. */
  set(value) {
    if (this.#timer !== undefined) return;
    const distance = (step) => Math.abs(step - value);
    this.slider.value = this.values.indexOf(this.values.toSorted((a, b) => distance(a) - distance(b))[0]);
    this.#show(value);
  }

  #show(value) {
    const words = this.say(value);
    this.output.textContent = words;
    this.slider.setAttribute("aria-valuetext", words);
  }
}
