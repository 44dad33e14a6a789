/**
 * WebSocket: both sides may speak at any time, a frame a message. Nothing of it is automatic: no reconnect, no resume,
 * no CORS (the server must look at Origin itself), and pings are answered unseen, so liveness needs a message.
 */
import { takeLine } from "./feed.js";
import { persist } from "./persist.js";
import { Silence } from "./silence.js";

/** Follow `url` (http: or ws:) from `lastId` on until `signal` aborts. `on` is described in feed.js. */
export function follow(url, { lastId = 0, silenceMs = 40_000, signal, on }) {
  return persist(
    (healthy) =>
      new Promise((_, reject) => {
        on.request();
        const socket = new WebSocket(`${url.replace(/^http/, "ws")}?last_id=${lastId}`);
        const silence = new Silence(silenceMs);
        const over = new AbortController();
        signal.addEventListener("abort", () => leave("stopped"), { signal: over.signal });
        silence.signal.addEventListener("abort", () => leave(silence.signal.reason.message), { signal: over.signal });
        function leave(reason) {
          over.abort();
          silence.end();
          socket.onmessage = socket.onclose = null; // the closing handshake may take a while; what comes in it is late
          socket.close();
          reject(new Error(reason));
        }
        socket.onopen = healthy;
        socket.onmessage = (event) => {
          const atMs = performance.now();
          silence.broken();
          healthy();
          try {
            lastId = takeLine(JSON.parse(event.data), atMs, lastId, on);
          } catch (problem) {
            leave(problem.message);
          }
        };
        socket.onclose = (event) => leave(event.reason || `closed with code ${event.code}`);
      }),
    { signal, on },
  );
}
