"""What all users of a load process share while a test runs: whom they ask, how, and from which message on."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import count
from ssl import SSLContext

from loadtests.foreign.spec import ForeignTarget
from loadtests.scenario.settings import UserSettings
from servers.targets.adapter import Tls
from servers.targets.tls import tls_context
from servers.targets.tracer import Scanner
from servers.targets.variables import secrets_of


@dataclass(slots=True)
class Session:
    """host, http2_host, https_host: base URLs; the last of where users are encrypted. ca: who signed its certificate.
    options: what users are told. joined: which message those that start at the newest found that to be, by number in
    this process. ahead_ns: about what the publisher's clock shows more than ours. seed: what users' random numbers come
    from, together with their own number. foreign: the server, where it is not ours, and scanner: finds the run's
    tracers in what it sends. secrets: what must not be written down.
    """

    host: str = ""
    http2_host: str = ""
    https_host: str = ""
    ca: str = ""
    options: UserSettings = field(default_factory=UserSettings)
    joined: dict[int, int] = field(default_factory=dict)
    ahead_ns: int = 0
    seed: str = ""
    foreign: ForeignTarget | None = None
    scanner: Scanner | None = None
    secrets: list[str] = field(default_factory=list)
    _numbers: Iterator[int] = field(default_factory=lambda: count(1))
    _secured: dict[tuple[bool, bool], SSLContext] = field(default_factory=dict)

    def next_user_number(self) -> int:
        """Return a number no other user of this test has, in any process."""
        return next(self._numbers)

    def follow(self, foreign: ForeignTarget | None) -> None:
        """Follow a server that is not ours from now on; None: one of ours."""
        self.foreign = foreign
        self.scanner = foreign.scanner() if foreign is not None else None
        self._secured = {}
        self.secrets = secrets_of(foreign.adapter) if foreign is not None else []

    @property
    def states(self) -> frozenset[str]:
        """The patterns by which the server tells a state, of which only the newest message counts."""
        told = self.foreign.adapter.subscriptions() if self.foreign is not None else {}
        return frozenset(pattern for pattern, how in told.items() if how.latest)

    def served_at(self, *, http2: bool) -> tuple[str, str]:
        """Return where users of our own servers go, and the option that says so."""
        return (self.http2_host, "--http2-host") if http2 else (self.https_host or self.host, "--host")

    def secured(self, *, home: bool, http2: bool) -> SSLContext:
        """Return how certificates are checked. home: of the server that was named, which alone is shown who asks."""
        if (home, http2) not in self._secured:
            tls = Tls(ca=self.ca) if self.foreign is None else self.foreign.adapter.tls
            self._secured[home, http2] = tls_context(tls, "h2" if http2 else "http/1.1", shows_who=home)
        return self._secured[home, http2]

    def restart_numbers(self, first: int = 1, step: int = 1) -> None:
        """Give out the numbers first, first + step, ... from now on: those of another process lie between."""
        self._numbers = count(first, step)
        self.joined = {}


session = Session()
