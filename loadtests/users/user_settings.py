"""What all users of a load process share while a test runs: whom they ask, how, and from which message on."""

from dataclasses import dataclass, field
from ssl import SSLContext
from typing import Final

from loadtests.foreign.spec import ForeignTarget
from loadtests.scenario.settings import UserSettings
from servers.outlet.message import secrets_of
from servers.targets.tls import tls_context
from servers.targets.tracer import Scanner

USERS_OF_A_PROCESS: Final = 1_000_000


@dataclass(slots=True)
class Session:
    """host, http2_host: base URLs. options: what users are told. joined: which message those that start at the newest
    found that to be, by number in this process. seed: what users' random numbers come from, together with their own
    number. foreign: the server, where it is not ours, and scanner: finds the run's tracers in what it sends. secure:
    how its certificate is checked, if it has one. secrets: what must not be written down.
    """

    host: str = ""
    http2_host: str = ""
    options: UserSettings = field(default_factory=UserSettings)
    joined: dict[int, int] = field(default_factory=dict)
    seed: str = ""
    worker_index: int = 0
    foreign: ForeignTarget | None = None
    scanner: Scanner | None = None
    secure: SSLContext | None = None
    secrets: list[str] = field(default_factory=list)
    _users: int = field(default=0)

    def next_user_number(self) -> int:
        """Return a number no other user of this test has, in any process."""
        self._users += 1
        return self.worker_index * USERS_OF_A_PROCESS + self._users

    def follow(self, foreign: ForeignTarget | None) -> None:
        """Follow a server that is not ours from now on; None: one of ours."""
        self.foreign = foreign
        self.scanner = foreign.scanner() if foreign is not None else None
        self.secure = tls_context(foreign.adapter.tls) if foreign is not None and foreign.secure else None
        self.secrets = secrets_of(foreign.adapter) if foreign is not None else []

    def restart_numbers(self) -> None:
        self._users = 0
        self.joined = {}


session = Session()
