/**
 * Requests to the server that the page came from.
 */

/** Ask our own server; return its answer. Throws with its own words when it refuses. */
export async function ask(path, method = "GET", fields = undefined) {
  const body = fields && JSON.stringify(fields);
  const response = await fetch(path, { method, body, cache: "no-store", signal: AbortSignal.timeout(10_000) });
  const answer = await response.json();
  if (!response.ok) throw new Error(answer.error);
  return answer;
}
