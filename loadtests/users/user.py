"""A simulated client: it keeps a cursor, stamps what arrives, records it, and comes back after an error.

A pattern says how to ask (`loadtests/patterns`); everything that must be the same for all patterns is here.
"""

import logging
import random
from collections.abc import Iterable
from typing import ClassVar, Final

import gevent
from locust import User, task

from loadtests.foreign.client import ForeignClient
from loadtests.foreign.spec import Way
from loadtests.patterns import Pattern
from loadtests.protocols.asking import Ask
from loadtests.protocols.events import ProtocolError
from loadtests.records.recorder import recorder
from loadtests.records.rows import ERRORS, REQUEST, USERS_OF_A_PROCESS
from loadtests.runs.target import Target, WrongServer
from loadtests.scenario.backoff import Backoff, parse_retry
from loadtests.scenario.settings import NEWEST
from loadtests.scenario.source_address import parse_source
from loadtests.users.connection import Connection, Exchange, NoAnswer, Receive
from loadtests.users.inbox import CODES, Inbox
from loadtests.users.tls_connection import TlsConnection
from loadtests.users.user_settings import session
from servers.patterns import Facts
from servers.targets.variables import Misunderstood, hidden
from servers.timing.clock import now_ns
from servers.web.urls import read_url

CUT = ERRORS.index("cut")
PROBLEMS_NOTED: Final = 20
"""So many different ones a process names; a server that is wrong may be so in a new way each time."""
log = logging.getLogger("pollbench")
_noted: Final[set[str]] = set()


FAULTS: Final = (NoAnswer, OSError, ProtocolError, Misunderstood)
"""How a request may fail."""


class PatternUser(User):
    """One client of one pattern. How it lives is for its kind to say: `live` goes on until it is killed.

    pattern, facts, how: which one, what is known of it, and how it asks; `user_class` sets them.
    """

    abstract = True
    pattern: ClassVar[str]
    facts: ClassVar[Facts]
    how: ClassVar[Pattern]

    def on_start(self) -> None:
        self.number = session.next_user_number()
        # Repeats are independent trials only if the phases of polls differ from cell to cell, whose name is the seed.
        self.random = random.Random(f"{session.seed}/{self.number}")
        self.connections = 0
        self.backoff = Backoff(self.random, parse_retry(session.options.backoff))
        self.tape = recorder.tape(self.pattern)
        self.base = read_url(*session.served_at(http2=self.facts.http2))
        self.way = Way(self.base.address, tls=self.base.host if session.options.tls else "")
        self.foreign: ForeignClient | None = None
        if session.foreign is not None and session.scanner is not None:
            self.foreign = ForeignClient(session.foreign, self.pattern, self.number, session.scanner)
        self.source = parse_source(session.options.source).address(self.number)
        newest = session.options.join_at == NEWEST and self.foreign is None
        self.first_cursor = self._joined() if newest else 0
        self.inbox = Inbox(self.number, self.tape.deliveries, self.first_cursor)

    @task
    def run_live(self) -> None:
        self.live()

    def live(self) -> None:
        raise NotImplementedError

    def ask(self) -> Ask:
        """Return what this user asks one of our own servers for now."""
        options = session.options
        return Ask(
            netloc=self.base.netloc,
            tls=bool(self.way.tls),
            path=self.facts.path,
            random_bytes=self.random.randbytes,
            cursor=self.inbox.cursor,
            gzip=options.compress,
            limit_bytes=options.message_limit_bytes,
            hold_s=options.hold_timeout_s,
            one_per_response=options.one_per_response,
        )

    def _joined(self) -> int:
        """Ask the server for its newest message, until it says: only a cursor can tell a poll what not to bring.

        Asked once for all, whoever joins later would be sent everything since, and call it late.
        """
        while True:
            exchange = Exchange(now_ns())
            try:
                newest_id = Target(session.host).newest_id
            except WrongServer:
                self.requested(exchange.started_ns, exchange, 0, CODES["refused"])
                self.pause(self.backoff.failed())
            else:
                self.backoff.succeeded()
                session.joined[self.number % USERS_OF_A_PROCESS] = newest_id
                return newest_id

    def connect(self, receive: Receive) -> Connection:
        """Open the next connection; `receive` is called with all that comes. Raises OSError and ProtocolError."""
        self.connections += 1
        way, http2 = self.way, self.facts.http2
        if not way.tls:
            return Connection(*way.address, receive, self.source, way.tunnel)
        return TlsConnection(way, receive, self.source, session.secured(home=way.home, http2=http2), http2=http2)

    def requested(
        self,
        due_ns: int,
        exchange: Exchange,
        status: int,
        error: int = 0,
        messages: int = 0,
        empty: int = 0,
        hold_ns: int = 0,
    ) -> None:
        """Record one request, answered or not. error: index into arrival.ERRORS."""
        self.tape.requests += REQUEST.pack(
            self.number,
            self.connections,
            due_ns,
            exchange.started_ns,
            exchange.first_byte_ns,
            exchange.ended_ns or now_ns(),
            status,
            error,
            messages,
            empty,
            exchange.bytes_out,
            exchange.bytes_in,
            hold_ns,
            exchange.repeated,
        )

    def control(self, kinds: Iterable[str]) -> None:
        """Obey what a server says about the cursor: "ahead" means that its ids have begun anew."""
        if "ahead" in kinds:
            self.inbox.cursor = 0

    def code_of(self, problem: Exception) -> int:
        """Return what a request that failed is recorded as; a broken protocol is said, too."""
        if isinstance(problem, ProtocolError | Misunderstood):
            self.note(problem)
            return CODES["protocol"]
        if isinstance(problem, NoAnswer):
            return CODES["timeout"]
        return CODES["refused" if isinstance(problem, ConnectionRefusedError) else "reset"]

    def note(self, problem: Exception) -> None:
        """Say in what way the server has broken its protocol, once for all users of this process."""
        text = hidden(f"{self.facts.label}: {problem}", session.secrets)
        if text not in _noted and len(_noted) < PROBLEMS_NOTED:
            _noted.add(text)
            log.warning("%s", text)

    def pause(self, seconds: float) -> None:
        gevent.sleep(seconds)
