/**
 * What one client got: every message once and in order, or not; how late; and what it asked for. Counts, no clock.
 */
export class Lane {
  #latencies = [];

  /** lastId: the newest message published before this client came. keep: latencies that median and worst are of. */
  constructor(lastId, keep = 100) {
    this.lastId = lastId;
    this.keep = keep;
    this.sent = { requests: 0, empty: 0 };
    this.restart(-Infinity);
  }

  /** Begin the figures anew. What was due before `sinceMs` still counts as delivered, but its latency tells of before. */
  restart(sinceMs) {
    this.sinceMs = sinceMs;
    this.messages = this.requests = this.empty = this.missed = this.repeated = 0;
    this.#latencies = [];
    this.latestMs = undefined;
  }

  request() {
    this.requests += 1;
    this.sent.requests += 1;
  }

  emptyAnswer() {
    this.empty += 1;
    this.sent.empty += 1;
  }

  /** Take a message that was due, if anybody knows when, and has arrived at these instants of one clock. */
  message(id, dueMs, arrivedMs) {
    if (id <= this.lastId) {
      this.repeated += 1;
      return;
    }
    this.missed += id - this.lastId - 1;
    this.lastId = id;
    this.messages += 1;
    if (dueMs === undefined || dueMs < this.sinceMs) return;
    this.latestMs = arrivedMs - dueMs;
    this.#latencies.push(this.latestMs);
    if (this.#latencies.length > this.keep) this.#latencies.shift();
  }

  /** Take the server's remark on the cursor: what it has forgotten is missed, what it begins anew starts over. */
  remark(kind, firstId) {
    if (kind === "gone") this.missed += firstId - this.lastId - 1;
    this.lastId = firstId - 1;
  }

  get samples() {
    return this.#latencies.length;
  }

  get medianMs() {
    const sorted = this.#latencies.toSorted((a, b) => a - b);
    const middle = (sorted.length - 1) / 2;
    return sorted.length ? (sorted[Math.floor(middle)] + sorted[Math.ceil(middle)]) / 2 : undefined;
  }

  get worstMs() {
    return this.#latencies.length ? Math.max(...this.#latencies) : undefined;
  }
}
