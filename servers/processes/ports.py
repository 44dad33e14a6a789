"""The ports that a server listens at: bound, shared by its processes, and rid of clients that vanished."""

import os
import socket
import ssl
from typing import Final

from servers.settings.options import ServerOptions
from servers.web.certificate import Certificate

BACKLOG: Final = 4096


class PortTakenError(OSError):
    """A port cannot be listened on. The message says why and what to do."""


def bind(options: ServerOptions, port: int, option: str, *, first: bool = True) -> socket.socket:
    """Listen on a port, 0 for any free one. Raises PortTakenError.

    first: whether no other process of this server listens there yet.
    """
    host, shared = options.host, options.server_processes > 1
    try:
        family = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0][0]
        if shared and first:
            # A port that is shared can be joined by any other server of this user, which would be given our clients.
            socket.create_server((host, port), family=family).close()
        sock = socket.create_server((host, port), family=family, backlog=BACKLOG, reuse_port=shared)
    except OSError as wrong:
        # create_server() adds the address to the text that belongs to the number; getaddrinfo() has its own numbers.
        reason = os.strerror(wrong.errno) if wrong.errno and wrong.errno > 0 else wrong.strerror
        raise PortTakenError(
            f"cannot listen on {host} port {port}: {reason}; choose with {option} (0: any free)"
        ) from None
    notice_dead_peers(sock, options.heartbeat_s)
    return sock


def notice_dead_peers(sock: socket.socket, heartbeat_s: float) -> None:
    """Let the kernel drop a client that vanished without a word, after three silent heartbeats.

    Linux hands these options down to every connection that is accepted (tcp(7)), so that held polls are watched too,
    and no pattern needs to keep account of replies.
    """
    if not heartbeat_s or not hasattr(socket, "TCP_USER_TIMEOUT"):
        return
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE, max(1, round(heartbeat_s)))
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPINTVL, max(1, round(heartbeat_s)))
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, max(1000, round(3 * heartbeat_s * 1000)))


def tls(files: Certificate | None) -> ssl.SSLContext | None:
    if files is None:
        return None
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.set_alpn_protocols(["http/1.1"])  # HTTP/2 says so itself
    try:
        context.load_cert_chain(files.chain, files.key)
    except OSError as wrong:
        named = f"--tls-cert {files.chain!r} with --tls-key {files.key!r}"
        raise OSError(f"{named} cannot be used: {wrong.strerror or wrong}") from None
    return context
