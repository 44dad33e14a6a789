"""`python -m servers.race [PATTERN ...]`: the servers of a race and its page. Takes the options of `python -m servers`,
and `--url URL` for each stream of others to be shown beside the lanes. Exit codes are those of `python -m servers` too.
"""

import sys
import tempfile
from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Final

from aiohttp import web

from servers.__main__ import FAILED, UNREACHABLE, USAGE, Parser, announce_json, fail, parse
from servers.app import Service
from servers.home import pass_on
from servers.process import ServingError, serve
from servers.processes.ports import PortTakenError
from servers.race.guests import Guest, guests
from servers.race.lanes import HOST, LaneLostError
from servers.race.race import Race
from servers.web.certificate import write_certificate

RTT_MS: Final = 40.0
"""Without a round trip, long polling and streaming are one and the same."""


def main(arguments: list[str]) -> int:
    pass_on()
    try:
        urls = Parser(add_help=False, allow_abbrev=False)
        urls.add_argument("--url", action="append", default=[])
        own, rest = urls.parse_known_args(arguments)
        beside = guests(own.url)
        names, as_json, options = parse(rest)
        check_place(options.host, options.server_processes)
        with tempfile.TemporaryDirectory(prefix="pollbench-") as folder:
            if not options.tls_cert:
                made = write_certificate(Path(folder))
                options = replace(options, tls_cert=made.chain, tls_key=made.key)
            serve(names, options, announce_json if as_json else announce_page, partial(join, beside))
    except PortTakenError as wrong:
        return fail(UNREACHABLE, wrong)
    except (ServingError, LaneLostError) as wrong:
        return fail(FAILED, wrong)
    except (ValueError, OSError) as wrong:
        return fail(USAGE, wrong)
    return 0


def check_place(host: str, processes: int) -> None:
    if processes > 1:
        raise ValueError(f"--processes {processes} must be 1: a race counts in one process what it sends")
    if host != HOST:
        raise ValueError(f"--host {host!r} must be {HOST}: the lanes and the page of a race are of this machine")


def join(beside: Sequence[Guest], service: Service, app: web.Application) -> None:
    Race(service, RTT_MS, beside).extend(app)


def announce_page(service: Service) -> None:
    sys.stdout.write(f"race  http://{HOST}:{service.http_port}/   Ctrl-C ends it\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
