/**
 * The row of HTTP/2 push: what was recorded once, until this browser has sent our server a SETTINGS frame of its own.
 */
const byId = (id) => document.getElementById(id);

/** Show what /race/state knows: where to ask, and what browsers have said so far. */
export function showPush({ http2_page, browsers }) {
  const own = browsers.find(({ user_agent }) => user_agent === navigator.userAgent);
  for (const id of ["ask", "ask-note"]) byId(id).hidden = !http2_page || Boolean(own);
  byId("ask").href = http2_page ?? "";
  if (!own || byId("evidence").dataset.at === own.at) return;
  const refuses = own.settings.ENABLE_PUSH === 0;
  const frame = document.createElement("code");
  frame.textContent = Object.entries(own.settings).map(([name, value]) => `${name} = ${value}`).join(", ");
  const at = own.at.slice(0, 19).replace("T", " ");
  byId("evidence").dataset.at = own.at;
  byId("push").querySelector("b").textContent = refuses ? "This browser refuses it." : "This browser would take it.";
  byId("evidence").replaceChildren(`Its first SETTINGS frame, captured ${at} UTC: `, frame, ".");
}
