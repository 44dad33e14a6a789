/**
 * The server's clock seen from the page, as far as that can be known (NTP's way: RFC 5905 section 8, and Marzullo 1984).
 *
 * A question sent at page time s and answered by r has read the server's clock somewhere in between, so the offset
 * (server - page) lies in [server - r, server - s]. Nothing is assumed of where in between. Every exchange gives such an
 * interval, and the truth lies in all of them: their intersection only gets narrower. Half its width is the error
 * bound that is shown beside every latency that was computed with its middle.
 */
export class Offset {
  #intervals = [];

  /** resolutionMs: the steps in which this browser's clock moves; keep: exchanges that count. */
  constructor(resolutionMs, keep = 64) {
    this.resolutionMs = resolutionMs;
    this.keep = keep;
  }

  /** Take one exchange, all in ms: when it was sent and received by the page's clock, and what the server's said. */
  add(sentMs, serverMs, receivedMs) {
    this.#intervals.push([serverMs - receivedMs - this.resolutionMs, serverMs - sentMs]);
    if (this.#intervals.length > this.keep) this.#intervals.shift();
    // Two clocks that do not agree with themselves: one was set, or stood still. Only the newest can be right.
    if (this.#low > this.#high) this.#intervals = this.#intervals.slice(-1);
  }

  get exchanges() {
    return this.#intervals.length;
  }

  /** Add this to a page's instant to get the server's. */
  get offsetMs() {
    return (this.#low + this.#high) / 2;
  }

  /** How far a latency may be off: by the offset, and by the step of the clock that stamped the arrival. */
  get errorMs() {
    return (this.#high - this.#low) / 2 + this.resolutionMs;
  }

  get #low() {
    return Math.max(...this.#intervals.map(([low]) => low));
  }

  get #high() {
    return Math.min(...this.#intervals.map(([, high]) => high));
  }
}

/**
 * Ask the server for its time, `times` in a row, and let `offset` take the exchanges. By WebSocket, because a frame there
 * and back takes a fraction of what a browser spends on a fetch (0.5 ms against 2.7 in Chromium 156), and the bound is
 * half of that.
 */
export function compare(url, offset, times) {
  return new Promise((resolve, reject) => {
    const socket = new WebSocket(url);
    let sentMs;
    const send = () => {
      sentMs = performance.now();
      socket.send("?");
    };
    socket.onopen = send;
    socket.onmessage = ({ data }) => {
      const receivedMs = performance.now();
      offset.add(sentMs, Number(data) / 1e6, receivedMs);
      times -= 1;
      if (times > 0) return send();
      socket.close();
      resolve();
    };
    socket.onclose = () => reject(new Error("the clock does not answer"));
  });
}

/**
 * Return the smallest step of performance.now(), found by watching it move. Browsers coarsen it against timing attacks:
 * 5 us where a page is alone in its process (High Resolution Time section 7), up to 1 ms where it is not.
 */
export function resolution(now = () => performance.now(), steps = 20) {
  let smallest = Infinity;
  for (let before = now(), seen = 0; seen < steps; ) {
    const at = now();
    if (at === before) continue;
    smallest = Math.min(smallest, at - before);
    before = at;
    seen += 1;
  }
  return smallest;
}
