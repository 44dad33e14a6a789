"""A way through a proxy: it is asked to connect us, and what follows is between us and the server (RFC 9110 9.3.6)."""

from typing import Any, Final

from loadtests.protocols.events import ProtocolError

HEAD_MAX_BYTES: Final = 16_384


def through_proxy(sock: Any, to: str) -> None:
    """Have the proxy that a blocking socket is connected to go on to HOST:PORT. Raises OSError and ProtocolError."""
    sock.sendall(f"CONNECT {to} HTTP/1.1\r\nHost: {to}\r\n\r\n".encode("ascii"))
    head = b""
    # Byte by byte, since what comes behind the head is the server's.
    while not head.endswith(b"\r\n\r\n") and (byte := sock.recv(1)):
        head += byte
        if len(head) > HEAD_MAX_BYTES:
            break
    if not (head.startswith(b"HTTP/1.") and head[9:10] == b"2" and head.endswith(b"\r\n\r\n")):
        said = head.partition(b"\r\n")[0][:60] or b"nothing"
        raise ProtocolError(f"the proxy does not connect us to {to}: it says {said!r}; it is what `proxy` names")
