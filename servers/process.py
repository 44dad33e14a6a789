"""Runs one server process: binds, says so, publishes on schedule, and drains when told to stop."""

import asyncio
import gc
import resource
import secrets
import signal
import tempfile
from collections.abc import Callable, Sequence
from contextlib import AsyncExitStack
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Final

import uvloop
from aiohttp import web

from servers import patterns
from servers.app import Service, build, shortcut
from servers.feed.feed import Feed, Journal, Keep
from servers.feed.history import History
from servers.feed.journal import open_csv
from servers.feed.persistence import kept
from servers.feed.publisher import BATCH, Publisher
from servers.feed.schedule import parse_schedule
from servers.processes.follower import Follower, FollowingService
from servers.processes.leader import Leader, LeadingService
from servers.processes.ports import BACKLOG, bind, tls
from servers.processes.split import End, split
from servers.settings.fault_specs import IgnoreDisconnect, Slow, parse_fault
from servers.settings.options import ServerOptions
from servers.timing.clock import now_ns
from servers.timing.write_log import WRITE_COLUMNS, Writes
from servers.web.certificate import Certificate, write_certificate
from servers.web.patience import patient
from servers.web.urls import reachable

if TYPE_CHECKING:
    from servers.backplane.backplane import Backplane

DRAIN_S: Final = 5.0
LAST_WORDS_S: Final = 1.0
"""How long a client may take to answer the end of TLS."""

Extend = Callable[[Service, web.Application], None]


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
    share = -(-options.unread_bytes // options.server_processes)
    options = replace(options, token=options.token or secrets.token_hex(8), unread_bytes=share)
    ends = split(options.server_processes)
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        if isinstance(ends, End):
            runner.run(_follow(names, options, ends))
        else:
            runner.run(_serve(names, options, announce, extend, ends))


async def _serve(
    names: list[str],
    options: ServerOptions,
    announce: Callable[[Service], None],
    extend: Extend | None,
    others: Sequence[End],
) -> None:
    stopped = stop_signal()
    failed = partial(settle, stopped)
    async with AsyncExitStack() as stack:
        leader = Leader(others, failed, unread_bytes(options))
        stack.push_async_callback(leader.stop)
        history = History(options.history, options.history_bytes)
        kept_before = stack.enter_context(kept(options.keep, history, options.history, options.history_bytes))
        keep = leader.keeping(kept_before.write)
        feed, backplane = await feeding(options, history, keep, failed, stack)
        schedule = parse_schedule(options.schedule if options.publish else "manual")
        publisher = Publisher(
            backplane or feed,
            schedule,
            options.message_bytes,
            options.start_at_ns or 0,
            failed,
            options.content,
            published_until_ns=kept_before.until_ns,
            together=1 if options.one_per_write else BATCH,
        )
        seen = spoiled(feed, options, stack, failed)
        service = LeadingService(seen, publisher, options, names, backplane=backplane, leader=leader)
        files = certified(options, stack)
        await listen(service, stack, files, extend)
        await leader.start(service, files)
        stack.callback(feed.close)
        stack.callback(leader.dismiss)
        stack.callback(publisher.stop)
        if options.start_at_ns is None:
            publisher.start_ns = now_ns()
        publisher.start()
        spare_the_collector()
        announce(service)
        try:
            await stopped
        except OSError as wrong:
            raise ServingError(f"cannot go on publishing: {wrong.strerror or wrong}") from wrong


async def _follow(names: list[str], options: ServerOptions, end: End) -> None:
    """Serve what the first process publishes, at its ports, until it says that it is over."""
    async with AsyncExitStack() as stack:
        feed = Feed(History(options.history, options.history_bytes), token=options.token)
        follower = Follower(end, feed, unread_bytes(options))
        place = await follower.place
        if place is None:
            return
        options = replace(
            options, port=place.http_port, http2_port=place.http2_port or 0, https_port=place.https_port or 0
        )
        idle = Publisher(feed, parse_schedule("manual"), 0, 0, lambda _: None)
        service = FollowingService(feed, idle, options, names, backplane=follower, pid=end.pid, leader=follower)
        await listen(service, stack, place.files, first=False)
        stack.callback(feed.close)
        spare_the_collector()
        follower.serves(service)
        await follower.ended


def unread_bytes(options: ServerOptions) -> int:
    """Return how far a process may be behind the first one: what is forgotten by then, it need not hear of."""
    return 2 * options.history_bytes


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
    keep: Keep | None,
    failed: Callable[[BaseException], None],
    stack: AsyncExitStack,
) -> "tuple[Feed, Backplane | None]":
    """Return the feed, filled by others if it is shared, and then what it is shared through. Raises NoRedisError."""
    journalled = journal(options, stack)
    if options.feed == "memory":
        return Feed(history, journalled, options.token, keep), None
    from servers.backplane.joining import join

    feed = Feed(history)
    return feed, await stack.enter_async_context(join(feed, options, journalled, failed))


async def listen(
    service: Service,
    stack: AsyncExitStack,
    files: Certificate | None,
    extend: Extend | None = None,
    *,
    first: bool = True,
) -> None:
    """Serve HTTP/1.1, and HTTP/2 if a pattern needs it; leave on the stack what closes them. Raises PortTakenError.

    first: whether no other process of this server listens there yet.
    """
    options = service.options
    sock = bind(options, options.port, "--port", first=first)
    stack.callback(sock.close)
    service.http_port = sock.getsockname()[1]
    app = build(service)
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

        sock2 = bind(options, options.http2_port, "--http2-port", first=first)
        stack.callback(sock2.close)
        limits = Limits(head_timeout_s=options.head_timeout_s)
        h2 = await serve_h2(app, sock2, ssl_context=tls(files), limits=limits, watch=watch, unread=service.unread)
        stack.push_async_callback(h2.close)
        service.http2_port = sock2.getsockname()[1]
    accept, loop = patient(runner, options.head_timeout_s, service.unread), asyncio.get_running_loop()
    http = await loop.create_server(lambda: watch(accept()), sock=sock, backlog=BACKLOG)
    stack.callback(http.close)
    if options.tls:
        sock3 = bind(options, options.https_port, "--https-port", first=first)
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


def certified(options: ServerOptions, stack: AsyncExitStack) -> Certificate | None:
    """Return the certificate that was named, or one that lives as long as the process; None where none is needed."""
    if options.tls_cert:
        return Certificate(options.tls_cert, options.tls_key, authority="")
    if not options.tls:
        return None
    folder = stack.enter_context(tempfile.TemporaryDirectory(prefix="pollbench-tls-"))
    return write_certificate(Path(folder), *filter(None, [reachable(options.host), *options.allow_host.split(",")]))


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
