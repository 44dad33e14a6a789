"""A real headless Chromium, driven over its DevTools protocol: loads pages over HTTP/2 and says when they were there.

It is started for one experiment in a profile of its own, accepts the one certificate that was made for it, and knows
no host but 127.0.0.1.
"""

import asyncio
import base64
import hashlib
import os
import re
import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import aiohttp
import msgspec
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from loadtests.host.external import find_program
from loadtests.host.managed_process import Child
from servers.web.certificate import write_certificate

PROGRAM: Final = os.environ.get("CHROMIUM", "chromium")
READY: Final = re.compile(r"DevTools listening on (ws://\S+)")
READY_S: Final = 30.0
ANSWER_S: Final = 20.0
LOOK_S: Final = 0.02
FLAGS: Final = (
    "--headless=new",
    "--remote-debugging-port=0",
    "--no-first-run",
    "--disable-gpu",
    "--disable-quic",
    # It would talk to Google's servers at every start.
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-proxy-server",
    "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1",
)
TIMING: Final = """((url) => {
  const page = performance.getEntriesByType("navigation")[0];
  if (!page || page.name !== url || !page.loadEventStart) return null;
  const assets = performance.getEntriesByType("resource");
  return {
    complete_ms: page.loadEventStart - page.requestStart,
    requests: 1 + assets.filter((each) => each.nextHopProtocol === "h2").length,
    hinted: assets.filter((each) => each.initiatorType === "early-hints").length,
    bytes: page.transferSize + assets.reduce((sum, each) => sum + each.transferSize, 0),
  };
})"""


class Timing(msgspec.Struct, frozen=True):
    """What the page itself says of its load (Navigation Timing 2), from its request on; connecting not counted.

    complete_ms: until the load event, which waits for all assets. hinted: assets begun because of a 103.
    """

    complete_ms: float
    requests: int
    hinted: int
    bytes: float


@dataclass(frozen=True, slots=True)
class Certificate:
    """Files of a chain and its key, and the digest by which Chromium accepts it (of the public key, not of a CA)."""

    chain: Path
    key: Path
    digest: str


def certificate(folder: Path) -> Certificate:
    """Make one for 127.0.0.1."""
    made = write_certificate(folder)
    chain, key = Path(made.chain), Path(made.key)
    public = x509.load_pem_x509_certificate(chain.read_bytes()).public_key()
    spki = public.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    return Certificate(chain, key, base64.b64encode(hashlib.sha256(spki).digest()).decode())


class Chromium:
    """A running browser. `version` is its own word."""

    def __init__(self, socket: aiohttp.ClientWebSocketResponse, version: str = "") -> None:
        self._socket = socket
        self._last_id = 0
        self.version = version

    async def ask(self, method: str, session: str = "", **params: Any) -> Any:
        """Send a command and return its result. Raises ChromiumFailed."""
        self._last_id += 1
        message = {"id": self._last_id, "method": method, "params": params}
        if session:
            message["sessionId"] = session
        await self._socket.send_str(msgspec.json.encode(message).decode())
        async with asyncio.timeout(ANSWER_S):
            async for frame in self._socket:
                answer = msgspec.json.decode(frame.data)
                if answer.get("id") == self._last_id:
                    if "error" in answer:
                        raise ChromiumFailed(f"Chromium refused {method}: {answer['error']['message']}")
                    return answer["result"]
        raise ChromiumFailed("Chromium closed its DevTools connection")

    @asynccontextmanager
    async def tab(self) -> AsyncIterator["Tab"]:
        """Open a tab with a cache, and so connections, of its own."""
        context = (await self.ask("Target.createBrowserContext"))["browserContextId"]
        try:
            made = await self.ask("Target.createTarget", url="about:blank", browserContextId=context)
            session = (await self.ask("Target.attachToTarget", targetId=made["targetId"], flatten=True))["sessionId"]
            yield Tab(self, session)
        finally:
            await self.ask("Target.disposeBrowserContext", browserContextId=context)


class Tab:
    def __init__(self, browser: Chromium, session: str) -> None:
        self._browser = browser
        self._session = session

    async def load(self, url: str) -> Timing:
        """Go there and return when everything was there. Raises ChromiumFailed, TimeoutError."""
        went = await self._browser.ask("Page.navigate", self._session, url=url)
        if went.get("errorText"):
            raise ChromiumFailed(f"Chromium cannot load {url}: {went['errorText']}")
        script = f"{TIMING}({msgspec.json.encode(url).decode()})"
        async with asyncio.timeout(ANSWER_S):
            while (timing := await self.evaluate(script)) is None:  # noqa: ASYNC110  (a page has nothing to wait on)
                await asyncio.sleep(LOOK_S)
        return msgspec.convert(timing, Timing)

    async def evaluate(self, script: str) -> Any:
        answer = await self._browser.ask(
            "Runtime.evaluate", self._session, expression=script, awaitPromise=True, returnByValue=True
        )
        if "exceptionDetails" in answer:
            raise ChromiumFailed(f"Chromium ran into {answer['exceptionDetails']['text']}")
        return answer["result"].get("value")


class ChromiumFailed(Exception):
    """The browser did not do what it was told; the message says what."""


@asynccontextmanager
async def chromium(folder: Path, accepted: Certificate) -> AsyncIterator[Chromium]:
    """Start the browser. Raises NotInstalled, ChildFailed, ChromiumFailed."""
    program, profile = find_program(PROGRAM, "chromium"), folder / "profile"
    own = [f"--user-data-dir={profile}", f"--ignore-certificate-errors-spki-list={accepted.digest}"]
    sandbox = ["--no-sandbox"] if os.geteuid() == 0 else []  # it refuses to run as root with its sandbox
    try:
        with Child("chromium", [program, *FLAGS, *own, *sandbox, "about:blank"], folder / "chromium.log") as child:
            url = (await asyncio.to_thread(child.heard, READY, READY_S))[1]
            async with aiohttp.ClientSession() as session, session.ws_connect(url, max_msg_size=0) as socket:
                browser = Chromium(socket)
                browser.version = (await browser.ask("Browser.getVersion"))["product"]
                yield browser
                await browser.ask("Browser.close")
    finally:
        shutil.rmtree(profile, ignore_errors=True)  # tens of megabytes that nobody will look at
