"""Long polling: pending messages at once; otherwise the request is held until one comes or its time is up."""

import asyncio
import random
from collections import Counter

from aiohttp import web

from servers.answers import Answers
from servers.errors import error_response
from servers.feed import Feed
from servers.options import ServerOptions
from servers.query import parse_poll

LABEL = "Long polling"
PATH = "/api/longpoll"
HTTP2 = False
JITTER = 1 / 16
"""Share of the hold that jitter may add, so that polls that began together do not end together (as Consul does)."""


def routes(feed: Feed, options: ServerOptions) -> list[web.RouteDef]:
    return [web.get(PATH, Held(feed, options).answer, allow_head=False)]


class Held:
    """The requests being held. All of them wait for the next message, so one answer, rendered once, ends them all."""

    def __init__(self, feed: Feed, options: ServerOptions) -> None:
        self._feed = feed
        self._options = options
        self._answers = Answers(feed)
        self._waiters: dict[asyncio.Future[web.StreamResponse], web.Request] = {}
        self._held_by: Counter[str] = Counter()
        self._cursor = feed.newest_id
        feed.subscribe(self._wake, clients=lambda: len(self._waiters), held=True)

    async def answer(self, request: web.Request) -> web.StreamResponse:
        query = parse_poll(request.raw_path)
        if self._feed.newest_id != query.last_id or self._feed.closed:
            return self._answers.after(query.last_id).to(request)
        client, limit = request.remote or "", self._options.max_held
        if limit and self._held_by[client] >= limit:
            error = f"{limit} long polls of {client} are held already; wait for one to end"
            return error_response(429, error, "client", {"Retry-After": "1"})
        self._held_by[client] += 1
        try:
            return await self._hold(request, query.timeout_s or self._options.hold_timeout_s)
        finally:
            self._held_by[client] -= 1

    async def _hold(self, request: web.Request, hold_s: float) -> web.StreamResponse:
        if self._options.hold_jitter:
            hold_s += random.uniform(0, hold_s * JITTER)
        loop = asyncio.get_running_loop()
        waiter: asyncio.Future[web.StreamResponse] = loop.create_future()
        self._waiters[waiter] = request
        timer = loop.call_later(hold_s, self._release, waiter)
        try:
            return await waiter
        finally:
            timer.cancel()
            self._waiters.pop(waiter, None)

    def _release(self, waiter: "asyncio.Future[web.StreamResponse]") -> None:
        if not waiter.done():
            waiter.set_result(self._answers.after(self._feed.newest_id).to(self._waiters[waiter]))

    def _wake(self) -> None:
        cursor, self._cursor = self._cursor, self._feed.newest_id
        if not self._waiters:
            return
        waiters, self._waiters = self._waiters, {}
        answer = self._answers.after(cursor)
        for waiter, request in waiters.items():
            if not waiter.done():
                waiter.set_result(answer.to(request))
