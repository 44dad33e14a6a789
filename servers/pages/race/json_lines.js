/**
 * JSON lines from chunks. Chunks are what the network made of the stream, never lines: a line, even a single
 * character of it, may begin in one chunk and end in another.
 */
export class JsonLines {
  #decoder = new TextDecoder("utf-8", { fatal: true });
  #begun = "";

  constructor(longestChars = 4_000_000) {
    this.longestChars = longestChars;
  }

  /** Take a chunk (Uint8Array); return the values of the lines it has completed. Throws on what is no JSON line. */
  feed(chunk) {
    const lines = (this.#begun + this.#decoder.decode(chunk, { stream: true })).split("\n");
    this.#begun = lines.pop();
    if (this.#begun.length > this.longestChars) throw new Error(`a line is longer than ${this.longestChars} characters`);
    return lines.filter((line) => line.trim()).map((line) => JSON.parse(line));
  }
}
