"""Runs one server process: binds, says so, publishes on schedule, and drains when told to stop."""

import asyncio
import gc
import os
import resource
import secrets
import signal
import socket
import ssl
import tempfile
from collections.abc import Callable
from contextlib import AsyncExitStack
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Final

import uvloop
from aiohttp import web

from servers import patterns
from servers.app import Service, build, shortcut
from servers.feed.feed import Feed, Journal
from servers.feed.history import History
from servers.feed.journal import open_csv
from servers.feed.persistence import Kept, kept
from servers.feed.publisher import Publisher
from servers.feed.schedule import parse_schedule
from servers.settings.fault_specs import IgnoreDisconnect, Slow, parse_fault
from servers.settings.options import ServerOptions
from servers.timing.clock import now_ns
from servers.timing.write_log import WRITE_COLUMNS, Writes
from servers.web.certificate import Certificate, write_certificate
from servers.web.patience import patient
from servers.web.urls import reachable

if TYPE_CHECKING:
    from servers.backplane.backplane import Backplane

BACKLOG: Final = 4096
DRAIN_S: Final = 5.0
LAST_WORDS_S: Final = 1.0
"""How long a client may take to answer the end of TLS."""

Extend = Callable[[Service, web.Application], None]


class PortTakenError(OSError):
    """A port cannot be listened on. The message says why and what to do."""


class ServingError(Exception):
    """Serving ended because something failed that was needed to publish."""


def serve(
    names: list[str], options: ServerOptions, announce: Callable[[Service], None], extend: Extend | None = None
) -> None:
    """Serve until SIGTERM or SIGINT, then drain. `announce` is called once everything is bound.

    extend: adds to the application before it is set up; `http_port` is known by then.

    Raises PortTakenError, NoRedisError, OSError for a file that cannot be opened, ServingError for one that cannot be
    written.
    """
    raise_file_limit()
    options = replace(options, token=options.token or secrets.token_hex(8))
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(_serve(names, options, announce, extend))


async def _serve(
    names: list[str], options: ServerOptions, announce: Callable[[Service], None], extend: Extend | None
) -> None:
    stopped = stop_signal()
    failed = partial(settle, stopped)
    async with AsyncExitStack() as stack:
        history = History(options.history, options.history_bytes)
        kept_before = stack.enter_context(kept(options.keep, history, options.history, options.history_bytes))
        feed, backplane = await feeding(options, history, kept_before, failed, stack)
        start_ns = now_ns() if options.start_at_ns is None else options.start_at_ns
        schedule = parse_schedule(options.schedule if options.publish else "manual")
        publisher = Publisher(
            backplane or feed,
            schedule,
            options.message_bytes,
            start_ns,
            failed,
            options.content,
            published_until_ns=kept_before.until_ns,
        )
        service = Service(spoiled(feed, options, stack, failed), publisher, options, names, backplane=backplane)
        await listen(service, stack, extend)
        stack.callback(feed.close)
        stack.callback(publisher.stop)
        publisher.start()
        spare_the_collector()
        announce(service)
        try:
            await stopped
        except OSError as wrong:
            raise ServingError(f"cannot go on publishing: {wrong.strerror or wrong}") from wrong


def journal(options: ServerOptions, stack: AsyncExitStack) -> Journal | None:
    """Return what writes a message's line, None without a file. Raises OSError when it cannot be opened."""
    write = stack.enter_context(open_csv("--journal", options.journal, "id,due_ns,published_ns"))
    if write is None:
        return None
    return lambda message: write(b"%d,%d,%d\n" % (message.id, message.due_ns, message.published_ns))


def spoiled(feed: Feed, options: ServerOptions, stack: AsyncExitStack, failed: Callable[[BaseException], None]) -> Feed:
    """Return the feed that the patterns see: the given one itself, unless the server is to be wrong on purpose."""
    if not options.fault:
        return feed
    from servers.faults.feed import spoil

    return spoil(feed, options, stack, failed)


async def feeding(
    options: ServerOptions,
    history: History,
    before: Kept,
    failed: Callable[[BaseException], None],
    stack: AsyncExitStack,
) -> "tuple[Feed, Backplane | None]":
    """Return the feed, filled by others if it is shared, and then what it is shared through. Raises NoRedisError."""
    journalled = journal(options, stack)
    if options.feed == "memory":
        return Feed(history, journalled, options.token, before.write), None
    from servers.backplane.joining import join

    feed = Feed(history)
    return feed, await stack.enter_async_context(join(feed, options, journalled, failed))


async def listen(service: Service, stack: AsyncExitStack, extend: Extend | None) -> None:
    """Serve HTTP/1.1, and HTTP/2 if a pattern needs it; leave on the stack what closes them. Raises PortTakenError."""
    options = service.options
    sock = bind(options, options.port, "--port")
    stack.callback(sock.close)
    service.http_port = sock.getsockname()[1]
    app = build(service)
    files = certified(options, stack)
    watch = watcher(options, stack)
    if extend is not None:
        extend(service, app)
    heeds_disconnects = options.fault != str(IgnoreDisconnect())
    runner = web.AppRunner(app, access_log=None, handler_cancellation=heeds_disconnects, shutdown_timeout=DRAIN_S)
    await runner.setup()
    stack.push_async_callback(runner.cleanup)
    if runner.server is not None and extend is None:
        runner.server.request_handler = shortcut(app, runner.server.request_handler)
    if runner.server is not None and options.fault and isinstance(fault := parse_fault(options.fault), Slow):
        from servers.faults.slow import slowed

        runner.server.request_handler = slowed(runner.server.request_handler, fault)
    if any(patterns.facts(name).http2 for name in service.names):
        from servers.http2 import Limits, serve_h2

        sock2 = bind(options, options.http2_port, "--http2-port")
        stack.callback(sock2.close)
        limits = Limits(head_timeout_s=options.head_timeout_s)
        h2 = await serve_h2(app, sock2, ssl_context=tls(files), limits=limits, watch=watch, unread=service.unread)
        stack.push_async_callback(h2.close)
        service.http2_port = sock2.getsockname()[1]
    accept, loop = patient(runner, options.head_timeout_s, service.unread), asyncio.get_running_loop()
    http = await loop.create_server(lambda: watch(accept()), sock=sock, backlog=BACKLOG)
    stack.callback(http.close)
    if options.tls:
        sock3 = bind(options, options.https_port, "--https-port")
        stack.callback(sock3.close)
        https = await loop.create_server(
            lambda: watch(accept()),
            sock=sock3,
            backlog=BACKLOG,
            ssl=tls(files),
            ssl_handshake_timeout=options.head_timeout_s or None,
            ssl_shutdown_timeout=LAST_WORDS_S,
        )
        stack.callback(https.close)
        service.https_port, service.authority = sock3.getsockname()[1], files.authority if files else ""


def watcher(options: ServerOptions, stack: AsyncExitStack) -> Callable[[asyncio.Protocol], asyncio.Protocol]:
    """Return what every connection's protocol passes through: nothing, unless its writes are to be journalled."""
    write = stack.enter_context(open_csv("--write-journal", options.write_journal, WRITE_COLUMNS))
    if write is None:
        return lambda protocol: protocol
    writes = Writes()
    stack.callback(writes.save, write)
    return writes.watch


def bind(options: ServerOptions, port: int, option: str) -> socket.socket:
    """Listen on a port, 0 for any free one. Raises PortTakenError."""
    host = options.host
    try:
        family = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0][0]
        sock = socket.create_server((host, port), family=family, backlog=BACKLOG)
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


def certified(options: ServerOptions, stack: AsyncExitStack) -> Certificate | None:
    """Return the certificate that was named, or one that lives as long as the process; None where none is needed."""
    if options.tls_cert:
        return Certificate(options.tls_cert, options.tls_key, authority="")
    if not options.tls:
        return None
    folder = stack.enter_context(tempfile.TemporaryDirectory(prefix="pollbench-tls-"))
    return write_certificate(Path(folder), *filter(None, [reachable(options.host), *options.allow_host.split(",")]))


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


def stop_signal() -> "asyncio.Future[None]":
    """Return what becomes done when the process is told to stop."""
    loop = asyncio.get_running_loop()
    stopped: asyncio.Future[None] = loop.create_future()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, settle, stopped, None)
    return stopped


def settle(stopped: "asyncio.Future[None]", wrong: BaseException | None) -> None:
    if stopped.done():
        return
    if wrong is None:
        stopped.set_result(None)
    else:
        stopped.set_exception(wrong)


def raise_file_limit() -> None:
    """Every client is an open file, and the usual soft limit is 1,024."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


def spare_the_collector() -> None:
    """Collect garbage seldom: every held client is a hundred objects that no collection will free.

    With Python's own thresholds, collections took a third of the CPU time of 2,000 long polls.
    """
    gc.freeze()
    gc.set_threshold(50_000, 20, 100)
