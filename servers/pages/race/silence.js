/**
 * Notices a peer that vanished without a word. TCP alone may wait for many minutes; a server that sends heartbeats
 * lets its clients be sure much sooner that nobody is there.
 */
export class Silence {
  #controller = new AbortController();
  #timer;

  constructor(longestMs) {
    this.longestMs = longestMs;
    this.broken();
  }

  /** Aborts after too long a silence, and at the end. Give it to fetch. */
  get signal() {
    return this.#controller.signal;
  }

  /** Something has come: count from here. */
  broken() {
    clearTimeout(this.#timer);
    const reason = `nothing came for ${this.longestMs / 1000} s`;
    this.#timer = setTimeout(() => this.#controller.abort(new Error(reason)), this.longestMs);
  }

  /** Stop counting, and let go of the connection. */
  end() {
    clearTimeout(this.#timer);
    this.#controller.abort();
  }
}
