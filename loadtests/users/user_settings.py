"""What all users of a load process share while a test runs: whom they ask, how, and from which message on."""

from dataclasses import dataclass, field
from typing import Final

from loadtests.scenario.settings import UserSettings

USERS_OF_A_PROCESS: Final = 1_000_000


@dataclass(slots=True)
class Session:
    """host, http2_host: base URLs. options: what users are told. join_newest: a user that starts owes only what is
    published from then on; joined: which message each of those of this process found to be the newest, by number in
    this process. seed: what users' random numbers come from, together with their own number.
    """

    host: str = ""
    http2_host: str = ""
    options: UserSettings = field(default_factory=UserSettings)
    join_newest: bool = False
    joined: dict[int, int] = field(default_factory=dict)
    seed: str = ""
    worker_index: int = 0
    _users: int = field(default=0)

    def next_user_number(self) -> int:
        """Return a number no other user of this test has, in any process."""
        self._users += 1
        return self.worker_index * USERS_OF_A_PROCESS + self._users

    def restart_numbers(self) -> None:
        self._users = 0
        self.joined = {}


session = Session()
