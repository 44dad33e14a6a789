/**
 * Long polling: ask, and the server answers when it has something to say. Then ask again at once. Every message costs
 * a request, and one that comes while the next request is on its way has to wait for it.
 */
import { takeAnswer } from "./feed.js";
import { persist } from "./persist.js";
import { poll } from "./poll.js";

/** Follow `url` from `lastId` on until `signal` aborts. `on` is described in feed.js. */
export function follow(url, { lastId = 0, holdS = 25, signal, on }) {
  // Shorter than the idle time of most proxies, often 30 or 60 s, or they would cut the poll that waits in peace.
  const patienceMs = (holdS + 15) * 1000;
  return persist(
    async (healthy) => {
      while (!signal.aborted) {
        const asked = poll(`${url}?last_id=${lastId}&timeout=${holdS}`, { signal, patienceMs, on });
        const { answer, atMs } = await asked;
        healthy();
        lastId = takeAnswer(answer, atMs, lastId, on);
      }
    },
    { signal, on },
  );
}
