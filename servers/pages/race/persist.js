/**
 * The life of a connection: try, and try again, until the caller's signal aborts.
 */
import { Backoff } from "./backoff.js";
import { waitFor } from "./waiting.js";

/** A server that answered, and said no. `retryAfterMs` is how long it wants to be left alone. */
export class Refused extends Error {
  constructor(status, reason, retryAfterMs) {
    super(`${status}: ${reason}`);
    this.retryAfterMs = retryAfterMs;
  }
}

/** Make the error for a response that is not ok. Retry-After may be a date too; ours sends seconds (RFC 9110, 10.2.3). */
export async function refusal(response) {
  const text = await response.text();
  let reason = text.slice(0, 200) || response.statusText;
  try {
    reason = JSON.parse(text).error ?? reason;
  } catch {
    // A proxy in between answers in words of its own.
  }
  const seconds = Number(response.headers.get("Retry-After"));
  return new Refused(response.status, reason, seconds > 0 ? seconds * 1000 : 0);
}

/**
 * Run `attempt` until `signal` aborts. It opens a connection, calls `healthy()` whenever something has come, and ends
 * or throws when the connection does. Then there is a pause that grows with each failure in a row. A browser that
 * knows itself offline is not troubled with attempts: it waits for the `online` event, and so does a long pause.
 */
export async function persist(attempt, { signal, on, backoff = new Backoff() }) {
  const healthy = () => {
    backoff.succeeded();
    on.state("open");
  };
  while (!signal.aborted) {
    let reason = "the connection ended";
    let atLeastMs = 0;
    on.state("connecting");
    try {
      await attempt(healthy);
    } catch (problem) {
      reason = problem.message;
      atLeastMs = problem.retryAfterMs ?? 0;
    }
    if (signal.aborted) return;
    if (!navigator.onLine) {
      on.state("offline");
      await waitFor(signal, { target: window, event: "online" });
      continue;
    }
    const ms = backoff.failed(atLeastMs);
    on.state("waiting", reason, ms);
    await waitFor(signal, { ms, target: window, event: "online" });
  }
}
