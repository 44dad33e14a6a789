"""PURE. Base URLs: read strictly, so that what cannot be honoured is refused, and printed so that they can be used.

A host is kept without brackets, as sockets want it; wherever it is printed, an IPv6 address stands in them (RFC 3986
3.2.2). A user or a password is never taken, sent in `Host` (RFC 9110 4.2.4) or repeated in an error.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from ipaddress import IPv6Address, ip_address
from typing import Final
from urllib.parse import SplitResult, urlsplit

PORTS: Final = {"http": 80, "ws": 80, "https": 443, "wss": 443}
"""The schemes that are known, and the port of each where none is given."""
_NAME: Final = re.compile(r"[a-z0-9._~-]+")
_NETLOC: Final = re.compile(r"(\[[^]]*]|[^][:]*)(?::[0-9]*)?")
_PATH: Final = re.compile(r"(?:[!$&'()*+,./0-9:;=@A-Z_a-z~-]|%[0-9A-Fa-f]{2})*")


@dataclass(frozen=True, slots=True)
class BaseUrl:
    """Where a server is. path: of all that it serves, without the slash at its end; "" for its root."""

    scheme: str
    host: str
    port: int
    path: str = ""

    def __str__(self) -> str:
        return f"{self.scheme}://{authority(self.host, self.port, self.scheme)}{self.path}"

    @property
    def netloc(self) -> str:
        """What `Host` or `:authority` says: no user, no zone (RFC 6874 4), and no port where it is the scheme's own."""
        return authority(self.host.partition("%")[0], self.port, self.scheme)

    @property
    def address(self) -> tuple[str, int]:
        """What a socket connects to."""
        return self.host, self.port


def authority(host: str, port: int, scheme: str = "") -> str:
    """Return HOST:PORT, an IPv6 address in brackets; without the port where it is the scheme's own."""
    shown = f"[{host.replace('%', '%25')}]" if ":" in host else host
    return shown if port == PORTS.get(scheme) else f"{shown}:{port}"


def reachable(bound: str) -> str:
    """Return a host under which a server that listens on `bound` is found from its own machine."""
    return {"": "127.0.0.1", "0.0.0.0": "127.0.0.1", "::": "::1"}.get(bound, bound)


def is_loopback(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host.lower().rstrip(".") == "localhost" or host.lower().rstrip(".").endswith(".localhost")


def read_url(
    text: str, option: str, schemes: Sequence[str] = ("http",), *, path: bool = False, instead: str = "leave it out"
) -> BaseUrl:
    """Read a base URL. Raises ValueError naming option, value and remedy, in one line.

    path: whether it may have one. instead: where a user and a password belong.
    """
    example = f"{schemes[0]}://127.0.0.1:8080{'/base' if path else ''}"
    try:
        url = urlsplit(text)
        host, port = _host(url), url.port
    except ValueError:  # brackets that do not close, a port that is no number, an address that is none
        url, host, port = SplitResult("", text, "", "", ""), "", None
    if "@" in url.netloc:
        raise ValueError(f"{option} has a user or a password in it, which would be written down; {instead}")
    if url.scheme not in schemes or not host or port == 0 or text != text.strip() or not text.isprintable():
        known = "" if len(schemes) == 1 else f" ({', '.join(schemes)})"
        raise ValueError(f"{option} {text[:200]!r} is not a URL such as {example}{known}")
    if url.query or url.fragment or text.endswith(("?", "#")):
        raise ValueError(f"{option} {text[:200]!r} has a query or a fragment, which is no part of where a server is")
    if url.path.strip("/") and not path:
        raise ValueError(f"{option} {text[:200]!r} has a path, which would not be used; end behind the port: {example}")
    if not _PATH.fullmatch(url.path):
        raise ValueError(f"{option} {text[:200]!r} has a path with characters that belong in it as %XX")
    return BaseUrl(url.scheme, host, PORTS[url.scheme] if port is None else port, url.path.rstrip("/"))


def _host(url: SplitResult) -> str:
    """Return the host, an IPv6 address without brackets and with its zone. Raises ValueError."""
    name = url.hostname or ""
    if not _NETLOC.fullmatch(url.netloc):
        return ""
    if url.netloc.startswith("["):
        return str(IPv6Address(name.replace("%25", "%", 1)))
    name = name if name.isascii() else name.encode("idna").decode("ascii")
    return name if _NAME.fullmatch(name) else ""
