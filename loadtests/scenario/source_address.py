"""PURE. From which address users connect: servers tell clients apart by it, and limit each.

On Linux every address of 127.0.0.0/8 is this machine's own, so that a thousand clients can be a thousand addresses.
"""

from dataclasses import dataclass
from ipaddress import IPv4Network, IPv6Network, ip_network
from typing import Final

FORMS: Final = "an address, or a network that gives each user one: 127.0.0.2, 127.1.0.0/16"


@dataclass(frozen=True, slots=True)
class Source:
    """network: None leaves the choice to the system."""

    network: IPv4Network | IPv6Network | None = None

    def address(self, user: int) -> str:
        """Return the address of a user, numbered from 1; "" for any. Users share when there are fewer than users."""
        if self.network is None:
            return ""
        hosts = self.network.num_addresses
        # The first and the last address of an IPv4 network are not a host's (RFC 1122 section 3.2.1.3).
        skipped = 1 if hosts > 2 else 0
        return str(self.network[skipped + (user - 1) % (hosts - 2 * skipped)])

    def __str__(self) -> str:
        if self.network is None:
            return ""
        return str(self.network if self.network.num_addresses > 1 else self.network[0])


ANY: Final = Source()


def parse_source(text: str) -> Source:
    """Read a source from its one-line form, the inverse of `str(source)`. Raises ValueError naming text and forms."""
    if not text.strip():
        return ANY
    try:
        return Source(ip_network(text.strip()))
    except ValueError:
        raise ValueError(f"source {text!r} is not {FORMS}") from None
