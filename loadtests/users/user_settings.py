"""What all users of a load process share while a test runs: whom they ask, how, and from which message on."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import count
from ssl import SSLContext
from typing import Final

from loadtests.foreign.spec import ForeignTarget
from loadtests.scenario.settings import UserSettings
from servers.outlet.message import secrets_of
from servers.targets.tls import tls_context
from servers.targets.tracer import Scanner

USERS_OF_A_PROCESS: Final = 1_000_000
"""More than there are. A process that joins a test under way counts from a multiple of it on."""


@dataclass(slots=True)
class Session:
    """host, http2_host: base URLs. options: what users are told. join_newest: a user that starts owes only what is
    published from then on; joined: which message each of those of this process found to be the newest, by number in
    this process. seed: what users' random numbers come from, together with their own number. foreign:
    the server, where it is not ours, and scanner: finds the run's tracers in what it sends. secure: how its certificate
    is checked, if it has one. secrets: what must not be written down.
    """

    host: str = ""
    http2_host: str = ""
    options: UserSettings = field(default_factory=UserSettings)
    join_newest: bool = False
    joined: dict[int, int] = field(default_factory=dict)
    seed: str = ""
    foreign: ForeignTarget | None = None
    scanner: Scanner | None = None
    secure: SSLContext | None = None
    secrets: list[str] = field(default_factory=list)
    _numbers: Iterator[int] = field(default_factory=lambda: count(1))

    def next_user_number(self) -> int:
        """Return a number no other user of this test has, in any process."""
        return next(self._numbers)

    def follow(self, foreign: ForeignTarget | None) -> None:
        """Follow a server that is not ours from now on; None: one of ours."""
        self.foreign = foreign
        self.scanner = foreign.scanner() if foreign is not None else None
        self.secure = tls_context(foreign.adapter.tls) if foreign is not None and foreign.secure else None
        self.secrets = secrets_of(foreign.adapter) if foreign is not None else []

    def restart_numbers(self, first: int = 1, step: int = 1) -> None:
        """Give out the numbers first, first + step, ... from now on: those of another process lie between."""
        self._numbers = count(first, step)
        self.joined = {}


session = Session()
