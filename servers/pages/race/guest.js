/**
 * A stream that is not ours. Whatever comes is a message, and all that is known of one is when it came: an event with
 * data ends with a blank line, of anything else a line is a message, of a WebSocket a frame. What would resume the
 * stream nobody here knows, so it begins anew after every cut.
 */
import { Backoff } from "./backoff.js";
import { persist, refusal } from "./persist.js";

/** Follow `url` until `signal` aborts; messages are counted on from `lastId`. `on` is described in feed.js. */
export function follow(url, { lastId = 0, signal, on }) {
  const take = (messages) => {
    const atMs = performance.now();
    for (; messages > 0; messages -= 1) on.message({ id: (lastId += 1) }, atMs);
  };
  const attempt = /^ws/i.test(url) ? frames : lines;
  // A server that answers at once, and ends, is not ours to be asked ten times a second.
  const backoff = new Backoff({ firstMs: 2000 });
  return persist((healthy) => attempt(url, { signal, on, healthy, take }), { signal, on, backoff });
}

async function lines(url, { signal, on, healthy, take }) {
  on.request();
  const asked = { signal, cache: "no-store", credentials: "omit", headers: { Accept: "text/event-stream, */*" } };
  const response = await fetch(url, asked).catch(() => {
    throw new Error(`no answer that this page may read: it needs Access-Control-Allow-Origin: ${location.origin}`);
  });
  if (!response.ok) throw await refusal(response);
  healthy();
  const ends = new Ends(/^text\/event-stream\b/i.test(response.headers.get("Content-Type")));
  for (const reader = response.body.getReader(), decoder = new TextDecoder(); ; ) {
    const { done, value } = await reader.read();
    if (done) return;
    take(ends.in(decoder.decode(value, { stream: true })));
  }
}

function frames(url, { signal, on, healthy, take }) {
  return new Promise((_, reject) => {
    on.request();
    const socket = new WebSocket(url);
    signal.addEventListener("abort", () => socket.close(), { once: true });
    socket.onopen = healthy;
    socket.onmessage = () => take(1);
    socket.onclose = ({ code, reason }) => reject(new Error(reason || `closed with code ${code}`));
  });
}

/** How many messages end in a text, of which the last line may have only begun. */
export class Ends {
  #begun = "";
  #hasData = false;

  constructor(isEvents) {
    this.isEvents = isEvents;
  }

  in(text) {
    // CR, LF or both end a line (HTML standard, 9.2.5); behind a CR at the very end an LF may follow.
    const all = (this.#begun + text).split(/\r\n|\n|\r(?!$)/);
    this.#begun = all.pop();
    return all.filter((line) => this.#isEnd(line)).length;
  }

  #isEnd(line) {
    if (!this.isEvents) return line !== "";
    const ended = line === "" && this.#hasData;
    this.#hasData = line === "" ? false : this.#hasData || /^data(:|$)/.test(line);
    return ended;
  }
}
