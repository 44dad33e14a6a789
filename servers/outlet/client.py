"""HTTP to a foreign server: headers, TLS, redirects and proxies as its adapter has them, and none but those."""

from collections.abc import Mapping
from typing import Final

import aiohttp
from yarl import URL

from servers.outlet.message import Place, Variables
from servers.targets import template
from servers.targets.adapter import Adapter, Step
from servers.targets.reading import parse_expect, request_line
from servers.targets.rules import parse_rule
from servers.targets.tls import tls_context

SHOWN_BYTES: Final = 200
Socket = aiohttp.ClientWebSocketResponse[bool]


class Refused(Exception):
    """The server did not take a message: the status, headers and first bytes of what it answered, or why it did not."""


class Client:
    """HTTP to a target, with what its adapter says of headers, TLS, redirects and proxies. None but those asked for."""

    def __init__(self, adapter: Adapter, base: URL, place: Place) -> None:
        self._adapter = adapter
        self._base = base
        self._variables = place.variables("publisher")
        self._session: aiohttp.ClientSession | None = None

    async def open(self, steps: list[Step]) -> None:
        secure = tls_context(self._adapter.tls) if self._base.scheme in {"https", "wss"} else True
        connector = aiohttp.TCPConnector(limit=0, ssl=secure, keepalive_timeout=60)
        self._session = aiohttp.ClientSession(connector=connector, auto_decompress=True, trust_env=False)
        for step in steps:
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

    async def request(
        self, request: str, headers: Mapping[str, str], body: str, timeout_s: float, values: Mapping[str, str]
    ) -> tuple[int, dict[str, str], bytes]:
        """Return status, headers with names in lower case, and body. Raises Refused when no answer came."""
        assert self._session is not None
        line, variables = request_line(request), self._variables.with_values(values)
        sent = self.headers(headers, variables)
        text = filled(template.read(body) if body else line.body, variables)
        url = self.url(filled(line.path, variables))
        try:
            async with self._session.request(
                line.method,
                url,
                data=text.encode() if text else None,
                headers=sent,
                allow_redirects=bool(self._adapter.redirects),
                max_redirects=self._adapter.redirects or 10,
                proxy=self._adapter.proxy or None,
                timeout=aiohttp.ClientTimeout(total=timeout_s),
            ) as answer:
                answered = {name.lower(): value for name, value in answer.headers.items()}
                return answer.status, answered, await answer.read()
        except TimeoutError:
            raise Refused(f"{line.method} {url}: no answer within {timeout_s:g} s") from None
        except (aiohttp.ClientError, OSError) as wrong:
            raise Refused(f"{line.method} {url}: {reason(wrong)}") from None

    def headers(self, own: Mapping[str, str], variables: Variables) -> dict[str, str]:
        """Return the headers of a request; one whose variable has no value yet is not sent."""
        filled = {}
        for name, text in {**self._adapter.headers, **own}.items():
            try:
                filled[name] = template.read(text).fill(variables)
            except KeyError:
                continue
        return filled

    async def websocket(self, path: str) -> Socket:
        """Raises aiohttp.ClientError, OSError or Refused."""
        assert self._session is not None
        where = self.url(filled(template.read(path), self._variables))
        return await self._session.ws_connect(where, headers=self.headers({}, self._variables), max_msg_size=0)

    def fill(self, text: str, values: Mapping[str, str]) -> str:
        return filled(template.read(text), self._variables.with_values(values))

    def learn(self, values: Mapping[str, str]) -> None:
        self._variables = self._variables.with_values(values)

    async def _step(self, step: Step) -> None:
        answer = await self.request(step.request, step.headers, step.body, 10.0, {})
        if not parse_expect(step.expect)(*answer):
            raise Refused(f"connect: {step.request.split(' ')[0]}: {shown(*answer)}")
        found = {key: parse_rule(rule)(answer[1], answer[2]) for key, rule in step.remember.items()}
        self.learn({key: value for key, value in found.items() if value is not None})


def filled(text: template.Template, variables: Variables) -> str:
    """Raises Refused for a variable that has no value yet."""
    try:
        return text.fill(variables)
    except KeyError as unknown:
        raise Refused(f"no answer has said yet what {unknown.args[0]} is, and {text.text[:60]!r} needs it") from None


def shown(status: int, headers: Mapping[str, str], body: bytes) -> str:
    """Say what came: the status, the headers that tell most, and the first bytes."""
    telling = ("content-type", "location", "www-authenticate", "retry-after", "server")
    known = ", ".join(f"{name}: {headers[name]}" for name in telling if name in headers)
    return f"the server answered {status} ({known or 'no telling headers'}), {body[:SHOWN_BYTES]!r}"


def reason(wrong: BaseException) -> str:
    return " ".join((str(wrong) or type(wrong).__name__).split())
