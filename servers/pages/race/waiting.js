/**
 * Waiting that ends early when it should. Nothing here rejects: whoever waited looks at the signal afterwards.
 */

/** Resolve after `ms`, or when `target` fires `event`, or when `signal` aborts: whichever is first. */
export function waitFor(signal, { ms = Infinity, target, event } = {}) {
  return new Promise((resolve) => {
    const over = new AbortController();
    const timer = ms === Infinity ? undefined : setTimeout(done, ms);
    function done() {
      clearTimeout(timer);
      over.abort(); // takes both listeners off again
      resolve();
    }
    if (signal.aborted) return done();
    signal.addEventListener("abort", done, { signal: over.signal });
    target?.addEventListener(event, done, { signal: over.signal });
  });
}

/** Resolve once the page can be seen, or `signal` aborts. */
export async function visible(signal) {
  while (document.hidden && !signal.aborted) {
    await waitFor(signal, { target: document, event: "visibilitychange" });
  }
}
