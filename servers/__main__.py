"""`python -m servers [PATTERN ...]`: the reference servers, for a load test or for curl."""

import argparse
import sys
from typing import NoReturn

import msgspec

from servers import patterns
from servers.app import Service
from servers.backplane import NoRedisError
from servers.home import pass_on
from servers.process import ServingError, serve
from servers.processes import ProcessLostError
from servers.processes.ports import PortTakenError
from servers.settings import fault_specs
from servers.settings.options import ServerOptions
from servers.settings.setting import add_arguments, read, settings
from servers.web.urls import authority, is_loopback, reachable

FAILED, USAGE, UNREACHABLE = 1, 2, 3


class Parser(argparse.ArgumentParser):
    """Reports a wrong option in one line."""

    def error(self, message: str) -> NoReturn:
        self.exit(USAGE, f"error: {message}\n")


def main() -> int:
    pass_on()
    try:
        names, as_json, options = parse(sys.argv[1:])
        serve(names, options, announce_json if as_json else announce_lines)
    except (PortTakenError, NoRedisError) as wrong:
        return fail(UNREACHABLE, wrong)
    except (ServingError, ProcessLostError) as wrong:
        return fail(FAILED, wrong)
    except (ValueError, OSError) as wrong:
        return fail(USAGE, wrong)
    return 0


def parse(arguments: list[str]) -> tuple[list[str], bool, ServerOptions]:
    given = vars(parser().parse_args(arguments))
    names, as_json = given.pop("patterns") or patterns.names(), given.pop("announce_json")
    for name in names:
        patterns.facts(name)
    return sorted(set(names)), as_json, read(ServerOptions, given)


def parser() -> Parser:
    p = Parser(prog="python -m servers", description="Serve update-delivery patterns from one feed of messages.")
    p.add_argument("patterns", nargs="*", metavar="PATTERN", help=f"any of {', '.join(patterns.names())}; default all")
    add_arguments(p, settings(ServerOptions).values())
    p.add_argument("--announce-json", action="store_true", help="print the bound addresses as one line of JSON")
    return p


def announce_json(service: Service) -> None:
    paths = {name: patterns.facts(name).path for name in service.names}
    line = {"event": "ready", **service.identity(), "patterns": paths}
    sys.stdout.write(msgspec.json.encode(line).decode() + "\n")
    sys.stdout.flush()


def announce_lines(service: Service) -> None:
    options = service.options
    reach = "this machine only" if is_loopback(options.host) else "other machines can reach it"
    host = reachable(options.host)
    lines = [f"listening on {options.host} ({reach}), {options.schedule}, stop with Ctrl-C"]
    if options.fault:
        lines.append(
            f"  FAULTY ON PURPOSE ({options.fault}): this server {fault_specs.parse_fault(options.fault).meaning}"
        )
    for name in service.names:
        known = patterns.facts(name)
        port = service.http2_port if known.http2 else service.https_port or service.http_port
        scheme = "https" if options.tls or (known.http2 and options.tls_cert) else "http"
        lines.append(f"  {known.label:20} {scheme}://{authority(host, port or 0)}{known.path}")
    if service.authority:
        lines.append(f"  {'trust, by --cacert':20} {service.authority}")
    lines.append(f"  {'who is waiting':20} http://{authority(host, service.http_port or 0)}/stats")
    sys.stdout.write("\n".join(lines) + "\n")
    sys.stdout.flush()


def fail(code: int, wrong: Exception) -> int:
    sys.stderr.write(f"error: {wrong}\n")
    return code


if __name__ == "__main__":
    sys.exit(main())
