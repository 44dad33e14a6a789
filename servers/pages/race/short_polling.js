/**
 * Short polling: ask every few seconds whether there is anything new. Simple, works everywhere; a message waits half
 * an interval on average, and most answers are empty when messages are rare.
 */
import { takeAnswer } from "./feed.js";
import { persist } from "./persist.js";
import { poll } from "./poll.js";
import { visible, waitFor } from "./waiting.js";

/** Follow `url` from `lastId` on until `signal` aborts. `on` is described in feed.js. */
export function follow(url, { lastId = 0, intervalMs = 5000, patienceMs = 10_000, signal, on }) {
  let dueMs = 0;
  let first = true;
  return persist(
    async (healthy) => {
      for (;;) {
        await waitFor(signal, { ms: dueMs - performance.now() });
        if (document.hidden) {
          // Nobody looks, and the browser would stretch our timers anyway, to a minute after a while: ask on return.
          on.state("hidden");
          await visible(signal);
        }
        if (signal.aborted) return;
        dueMs = nextDue(dueMs, performance.now(), intervalMs, first);
        first = false;
        const { answer, atMs } = await poll(`${url}?last_id=${lastId}`, { signal, patienceMs, on });
        healthy();
        lastId = takeAnswer(answer, atMs, lastId, on);
      }
    },
    { signal, on },
  );
}

/**
 * When to ask next: on a fixed schedule, whatever an answer takes; what was missed while asleep is not made up for.
 * The schedule gets a phase of its own after the first poll: clients started by the same event would else ask in
 * chorus for ever.
 */
export function nextDue(dueMs, nowMs, intervalMs, first, random = Math.random) {
  if (first) return nowMs + random() * intervalMs;
  return dueMs + intervalMs > nowMs ? dueMs + intervalMs : nowMs + intervalMs;
}
