"""Rate limiting: a token bucket for each client address."""

import math
from typing import Final

from aiohttp import web
from aiohttp.typedefs import Handler, Middleware

from servers.clock import now_ns
from servers.errors import error_response

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


def rate_limit(rate_per_s: float) -> Middleware:
    """Return the middleware that answers 429 with Retry-After to a client that asks more often."""
    buckets = TokenBuckets(rate_per_s)

    @web.middleware
    async def limited(request: web.Request, handler: Handler) -> web.StreamResponse:
        client = request.remote or ""
        wait_s = buckets.wait_s(client, now_ns())
        if wait_s == 0:
            return await handler(request)
        error = f"{client} may send {rate_per_s:g} requests/s; slow down"
        return error_response(429, error, "client", {"Retry-After": str(math.ceil(wait_s))})

    return limited
