"""`python -m servers.outlet`: publishes to a server that is not ours, and answers for it as our own servers do.

It says ready, /stats, /api/schedule and a journal like a reference server, so that whoever measures needs to know no
difference; users learn from /stats whom to follow, and how. What it announces beside: `target`, the URL that clients
use, and `pids`, whose cost is the server's.
"""

import argparse
import asyncio
import sys
from contextlib import AsyncExitStack
from functools import partial
from pathlib import Path

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
from servers.outlet.client import Refused
from servers.outlet.message import Place, SecretMissing
from servers.outlet.outlet import Outlet
from servers.outlet.started import Started, listeners
from servers.outlet.ways import way_of
from servers.process import bind, journal, raise_file_limit, settle, spare_the_collector, stop_signal
from servers.settings.options import ServerOptions
from servers.targets.adapter import Adapter, AdapterError
from servers.timing.clock import now_ns

FAILED, USAGE, UNREACHABLE = 1, 2, 3


def main() -> int:
    given = parser().parse_args()
    try:
        options = ServerOptions(
            host="127.0.0.1",
            port=given.port,
            schedule=given.schedule,
            message_bytes=given.message_bytes,
            content=given.content,
            token=given.token,
            journal=given.journal,
        )
        adapter = msgspec.json.decode(Path(given.adapter).read_bytes(), type=Adapter)
        raise_file_limit()
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            runner.run(serve(adapter, given.url, given.run, options, given.accepted))
    except (Refused, SecretMissing) as wrong:
        return fail(UNREACHABLE, wrong)
    except (ValueError, OSError, AdapterError) as wrong:
        return fail(USAGE, wrong)
    return 0


def parser() -> argparse.ArgumentParser:
    p = argparse.ArgumentParser(prog="python -m servers.outlet", description="Publish to a server that is not ours.")
    p.add_argument("--adapter", required=True, help="the adapter as JSON, in a file")
    p.add_argument("--url", default="", help="where the server is, if not where the adapter says")
    p.add_argument("--run", required=True, help="name of this run in channels and tracers: 4 to 32 hexadecimal digits")
    p.add_argument("--port", type=int, default=0, help="of our own control port, 0 for any free one")
    p.add_argument("--schedule", default="manual", help="when messages are due")
    p.add_argument("--message-bytes", type=int, default=200, help="length of the content, tracer included")
    p.add_argument("--content", default="same", help="what messages say")
    p.add_argument("--token", default="", help="name of this process in /stats")
    p.add_argument("--journal", default="", help="write id,due_ns,published_ns of every message to this CSV file")
    p.add_argument("--accepted", default="", help="write id,accepted_ns to this CSV file, 0 for what was refused")
    return p


async def serve(adapter: Adapter, url: str, run: str, options: ServerOptions, accepted: str) -> None:
    """Publish until told to stop. Raises Refused when the server cannot be reached or does not let us in."""
    stopped = stop_signal()
    failed = partial(settle, stopped)
    async with AsyncExitStack() as stack:
        started = Started(adapter, url)
        stack.push_async_callback(started.stop)
        base = await started.ready()
        place = Place(run, base.host or "", base.port or 80)
        way = way_of(adapter, base, place)
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
        announce(service, base, (started.pids() or listeners(base)) if adapter.cost.measured else [])
        await stopped


async def control(service: Service, stack: AsyncExitStack) -> None:
    """Serve /stats and the like on loopback."""
    sock = bind(service.options, service.options.port, "--port")
    stack.callback(sock.close)
    service.http_port = sock.getsockname()[1]
    runner = web.AppRunner(build(service), access_log=None)
    await runner.setup()
    stack.push_async_callback(runner.cleanup)
    await web.SockSite(runner, sock).start()


def announce(service: Service, base: URL, pids: list[int]) -> None:
    line = {"event": "ready", **service.identity(), "target": str(base), "pids": pids}
    sys.stdout.write(msgspec.json.encode(line).decode() + "\n")
    sys.stdout.flush()


def fail(code: int, wrong: Exception) -> int:
    sys.stderr.write(f"error: {wrong}\n")
    return code


if __name__ == "__main__":
    sys.exit(main())
