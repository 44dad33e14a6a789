/**
 * Chunked streaming: one response that never ends, read as it comes, a JSON line a message. No request per message,
 * and unlike EventSource it can send headers and see heartbeats; what a browser does not do here is reconnect.
 */
import { takeLine } from "./feed.js";
import { JsonLines } from "./json_lines.js";
import { persist, refusal } from "./persist.js";
import { Silence } from "./silence.js";

/** Follow `url` from `lastId` on until `signal` aborts. `on` is described in feed.js; heartbeats come every 15 s. */
export function follow(url, { lastId = 0, silenceMs = 40_000, signal, on }) {
  return persist(
    async (healthy) => {
      const silence = new Silence(silenceMs);
      try {
        on.request();
        const response = await fetch(`${url}?last_id=${lastId}`, {
          signal: AbortSignal.any([signal, silence.signal]),
          cache: "no-store",
          credentials: "omit",
        });
        if (!response.ok) throw await refusal(response);
        const reader = response.body.getReader();
        const lines = new JsonLines();
        for (;;) {
          const { done, value } = await reader.read();
          const atMs = performance.now();
          if (done) return;
          silence.broken();
          healthy();
          for (const line of lines.feed(value)) lastId = takeLine(line, atMs, lastId, on);
        }
      } finally {
        silence.end(); // whatever it was that ended this, the connection is not kept
      }
    },
    { signal, on },
  );
}
