"""PURE. What a client asks for, of any pattern: whoever follows one says this, and the pattern makes bytes of it."""

from collections.abc import Callable
from dataclasses import dataclass

from loadtests.protocols.http1_bodies import LIMIT_BYTES


@dataclass(frozen=True, slots=True, kw_only=True)
class Ask:
    """netloc: host and port; path: the pattern's endpoint; cursor: the newest id that the client has, 0 for none; tls:
    whether it is asked over TLS.

    random_bytes: gives so many. gzip: whether answers may be compressed. limit_bytes: the longest message, or answer to
    a poll, that is taken. hold_s: how long a poll may be held; one_per_response: whether it wants one message at most.
    """

    netloc: str
    path: str
    random_bytes: Callable[[int], bytes]
    cursor: int = 0
    tls: bool = False
    gzip: bool = False
    limit_bytes: int = LIMIT_BYTES
    hold_s: float = 30.0
    one_per_response: bool = False

    @property
    def target(self) -> str:
        return f"{self.path}?last_id={self.cursor}"

    @property
    def encoding(self) -> str:
        """The header that says which codings are taken, as a line."""
        return "Accept-Encoding: gzip\r\n" if self.gzip else ""
