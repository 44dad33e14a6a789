// What all parts of the tab are made of: elements, and buttons that ask Locust's process something.

const HERE = new URL(".", import.meta.url);

// Ask; return the answer. Throws with its own words when it refuses.
export async function ask(path) {
  const answer = await fetch(new URL(`../${path}`, HERE));
  if (!answer.ok) throw new Error(await answer.text());
  return answer;
}

// Do what a button is for. It cannot be pressed again before that is done, and what went wrong stands in `problem`.
export async function heed(button, problem, action) {
  button.setAttribute("aria-busy", "true");
  button.disabled = true;
  problem.hidden = true;
  try {
    await action();
  } catch (wrong) {
    problem.textContent = wrong.message;
    problem.hidden = false;
  } finally {
    button.removeAttribute("aria-busy");
    button.disabled = false;
  }
}

export function element(tag, attributes, ...children) {
  const node = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) if (value) node.setAttribute(name, value);
  node.append(...children);
  return node;
}
