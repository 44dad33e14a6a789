/**
 * The one line in which the page speaks, to screen readers too. It is for what the reader did and for what went wrong,
 * never for what merely goes on.
 */
export function say(words) {
  document.getElementById("said").textContent = words;
}

/** Run what a control does, and say what goes wrong with it. */
export function heeded(action) {
  return (value) => action(value).catch((problem) => say(`That did not work: ${problem.message}`));
}
