/**
 * How long to wait before trying again: uniform between 0 and a bound that doubles with each failure in a row.
 * The jitter is all of it ("full jitter"), so that a thousand clients cut off at once do not come back at once.
 */
export class Backoff {
  #failures = 0;

  constructor({ firstMs = 200, longestMs = 10_000, random = Math.random } = {}) {
    this.firstMs = firstMs;
    this.longestMs = longestMs;
    this.random = random;
  }

  succeeded() {
    this.#failures = 0;
  }

  /** Return the milliseconds to wait now; `atLeastMs` is what the server asked for (Retry-After). */
  failed(atLeastMs = 0) {
    const boundMs = Math.min(this.longestMs, this.firstMs * 2 ** this.#failures);
    this.#failures = Math.min(this.#failures + 1, 16);
    return atLeastMs + this.random() * boundMs;
  }
}
