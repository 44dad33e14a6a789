"""A connection under TLS. What users count and read is what lies in it; the clock is read as for any other.

The library only turns bytes into bytes here: sockets and waiting are `Connection`'s, so a message under TLS takes the
same way to its row, and is late by no more than its decryption.
"""

import os
import ssl
from typing import Final

from loadtests.foreign.spec import Way
from loadtests.protocols.events import ProtocolError
from loadtests.users.connection import CONNECT_S, Connection, Receive
from servers.timing.clock import now_ns

RECORDS_BYTES: Final = 262_144
"""A read brings no more than this much plain text."""


class TlsConnection(Connection):
    """Connects and shakes hands."""

    __slots__ = ("_http2", "_incoming", "_outgoing", "_plain", "_shaken", "_tls")

    def __init__(self, way: Way, receive: Receive, source: str, context: ssl.SSLContext, *, http2: bool) -> None:
        """Raises OSError, and ProtocolError for a certificate that is not trusted, or no TLS at all."""
        self._incoming, self._outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        self._tls = context.wrap_bio(self._incoming, self._outgoing, server_hostname=way.tls)
        self._plain = receive
        self._shaken, self._http2 = False, http2
        super().__init__(*way.address, self._sealed, source, way.tunnel)
        try:
            self.deadline_ns = now_ns() + round(CONNECT_S * 1e9)
            shaken = self._shake()
            while not shaken:
                self.wait()
                shaken = self._shaken
            self.deadline_ns = 0
        except BaseException:
            self.close()
            raise

    def send(self, data: bytes) -> None:
        self._tls.write(data)
        self._flush()

    def _shake(self) -> bool:
        """Go on with the handshake; return whether it is over."""
        try:
            self._tls.do_handshake()
            self._shaken = True
        except ssl.SSLWantReadError:
            pass
        except ssl.SSLError as wrong:
            self._flush()  # the alert that says so to the server
            why = getattr(wrong, "verify_message", "") or wrong.reason or wrong
            raise ProtocolError(f"TLS: {why}; name its authority with --ca FILE, or --insecure") from None
        self._flush()
        if self._shaken and self._http2 and self._tls.selected_alpn_protocol() != "h2":
            raise ProtocolError("TLS: the server does not choose HTTP/2 (ALPN)")
        return self._shaken

    def _sealed(self, data: bytes, received_ns: int, arrived_ns: int) -> None:
        self._incoming.write(data)
        if not data:
            self._incoming.write_eof()
        if not self._shaken:
            if not self._shake():
                return
            self.wake()
        plain = self._opened()
        self._flush()
        if self._incoming.pending:
            # A record is cut off: what came now is not all of a message, nor is its stamp.
            arrived_ns = 0
        if plain or not data:
            self._plain(plain, received_ns, arrived_ns)

    def _opened(self) -> bytes:
        pieces = []
        try:
            while piece := self._tls.read(RECORDS_BYTES):
                pieces.append(piece)
        except (ssl.SSLWantReadError, ssl.SSLZeroReturnError, ssl.SSLEOFError):
            pass
        except ssl.SSLError as wrong:
            raise ProtocolError(f"TLS: {wrong.reason or wrong}") from None
        return b"".join(pieces)

    def _flush(self) -> None:
        out = self._outgoing.read()
        if out and os.write(self._descriptor, out) != len(out):
            raise ConnectionResetError("the server does not read our requests")
