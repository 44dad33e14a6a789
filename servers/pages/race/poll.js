/**
 * One poll, short or long.
 */
import { refusal } from "./persist.js";

/** Ask; return the answer and when its last byte had been read. Throws when there is none within `patienceMs`. */
export async function poll(url, { signal, patienceMs, on }) {
  on.request();
  const response = await fetch(url, {
    signal: AbortSignal.any([signal, AbortSignal.timeout(patienceMs)]),
    cache: "no-store",
    credentials: "omit",
  });
  if (!response.ok) throw await refusal(response);
  const text = await response.text();
  const atMs = performance.now(); // before parsing: a long answer should not make itself look later
  return { answer: JSON.parse(text), atMs };
}
