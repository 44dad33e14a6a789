/**
 * HTTP/2 push: nothing to write. No script can ask for pushes or see one; the browser decides, in the first frame of
 * a connection. So this shows what that frame said, and in which form the server then sends updates.
 */
const settings = await (await fetch("/race/settings")).json();
const refused = settings.settings.ENABLE_PUSH === 0;
document.getElementById("settings").textContent = Object.entries(settings.settings)
  .map(([name, value]) => `${name} = ${value}`)
  .join("\n");
document.getElementById("verdict").textContent = refused
  ? "This browser refuses pushes."
  : "This browser did not refuse pushes.";

const leaving = new AbortController();
const updates = await fetch("/api/updates", { signal: leaving.signal });
const mode = updates.headers.get("x-updates-mode");
leaving.abort();
document.getElementById("mode").textContent =
  `Asked for updates, the server answered x-updates-mode: ${mode}. ` +
  (mode === "inline" ? "Each message then comes as a JSON line of one response: chunked streaming, over HTTP/2." : "");
