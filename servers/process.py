"""Runs one server process: binds, says so, publishes, and drains when told to stop."""

import asyncio
import csv
import resource
import secrets
import signal
import socket
import ssl
from collections.abc import Callable
from contextlib import AsyncExitStack
from dataclasses import replace
from pathlib import Path

import uvloop
from aiohttp import web

from servers import patterns
from servers.app import Service, build
from servers.clock import now_ns
from servers.feed import Feed
from servers.history import History
from servers.message import Message
from servers.options import ServerOptions
from servers.publisher import Publisher
from servers.schedule import parse_schedule

BACKLOG = 4096
DRAIN_S = 5.0


class PortTaken(OSError):
    """The port cannot be bound; the message says why and what to do."""


def listen(host: str, port: int, option: str) -> socket.socket:
    """Bind and listen. Raises PortTaken."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        return socket.create_server((host, port), family=family, backlog=BACKLOG)
    except OSError as wrong:
        reason = wrong.strerror or str(wrong)
        raise PortTaken(
            f"cannot listen on {host} port {port}: {reason}; choose another with {option}, 0 for any"
        ) from None


def serve(names: list[str], options: ServerOptions, announce: Callable[[Service], None]) -> None:
    """Serve until SIGTERM or SIGINT, then drain. Calls `announce` once all ports are bound. Raises PortTaken."""
    raise_file_limit()
    options = replace(options, token=options.token or secrets.token_hex(8))
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(_serve(names, options, announce))


async def _serve(names: list[str], options: ServerOptions, announce: Callable[[Service], None]) -> None:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for signal_number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(signal_number, stop.set)
    async with AsyncExitStack() as stack:
        sockets = [listen(options.host, options.port, "--port")]
        if any(patterns.load(name).HTTP2 for name in names):
            sockets.append(listen(options.host, options.http2_port, "--http2-port"))
        for sock in sockets:
            stack.callback(sock.close)
        journal = None
        if options.journal:
            file = stack.enter_context(Path(options.journal).open("w", encoding="ascii", buffering=1, newline=""))
            journal = journal_into(csv.writer(file))
        feed = Feed(History(options.history), journal)
        start_ns = now_ns() if options.start_at_ns is None else options.start_at_ns
        publisher = Publisher(feed, parse_schedule(options.schedule), options.message_bytes, start_ns)
        service = Service(feed, publisher, options, names)
        app = build(service)
        runner = web.AppRunner(app, access_log=None, handler_cancellation=True, shutdown_timeout=DRAIN_S)
        await runner.setup()
        stack.push_async_callback(runner.cleanup)

        async def close_feed(_: web.Application) -> None:
            publisher.stop()
            feed.close()

        await web.SockSite(runner, sockets[0], backlog=BACKLOG).start()
        service.ports["http_port"] = sockets[0].getsockname()[1]
        if len(sockets) > 1:
            from servers.http2 import serve_h2

            h2 = await serve_h2(app, sockets[1], ssl_context=tls(options))
            stack.push_async_callback(h2.close)
            service.ports["http2_port"] = sockets[1].getsockname()[1]
        stack.push_async_callback(close_feed, app)
        publisher.start()
        announce(service)
        await stop.wait()


def tls(options: ServerOptions) -> ssl.SSLContext | None:
    if not options.tls_cert:
        return None
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(options.tls_cert, options.tls_key)
    context.set_alpn_protocols(["h2"])
    return context


def journal_into(writer: "csv._writer") -> Callable[[Message], None]:
    writer.writerow(["id", "due_ns", "published_ns"])
    return lambda message: writer.writerow([message.id, message.due_ns, message.published_ns])


def raise_file_limit() -> None:
    """Every held client is an open file; the usual soft limit is 1,024."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
