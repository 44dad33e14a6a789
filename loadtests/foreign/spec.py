"""PURE. A foreign server as a run keeps it, and as a load process is told of it: its adapter, where it is, and the run.

Both are JSON. Secrets stand in it as what they are called, `{{env.NAME}}`, and never as what they are.
"""

import msgspec

from servers.targets.variables import Place
from servers.targets.adapter import Adapter
from servers.targets.tracer import Scanner
from servers.targets.url import base_url
from servers.web.urls import BaseUrl


class Chosen(msgspec.Struct, frozen=True, kw_only=True):
    """A server as it was asked for. url: of it, "" where the adapter says, or starts it."""

    adapter: Adapter
    url: str = ""

    def encoded(self) -> str:
        return msgspec.json.encode(self).decode()


def chosen_of(encoded: str) -> Chosen:
    """Read what `encoded` gave. Raises ValueError."""
    return msgspec.json.decode(encoded, type=Chosen)


class ForeignTarget(msgspec.Struct, frozen=True, kw_only=True):
    """url: of the server, without a slash at its end. via: host:port to connect to instead, "" for none."""

    adapter: Adapter
    url: str
    run: str
    via: str = ""

    @property
    def base(self) -> BaseUrl:
        return base_url(self.url)

    @property
    def secure(self) -> bool:
        return self.base.scheme == "https"

    @property
    def place(self) -> Place:
        return Place(self.run, *self.base.address)

    @property
    def address(self) -> tuple[str, int]:
        """Whom to connect to."""
        return base_url(f"http://{self.via}").address if self.via else self.base.address

    def scanner(self) -> Scanner:
        return Scanner(self.run)
