"""HTTP to a server that is not ours, as its client says: TLS, redirects and proxies as its adapter has them."""

import ssl
from typing import Final

import aiohttp
from yarl import URL

from servers.targets.adapter import Step
from servers.targets.client import Client, Request
from servers.targets.redirects import is_redirect, origin_of, redirected
from servers.targets.tls import tls_context
from servers.targets.variables import Misunderstood

STEP_S: Final = 10.0
Socket = aiohttp.ClientWebSocketResponse[bool]


class Refused(Misunderstood):
    """The server did not take a message: the status, headers and first bytes of what it answered, or why it did not."""


class Http:
    """Asks what a client says, on connections that are kept alive."""

    def __init__(self, client: Client, base: URL) -> None:
        self._client = client
        self._adapter = client.adapter
        self._base = base
        self._session: aiohttp.ClientSession | None = None

    async def open(self) -> None:
        """Take the steps before the first message. Raises Refused and Misunderstood."""
        self._home, self._elsewhere = (tls_context(self._adapter.tls, shows_who=shown) for shown in (True, False))
        connector = aiohttp.TCPConnector(limit=0, ssl=self._home, keepalive_timeout=60)
        self._session = aiohttp.ClientSession(
            connector=connector,
            cookie_jar=aiohttp.DummyCookieJar(),
            skip_auto_headers=["Accept-Encoding"],
            trust_env=False,
        )
        for step in self._client.how.connect:
            if step.request:
                await self._step(step)

    async def close(self) -> None:
        if self._session is not None:
            await self._session.close()

    def url(self, path: str) -> URL:
        """Return where a path of the adapter is; `//host/...` is a path too. An absolute URL stands for itself."""
        if path.startswith(("http://", "https://", "ws://", "wss://")):
            return URL(path, encoded=True)
        return URL(f"{self._base.origin()}{self._base.raw_path.rstrip('/')}{path}", encoded=True)

    async def ask(self, request: Request, timeout_s: float) -> tuple[int, dict[str, str], bytes]:
        """Return status, headers with names in lower case, and body, once redirects are followed as the adapter says.

        Raises Refused when no answer came.
        """
        home = origin_of(str(self.url(request.path)))
        status, headers, body = await self._ask(request, timeout_s, self._home)
        for _ in range(self._adapter.redirects):
            if not is_redirect(status, location := headers.get("location", "")):
                break
            request = redirected(request, str(self.url(request.path)), status, location)
            secure = self._home if origin_of(request.path) == home else self._elsewhere
            status, headers, body = await self._ask(request, timeout_s, secure)
        return status, headers, body

    async def _ask(
        self, request: Request, timeout_s: float, secure: ssl.SSLContext
    ) -> tuple[int, dict[str, str], bytes]:
        assert self._session is not None
        url = self.url(request.path)
        try:
            async with self._session.request(
                request.method,
                url,
                data=request.body or None,
                headers=dict(request.headers),
                allow_redirects=False,
                proxy=self._adapter.proxy or None,
                ssl=secure,
                timeout=aiohttp.ClientTimeout(total=timeout_s),
            ) as answer:
                answered = {name.lower(): value for name, value in answer.headers.items()}
                return answer.status, answered, await answer.read()
        except TimeoutError:
            raise Refused(f"{request.method} {url}: no answer within {timeout_s:g} s") from None
        except (aiohttp.ClientError, OSError) as wrong:
            # TLS 1.3 lets a server find out after the handshake that we did not say who we are.
            # Its end may overtake its alert: then we were disconnected, or reset while we wrote.
            ended = isinstance(wrong, aiohttp.ServerDisconnectedError | aiohttp.ClientOSError)
            unnamed = ended and not isinstance(wrong, aiohttp.ClientConnectorError) and url.scheme == "https"
            hint = "; it may want a client certificate (tls.cert)" if unnamed and not self._adapter.tls.cert else ""
            raise Refused(f"{request.method} {url}: {reason(wrong)}{hint}") from None

    async def websocket(self, request: Request) -> Socket:
        """Raises aiohttp.ClientError or OSError."""
        assert self._session is not None
        where = self.url(request.path)
        return await self._session.ws_connect(
            where, headers=dict(request.headers), proxy=self._adapter.proxy or None, max_msg_size=0
        )

    async def _step(self, step: Step) -> None:
        self._client.check(step, *await self.ask(self._client.step(step), STEP_S))


def reason(wrong: BaseException) -> str:
    return " ".join((str(wrong) or type(wrong).__name__).split())
