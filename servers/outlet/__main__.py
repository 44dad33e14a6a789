"""`python -m servers.outlet`: publishes to a server that is not ours, and answers for it as our own servers do.

It says ready, /stats, /api/schedule and a journal like a reference server, so that whoever measures needs to know no
difference; users learn from /stats whom to follow, and how. What it announces beside: `target`, the URL that clients
use, `pids`, that count as the server, and `cost_of`, how that is known.
"""

import argparse
import asyncio
import sys
from contextlib import AsyncExitStack
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Final

import msgspec
import uvloop
from aiohttp import web
from yarl import URL

from servers.app import Service, build
from servers.feed.feed import Feed
from servers.feed.history import History
from servers.feed.journal import open_csv
from servers.feed.publisher import Publisher
from servers.feed.schedule import parse_schedule
from servers.outlet.costs import CostOf, cost_of
from servers.outlet.outlet import Outlet
from servers.outlet.started import Started
from servers.outlet.ways import way_of
from servers.process import journal, raise_file_limit, settle, spare_the_collector, stop_signal
from servers.processes.ports import BACKLOG, bind
from servers.settings.options import ServerOptions
from servers.settings.setting import add_arguments, settings
from servers.targets.adapter import Adapter
from servers.targets.classes import client_of
from servers.targets.variables import Misunderstood, Place
from servers.timing.clock import now_ns
from servers.web.patience import patient

FAILED, USAGE, UNREACHABLE = 1, 2, 3
_OF_SERVERS: Final = settings(ServerOptions)
TAKEN: Final = [
    replace(_OF_SERVERS["port"], help="our own control port", default=0),
    replace(_OF_SERVERS["schedule"], default="manual"),
    *(_OF_SERVERS[name] for name in ("host", "message_bytes", "content", "token", "journal")),
]
"""Settings of a server that publishing elsewhere needs too; the length of the content includes the tracer."""


def main() -> int:
    given = parser().parse_args()
    try:
        options = ServerOptions(
            **{each.name: each.of(vars(given)[each.name]) for each in TAKEN},
        )
        adapter = msgspec.json.decode(Path(given.adapter).read_bytes(), type=Adapter)
        raise_file_limit()
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            runner.run(serve(adapter, given.url, given.run, options, given.accepted))
    except Misunderstood as wrong:
        return fail(UNREACHABLE, wrong)
    except (ValueError, OSError) as wrong:
        return fail(USAGE, wrong)
    return 0


def parser() -> argparse.ArgumentParser:
    p = argparse.ArgumentParser(prog="python -m servers.outlet", description="Publish to a server that is not ours.")
    p.add_argument("--adapter", required=True, help="the adapter as JSON, in a file")
    p.add_argument("--url", default="", help="where the server is, if not where the adapter says")
    p.add_argument("--run", required=True, help="name of this run in channels and tracers: 4 to 32 hexadecimal digits")
    add_arguments(p, TAKEN)
    p.add_argument("--accepted", default="", help="write id,accepted_ns to this CSV file, 0 for refused messages")
    return p


async def serve(adapter: Adapter, url: str, run: str, options: ServerOptions, accepted: str) -> None:
    """Publish until told to stop. Raises Misunderstood when the server cannot be reached or does not let us in."""
    stopped = stop_signal()
    failed = partial(settle, stopped)
    async with AsyncExitStack() as stack:
        started = Started(adapter, url)
        stack.push_async_callback(started.stop)
        base = await started.ready()
        place = Place(run, base.host or "", base.port or 80)
        way = way_of(client_of(adapter, adapter.publish, place, "publisher"), base)
        stack.push_async_callback(way.close)
        await way.open()
        history = History(options.history, options.history_bytes)
        write = stack.enter_context(open_csv("--accepted", accepted, "id,accepted_ns")) or (lambda _: None)
        noted = journal(options, stack) or (lambda _: None)
        told = {"adapter": msgspec.to_builtins(adapter), "url": str(base).rstrip("/"), "run": run}
        outlet = Outlet(way, place, adapter, history, noted, write, told)
        publisher = Publisher(
            outlet, parse_schedule(options.schedule), options.message_bytes, now_ns(), failed, options.content
        )
        service = Service(Feed(history), publisher, options, [], backplane=outlet)
        await control(service, stack)
        stack.push_async_callback(outlet.settled)
        stack.callback(publisher.stop)
        publisher.start()
        spare_the_collector()
        announce(service, base, cost_of(adapter.cost, started.pid, base.host or "", base.port or 0))
        await stopped


async def control(service: Service, stack: AsyncExitStack) -> None:
    """Serve /stats and the like, on loopback unless load hosts must reach it."""
    sock = bind(service.options, service.options.port, "--port")
    stack.callback(sock.close)
    service.http_port = sock.getsockname()[1]
    runner = web.AppRunner(build(service), access_log=None)
    await runner.setup()
    stack.push_async_callback(runner.cleanup)
    accept = patient(runner, service.options.head_timeout_s, service.unread)
    http = await asyncio.get_running_loop().create_server(accept, sock=sock, backlog=BACKLOG)
    stack.callback(http.close)


def announce(service: Service, base: URL, cost: CostOf) -> None:
    line = {"event": "ready", **service.identity(), "target": str(base), "pids": cost.pids, "cost_of": cost.known}
    sys.stdout.write(msgspec.json.encode(line).decode() + "\n")
    sys.stdout.flush()


def fail(code: int, wrong: Exception) -> int:
    sys.stderr.write(f"error: {wrong}\n")
    return code


if __name__ == "__main__":
    sys.exit(main())
