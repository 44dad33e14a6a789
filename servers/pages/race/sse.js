/**
 * Server-Sent Events: EventSource reads the stream, reconnects by itself and resumes with Last-Event-ID. What is left
 * to do: begin at a cursor, and start over when it gives up, which it does for good at any answer but 200.
 *
 * It reconnects without jitter, after the time that the server names (`retry:`), and shows no heartbeats: comment
 * lines keep the connection alive, but a page never hears of them.
 */
import { takeLine } from "./feed.js";
import { persist } from "./persist.js";

/** Follow `url` from `lastId` on until `signal` aborts. `on` is described in feed.js. */
export function follow(url, { lastId = 0, signal, on }) {
  return persist(
    (healthy) =>
      new Promise((_, reject) => {
        const source = new EventSource(`${url}?last_id=${lastId}`);
        const over = new AbortController();
        signal.addEventListener("abort", leave, { signal: over.signal });
        function leave(problem) {
          over.abort();
          source.close();
          reject(problem);
        }
        source.onopen = () => {
          on.request(); // an attempt that fails is never shown; one that succeeds is a request
          healthy();
        };
        const take = (event) => {
          const atMs = performance.now();
          lastId = takeLine(JSON.parse(event.data), atMs, lastId, on);
        };
        source.onmessage = take;
        source.addEventListener("gone", take);
        source.addEventListener("ahead", take);
        source.onerror = () => {
          if (source.readyState === EventSource.CONNECTING) {
            on.state("waiting", "the browser reconnects by itself");
          } else {
            leave(new Error("the browser gave up: refused, or no event stream"));
          }
        };
      }),
    { signal, on },
  );
}
