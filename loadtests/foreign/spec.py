"""PURE. A foreign server as a run keeps it, and as a load process is told of it: its adapter, where it is, and the run.

Both are JSON. Secrets stand in it as what they are called, `{{env.NAME}}`, and never as what they are.
"""

from typing import NamedTuple

import msgspec

from servers.targets.adapter import Adapter
from servers.targets.tracer import Scanner
from servers.targets.url import base_url
from servers.targets.variables import Misunderstood, Place
from servers.web.urls import BaseUrl, authority


class Way(NamedTuple):
    """How a client reaches a server. address: of it, of what delays its clients, or of a proxy.

    tunnel: HOST:PORT that the proxy is asked to connect to, "" for none. tls: the name that the certificate must have,
    "" for cleartext. home: it is the server that was named, which alone is shown who asks. by_proxy: the proxy reads
    requests, which name the server.
    """

    address: tuple[str, int]
    tunnel: str = ""
    tls: str = ""
    home: bool = True
    by_proxy: bool = False


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
    def place(self) -> Place:
        return Place(self.run, *self.base.address)

    def way(self, to: BaseUrl, pattern: str) -> Way:
        """Return how a server is reached: this one, or another that it redirects to. Raises Misunderstood."""
        home = (to.scheme, to.address) == (self.base.scheme, self.base.address)
        proxy = base_url(self.adapter.proxy).address if self.adapter.proxy else None
        if self.via and not home and proxy is None:
            raise Misunderstood(
                f"it redirects to {to}, and what delays its clients stands before {self.base}: name {to}"
            )
        through = base_url(f"http://{self.via}").address if self.via else proxy or to.address
        tls = to.host if to.scheme == "https" else ""
        tunnel = authority(*to.address) if proxy is not None and (tls or pattern == "websocket") else ""
        return Way(through, tunnel, tls, home=home, by_proxy=proxy is not None and not tunnel)

    def scanner(self) -> Scanner:
        return Scanner(self.run)
