"""The server to be measured: is it there, is it ours, and how far is its clock from ours?"""

import http.client
import socket
import threading
from contextlib import suppress
from dataclasses import replace
from typing import Annotated

import msgspec

from loadtests.clocks.line import ClockLine, NoClock, first_offset
from loadtests.clocks.offset import ClocksDisagree, OffsetInterval
from loadtests.foreign.spec import ForeignTarget
from servers.feed.schedule import parse_schedule
from servers.timing.clock import clock_id, now_ns, same_clock
from servers.web.urls import read_url

ANSWER_S = 10.0
ANSWER_MAX_BYTES = 256 * 2**20
"""A journal of five million messages."""


class WrongServer(Exception):
    """Nothing to measure at this address; the message says why and what to do."""


class BackplaneStats(msgspec.Struct, frozen=True):
    """What /stats says of a feed that is shared, or that goes into a server that is not ours.

    foreign: that server; refused: how many messages it did not take, and problem: what it said to the last of them.
    """

    connected: bool = True
    messages: int = 0
    taken: int = 0
    refused: int = 0
    problem: str = ""
    foreign: ForeignTarget | None = None


class Stats(msgspec.Struct, frozen=True):
    """What /stats says, as far as the load side reads it. patterns, settings: what it serves and how,
    empty when it does not say."""

    token: str
    clock_id: str
    newest_id: Annotated[int, msgspec.Meta(ge=0, le=2**63 - 1)]
    start_at_ns: Annotated[int, msgspec.Meta(ge=-(2**63), le=2**63 - 1)]
    fault: str = ""
    http2_port: int | None = None
    https_port: int | None = None
    authority: str = ""
    pid: int = 0
    patterns: list[str] = []
    schedule: str = ""
    message_bytes: int = 0
    settings: dict[str, bool | int | float | str | None] = {}
    held: int = 0
    streams: int = 0
    subscribers: int = 0
    tasks: int = 0
    backplane: BackplaneStats | None = None


class Target:
    """A server that has been met; `stats` is what it said then, newest_id and start_at_ns are taken from there.

    fault: how it is wrong on purpose, "" for not at all. foreign: the server that users follow instead, where it is one
    that is not ours.

    Raises ValueError for a bad URL, WrongServer when it is not what was asked for.
    """

    def __init__(self, host: str, token: str = "") -> None:
        self.host = host
        self._url = read_url(host, "--host")
        self.host = str(self._url)
        self._meet(token)

    def _meet(self, token: str) -> None:
        """Set what is known of it."""
        host, stats = self.host, self._stats()
        if token and stats.token != token:
            raise WrongServer(f"{host} is another server: its token is {stats.token!r}, not {token!r}")
        self.stats = stats
        self.newest_id = stats.newest_id
        self.start_at_ns = stats.start_at_ns
        self.fault = stats.fault
        self.foreign = stats.backplane.foreign if stats.backplane else None
        ports = stats.http2_port, stats.https_port
        self.http2_host, self.https_host = (str(replace(self._url, port=port)) if port else "" for port in ports)

    @property
    def shares_our_clock(self) -> bool:
        return same_clock(self.stats.clock_id, clock_id())

    def require_our_clock(self) -> None:
        """Raise WrongServer where the server reads another clock than we do."""
        if not self.shares_our_clock:
            raise WrongServer(
                f"{self.host} runs by another clock ({self.stats.clock_id!r}, here {clock_id()!r}), but a planned run "
                "starts its server beside it: start that without a container or time namespace of its own"
            )

    def clock_line(self, beside: str = "") -> ClockLine:
        """Return what asks its clock. beside: where to ask, if not at the server. Raises ValueError for no URL."""
        return ClockLine(read_url(beside, "--clock-host") if beside else self._url)

    def offset(self) -> OffsetInterval:
        """Return its clock less ours, by asking; exactly 0 where it reads ours. Raises WrongServer where none tells."""
        if self.shares_our_clock:
            return OffsetInterval(0, 0, now_ns(), 0.0)
        named = self.stats.clock_id
        line = self.clock_line()
        try:
            found, offset = first_offset(line)
        except (OSError, NoClock, ClocksDisagree) as wrong:
            raise WrongServer(
                f"{self.host} runs by another clock ({named!r}, here {clock_id()!r}), and how far apart they are "
                f"cannot be told: {wrong}; have it answer GET /clock (docs/clocks.md), or run the load on its machine"
            ) from None
        finally:
            line.close()
        if found != named:
            raise WrongServer(
                f"{self.host} is answered for by two servers: GET /stats names the clock {named!r}, GET /clock "
                f"{found!r}; name one of them, not what stands before them"
            )
        return offset

    def publish(self, schedule: str, message_bytes: int | None) -> None:
        """Have the server publish by another schedule or length. Raises WrongServer when it will not."""
        wanted: dict[str, object] = {}
        if schedule:
            wanted["schedule"] = schedule
        if message_bytes is not None:
            wanted["message_bytes"] = message_bytes
        if wanted:
            status, body = self._ask("PUT", "/api/schedule", msgspec.json.encode(wanted))
            if status != 200:
                raise WrongServer(f"the server refused the schedule: {body[:200].decode('utf-8', 'replace')}")

    def begin(self, schedule: str, message_bytes: int | None) -> None:
        """Have the server publish from now on, or as it does where no schedule is named. `stats` is what it says then.

        Raises WrongServer when it will not, or began at another time: latency counts from instants after that one.
        """
        asked_ns = now_ns() if schedule else 0
        self.publish(schedule, message_bytes)
        self._meet(self.stats.token)
        answered_ns = now_ns()
        offset = self.offset()
        if schedule:
            asked_ns += offset.low_ns
        answered_ns += offset.high_ns
        if not asked_ns <= self.start_at_ns <= answered_ns:
            when = f"told to between {asked_ns} and {answered_ns}" if schedule else f"asked at {answered_ns}"
            raise WrongServer(
                f"the server says that it began to publish at {self.start_at_ns} (start_at_ns), but it was {when}: it "
                "must be the instant at which it began, in nanoseconds of CLOCK_MONOTONIC"
            )
        try:
            parse_schedule(schedule or self.stats.schedule)
        except ValueError:
            raise WrongServer(
                f"the server does not say by which schedule it publishes (schedule in GET /stats is "
                f"{self.stats.schedule[:60]!r}): name one (--schedule)"
            ) from None

    def post(self, content: str, within_s: float = ANSWER_S) -> int:
        """Have the server publish one message now; return its id. Raises WrongServer."""
        status, body = self._ask("POST", "/api/message", content.encode(), within_s)
        if status != 201:
            raise WrongServer(f"the server took no message (POST /api/message answered {status}: {body[:200]!r})")
        return int(msgspec.json.decode(body)["id"])

    def published(self, last_id: int) -> bytes:
        """Return id,due_ns,published_ns of what was published after `last_id`, lines of CSV. Raises WrongServer."""
        status, body = self._ask("GET", f"/api/published?last_id={last_id}")
        if status != 200:
            raise WrongServer(f"the server does not list what it published (GET /api/published answered {status})")
        return body

    def stats_with_tasks(self) -> Stats:
        """Ask again, and how many tasks its event loop has. Raises WrongServer."""
        return self._stats("?tasks")

    def _stats(self, query: str = "") -> Stats:
        status, body = self._ask("GET", f"/stats{query}")
        try:
            if status == 200:
                return msgspec.json.decode(body, type=Stats)
        except (msgspec.MsgspecError, RecursionError):
            pass
        raise WrongServer(
            f"{self._url} is not a pollbench server (GET /stats answered {status}); start one with: pollbench serve"
        )

    def _ask(self, method: str, path: str, body: bytes | None = None, within_s: float = ANSWER_S) -> tuple[int, bytes]:
        connection = http.client.HTTPConnection(*self._url.address, timeout=within_s)
        # The timeout is each read's: a server that says a byte now and then would keep us for ever.
        expired, late = threading.Event(), None
        try:
            connection.connect()
            late = threading.Timer(within_s, _hang_up, [connection.sock, expired])
            late.start()
            connection.request(method, path, body)
            response = connection.getresponse()
            answer = response.read(ANSWER_MAX_BYTES + 1)
            if len(answer) > ANSWER_MAX_BYTES:
                raise WrongServer(f"{method} {path} was answered with more than {ANSWER_MAX_BYTES >> 20} MiB")
            if response.length or expired.is_set():
                raise http.client.IncompleteRead(answer)
        except (OSError, http.client.HTTPException) as wrong:
            slow = f"no whole answer to {method} {path} within {within_s:g} s" if expired.is_set() else wrong
            raise WrongServer(f"{self._url} cannot be reached ({slow}); start a server with: pollbench serve") from None
        else:
            return response.status, answer
        finally:
            if late is not None:
                late.cancel()
            connection.close()


def _hang_up(sock: socket.socket, expired: threading.Event) -> None:
    expired.set()
    with suppress(OSError):  # closed meanwhile
        sock.shutdown(socket.SHUT_RDWR)
