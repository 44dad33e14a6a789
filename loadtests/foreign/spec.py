"""PURE. A foreign server as a load process is told of it: the adapter, where the server is, and the name of the run.

It is a JSON file. Secrets stand in it as what they are called, `{{env.NAME}}`, and never as what they are.
"""

from typing import Final
from urllib.parse import SplitResult, urlsplit

import msgspec

from servers.outlet.message import Place
from servers.targets.adapter import Adapter
from servers.targets.tracer import Scanner

PORTS: Final = {"http": 80, "https": 443}


class ForeignTarget(msgspec.Struct, frozen=True, kw_only=True):
    """url: of the server, without a slash at its end. via: host:port to connect to instead, "" for none."""

    adapter: Adapter
    url: str
    run: str
    via: str = ""

    @property
    def parts(self) -> SplitResult:
        return urlsplit(self.url)

    @property
    def secure(self) -> bool:
        return self.parts.scheme == "https"

    @property
    def place(self) -> Place:
        parts = self.parts
        return Place(self.run, parts.hostname or "", parts.port or PORTS[parts.scheme])

    @property
    def address(self) -> tuple[str, int]:
        """Whom to connect to."""
        via = urlsplit(f"//{self.via}")
        return (via.hostname, via.port or 0) if via.hostname else (self.place.host, self.place.port)

    def scanner(self) -> Scanner:
        return Scanner(self.run)
