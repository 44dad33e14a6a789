"""Rate limiting: a token bucket for each client address, and refusals that cost little."""

import math
from email.utils import formatdate
from functools import lru_cache
from time import time
from typing import Final

from aiohttp import hdrs, web
from aiohttp.http import SERVER_SOFTWARE

from servers.timing.clock import now_ns
from servers.web.answers import Rendered, takes_rendered
from servers.web.errors import JSON, UnavailableError, error_body, error_response

BURST: Final = 2
FORGET_ABOVE: Final = 10_000
"""Clients remembered before those whose buckets must be full again are forgotten."""


class TokenBuckets:
    """One bucket per client, full at first: `rate_per_s` tokens flow in, up to a burst of twice as many."""

    def __init__(self, rate_per_s: float) -> None:
        self._rate_per_s = rate_per_s
        self._burst = max(1.0, BURST * rate_per_s)
        self._buckets: dict[str, tuple[float, int]] = {}

    @property
    def clients(self) -> int:
        return len(self._buckets)

    def wait_s(self, client: str, at_ns: int) -> float:
        """Take a token and return 0, or return the seconds until there is one to take."""
        tokens, since_ns = self._buckets.get(client, (self._burst, at_ns))
        tokens = min(self._burst, tokens + (at_ns - since_ns) / 1e9 * self._rate_per_s)
        taken = 1 if tokens >= 1 else 0
        self._buckets[client] = (tokens - taken, at_ns)
        if len(self._buckets) > FORGET_ABOVE:
            self._forget_full(at_ns)
        return 0.0 if taken else (1 - tokens) / self._rate_per_s

    def _forget_full(self, at_ns: int) -> None:
        full_after_ns = self._burst / self._rate_per_s * 1e9
        self._buckets = {name: one for name, one in self._buckets.items() if at_ns - one[1] < full_after_ns}


class TooOftenError(UnavailableError):
    """A client that sends more than it may."""

    field = "client"


class RateLimit:
    """Refuses what a client sends above `rate_per_s`: requests, and messages on a connection that it holds."""

    def __init__(self, rate_per_s: float) -> None:
        self._rate_per_s = rate_per_s
        self._buckets = TokenBuckets(rate_per_s)

    def refuse(self, request: web.BaseRequest) -> web.StreamResponse | None:
        """Return the refusal of a request, None when it is to be served."""
        if request.raw_path == "/clock":  # the instrument's own question, of which a client must not pay
            return None
        client = request.remote or ""
        wait_s = self._buckets.wait_s(client, now_ns())
        if wait_s == 0:
            return None
        return too_many(request, self._why(client), math.ceil(wait_s))

    def admit(self, client: str) -> None:
        """Take a token for a message, which costs what a request costs. Raises TooOftenError when there is none."""
        if self._buckets.wait_s(client, now_ns()):
            raise TooOftenError(self._why(client))

    def _why(self, client: str) -> str:
        return f"{client} may send {self._rate_per_s:g} requests/s; slow down"


def too_many(request: web.BaseRequest, error: str, retry_after_s: int, *, close: bool = False) -> web.StreamResponse:
    """Return a refusal, at little cost: as a `web.Response` it costs twice an empty poll.

    close: take the connection away too, where each request of a client means a connection more.
    """
    if takes_rendered(request):
        refusal: web.StreamResponse = Rendered(_too_many_wire(error, retry_after_s, int(time()), close))
    else:
        refusal = error_response(429, error, "client", {hdrs.RETRY_AFTER: str(retry_after_s)})
    if close:
        refusal.force_close()
    return refusal


@lru_cache(maxsize=1024)
def _too_many_wire(error: str, retry_after_s: int, second: int, close: bool) -> bytes:
    body = error_body(error, "client")
    lines = [
        "HTTP/1.1 429 Too Many Requests",
        f"Content-Type: {JSON}",
        f"Retry-After: {retry_after_s}",
        f"Content-Length: {len(body)}",
        f"Date: {formatdate(second, usegmt=True)}",
        f"Server: {SERVER_SOFTWARE}",
        *(["Connection: close"] if close else []),
    ]
    return "\r\n".join([*lines, "", ""]).encode("ascii") + body
