"""PURE. Which web pages may drive a server of ours, told from the fields that a browser adds and a page cannot forge.

Any page can have the browser send requests to this machine. `Origin` names the page wherever a request may change
something, and for WebSockets, for which no CORS exists, so that the server must look itself (RFC 6455 section 10.2).
`Host` unmasks a page that has had its own name point to this machine (DNS rebinding) and would be of one origin with
us. `Sec-Fetch-Site` tells of reads without `Origin`. Programs send none of these but `Host`.
"""

from collections.abc import Callable
from functools import lru_cache
from ipaddress import ip_address
from typing import Final, NamedTuple
from urllib.parse import urlsplit

READS_OF_OURS: Final = {"", "none", "same-origin"}
"""What Sec-Fetch-Site says of programs, of people who typed an address, and of our own pages."""
SHOWN: Final = 100
"""Characters of what was sent that an error repeats."""


class Stranger(NamedTuple):
    """Why a request is refused, and the field that says so."""

    field: str
    error: str


class Origins:
    """bound: the address that is listened on. allowed: host names that may be used beside it, separated by commas.
    ours: says of an origin that its pages are ours though they come from elsewhere."""

    def __init__(self, bound: str, allowed: str = "", ours: Callable[[str], bool] = lambda _: False) -> None:
        self._bound = bound.strip("[]").lower()
        self._allowed = {name.strip().lower() for name in allowed.split(",")} - {""}
        self.ours = ours
        self.refusal = lru_cache(maxsize=256)(self._refusal)

    def _refusal(self, host: str | None, origin: str | None, site: str = "", mode: str = "") -> Stranger | None:
        """Judge a request by its Host, Origin, Sec-Fetch-Site and Sec-Fetch-Mode; None when it is to be served."""
        if host and not self._is_here(host_of(host)):
            name = host_of(host) or host
            return Stranger(
                "Host", f"{shown(host)} is no name of this server; allow it with --allow-host {shown(name)}"
            )
        if origin is None:
            # A link that is followed shows what it finds to the person, and to no page.
            if site.lower() in READS_OF_OURS or mode.lower() == "navigate":
                return None
            return Stranger("Sec-Fetch-Site", f"{shown(site)}: pages of other origins may not ask here")
        if origin.lower().partition("://")[2] == (host or "").lower() != "" or self.ours(origin):
            return None
        page = host_of(origin.partition("://")[2])
        if page in self._allowed:
            return None
        return Stranger("Origin", f"{shown(origin)} is no page of this server; allow it with --allow-host")

    def _is_here(self, name: str) -> bool:
        """Say whether a name cannot be a stranger's: this machine's own, or one that no public name server answers for.

        A single label has no address in the public DNS (RFC 7085, SAC 053), and is what containers call each other.
        """
        if name in self._allowed or name == self._bound or name.endswith(".localhost"):
            return True
        try:
            address = ip_address(name)
        except ValueError:
            return bool(name) and "." not in name and ":" not in name
        if address.is_loopback or getattr(address, "ipv4_mapped", None) == ip_address("127.0.0.1"):
            return True
        return self._bound in {"", "0.0.0.0", "::"} and not address.is_unspecified


def host_of(authority: str) -> str:
    """Return the host of `HOST[:PORT]` in lower case, without brackets and the root's dot; "" when there is none.

    Where there is a user as well, it is no authority that a client may send (RFC 9110 section 4.2.4).
    """
    if "@" in authority:
        return ""
    try:
        host = urlsplit(f"//{authority}").hostname or ""
    except ValueError:
        return ""
    return host.rstrip(".")


def shown(text: str) -> str:
    """Return the beginning of what a client has sent, fit for an error."""
    return repr(text[:SHOWN])
