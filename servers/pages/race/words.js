/**
 * Numbers as people read them. A latency has no more digits than its error bound allows.
 */
const NONE = "–";

/** 0.4 ms, 21 ms, 1.62 s; what is smaller than its error is only known to be at most so much. */
export function latency(ms, errorMs) {
  if (ms === undefined) return NONE;
  if (ms < errorMs) return `≤ ${duration(Math.max(0, ms) + errorMs, errorMs)}`;
  return duration(ms, errorMs);
}

function duration(ms, errorMs) {
  if (ms >= 1000) return `${(ms / 1000).toFixed(2)} s`;
  const digits = errorMs >= 0.5 || ms >= 100 ? 0 : errorMs >= 0.05 || ms >= 10 ? 1 : 2;
  return `${ms.toFixed(digits)} ms`;
}

export const count = (value) => value.toLocaleString("en");

/** How many of one for each of another: 1, 0.02, 34. */
export function ratio(value, of) {
  if (!of) return NONE;
  const each = value / of;
  return count(Number(each.toPrecision(each >= 100 ? 3 : 2)));
}
