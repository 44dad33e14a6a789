"""Long polling: pending messages at once; otherwise the request is held until one comes or its time is up."""

import asyncio
import random
from collections import Counter
from typing import Final

from aiohttp import web

from servers.feed.feed import Feed
from servers.settings.fault_specs import LeakWaiters
from servers.settings.options import ServerOptions
from servers.web.answers import Answer, Answers
from servers.web.query import parse_poll
from servers.web.rate_limit import too_many

LABEL = "Long polling"
PATH = "/api/longpoll"

JITTER: Final = 1 / 16
"""Share of the hold that jitter may add, so that polls that began together do not end together (as in Consul)."""
RETRY_S: Final = (1, 10)
"""When a client that has too many held may try again, in s. Drawn, or those refused together would come together."""

Waiter = asyncio.Future[web.StreamResponse]
Held = tuple[web.Request, int | None]
"""A request, and the most messages that its client takes."""


def routes(feed: Feed, options: ServerOptions) -> list[web.RouteDef]:
    kind = LongPolls
    if options.fault == str(LeakWaiters()):
        from servers.patterns._hoarded import HoardedLongPolls

        kind = HoardedLongPolls
    return [web.get(PATH, kind(feed, options).answer, allow_head=False)]


class LongPolls:
    """The requests being held. All wait for the same next message, so one answer, rendered once, ends them all (one
    for each limit on its messages that clients have set).

    A client that leaves cancels its handler (`handler_cancellation`), and the handler takes its waiter along.
    """

    def __init__(self, feed: Feed, options: ServerOptions) -> None:
        self._feed = feed
        self._options = options
        self._answers = Answers(feed, compress=options.compress)
        self._limit = 1 if options.one_per_response else None
        self.held: dict[Waiter, Held] = {}
        self._held_by: Counter[str] = Counter()
        self._seen_id = feed.newest_id
        feed.subscribe(self._wake, clients=lambda: len(self.held), held=True)

    async def answer(self, request: web.Request) -> web.StreamResponse:
        query = parse_poll(request.raw_path)
        limit = query.limit or self._limit
        if query.last_id != self._feed.newest_id or self._feed.closed:
            answer = self._answers.after(query.last_id, limit)
            if not answer.silent or self._feed.closed:
                return answer.to(request)
        hold_s = query.timeout_s or self._options.hold_timeout_s
        if self._options.hold_jitter:
            hold_s += random.uniform(0, hold_s * JITTER)
        if self._options.max_held:
            return await self._hold_counted(request, limit, hold_s)
        return await self._hold(request, limit, hold_s)

    async def _hold(self, request: web.Request, limit: int | None, hold_s: float) -> web.StreamResponse:
        loop = asyncio.get_running_loop()
        waiter: Waiter = loop.create_future()
        self.held[waiter] = request, limit
        timer = loop.call_later(hold_s, self._time_out, waiter)
        try:
            return await waiter
        finally:
            timer.cancel()
            self.release(waiter)

    async def _hold_counted(self, request: web.Request, limit: int | None, hold_s: float) -> web.StreamResponse:
        client, most = request.remote or "", self._options.max_held
        if self._held_by[client] >= most:
            error = f"{client} has {most} long polls held already; wait until one is answered"
            return too_many(request, error, random.randint(*RETRY_S), close=True)
        self._held_by[client] += 1
        try:
            return await self._hold(request, limit, hold_s)
        finally:
            self._held_by[client] -= 1
            if not self._held_by[client]:
                del self._held_by[client]

    def _time_out(self, waiter: Waiter) -> None:
        held = self.release(waiter)
        if held is not None and not waiter.done():
            request, _ = held
            waiter.set_result(self._answers.after(self._feed.newest_id).to(request))

    def release(self, waiter: Waiter) -> Held | None:
        return self.held.pop(waiter, None)

    def release_all(self) -> dict[Waiter, Held]:
        held, self.held = self.held, {}
        return held

    def _wake(self) -> None:
        """Write to every waiter here, before any handler resumes: the last of 5,000 waits for 5,000 writes only."""
        seen_id, self._seen_id = self._seen_id, self._feed.newest_id
        held = self.release_all()
        if not held:
            return
        answers: dict[int | None, Answer] = {}
        for waiter, (request, limit) in held.items():
            if limit not in answers:
                answers[limit] = self._answers.fresh(seen_id, limit)
            if not waiter.done():
                waiter.set_result(answers[limit].sent_to(request))
