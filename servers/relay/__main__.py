"""`python -m servers.relay`: options in, one relay process out. relay.py says what it does to the bytes.

Exit codes: 0 after SIGTERM or SIGINT, 2 wrong option, 3 port taken, no such host, or commands from no pipe.
"""

import contextlib
import gc
import json
import resource
import signal
import socket
import sys
import time
from functools import partial
from os import getpid
from typing import Any, Final

from servers.relay.connection import Tally
from servers.relay.options import Options, read_options
from servers.relay.relay import Relay
from servers.relay.steering import Steering
from servers.settings.units import BITS_PER_UNIT, format_bandwidth, format_duration
from servers.timing import NS_PER_MS

SPARE_FILES: Final = 32


def main(arguments: list[str]) -> int:
    options = read_options(arguments)
    stop_on = signalled()
    try:
        family = socket.AF_INET6 if ":" in options.host else socket.AF_INET
        listener = socket.create_server((options.host, options.port), family=family, backlog=4096)
    except OSError as error:
        return failed(
            f"--port {options.port}: {error.strerror} at {options.host}; choose another, or 0 for any free one"
        )
    try:
        upstream = resolve(*options.server)
    except OSError as error:
        return failed(f"--to {options.server[0]}: {error.strerror}; name a host that resolves, as 127.0.0.1")
    relay = Relay(listener, upstream, options.network, max_connections(), say)
    if options.steered:
        try:
            relay.watch(sys.stdin, Steering(relay, options.network, sys.stdin.fileno(), partial(tell, options)).read)
        except PermissionError:  # a file can always be read, so the kernel will not watch it
            return failed("--steered: stdin is a file; give a pipe")
    announce_ready(options, listener.getsockname()[1])
    gc.freeze()  # what is loaded stays; a collection then looks at connections only
    started_s = time.process_time()
    relay.run(stop_on)
    announce_stopped(options, relay.tally, time.process_time() - started_s)
    return 0


def announce_ready(options: Options, port: int) -> None:
    network = options.network
    tell(
        options,
        f"relay on {options.host}:{port} to {options.server[0]}:{options.server[1]}, round trip "
        f"{format_duration(network.rtt_ns)}, jitter {format_duration(network.jitter_ns)}, "
        f"bandwidth {format_bandwidth(network.bits_per_s)}",
        event="ready",
        port=port,
        pid=getpid(),
        rtt_ms=network.rtt_ns / NS_PER_MS,
        jitter_ms=network.jitter_ns / NS_PER_MS,
        bandwidth_mbit=network.bits_per_s / BITS_PER_UNIT["mbit"],
    )


def announce_stopped(options: Options, tally: Tally, cpu_s: float) -> None:
    late_ms = tally.late_ns / max(tally.releases, 1) / NS_PER_MS
    late_max_ms = tally.late_max_ns / NS_PER_MS
    tell(
        options,
        f"relayed {tally.connections} connections, {tally.chunks} chunks, {tally.bytes} bytes; "
        f"refused {tally.refused}; written {late_ms:.3f} ms late on average, {late_max_ms:.3f} ms at worst; "
        f"{cpu_s:.3f} s of CPU",
        event="stopped",
        connections=tally.connections,
        refused=tally.refused,
        chunks=tally.chunks,
        bytes=tally.bytes,
        late_mean_ms=late_ms,
        late_max_ms=late_max_ms,
        cpu_s=cpu_s,
    )


def tell(options: Options, words: str, **facts: str | float) -> None:
    """Write one line on stdout: an object for programs, words for people. The reader may be gone by now."""
    with contextlib.suppress(BrokenPipeError):
        print(json.dumps(facts) if options.announce_json else words, flush=True)  # noqa: T201


def say(line: str) -> None:
    print(line, file=sys.stderr, flush=True)  # noqa: T201


def failed(reason: str) -> int:
    say(f"error: {reason}")
    return 3


def signalled() -> socket.socket:
    """Return a socket that becomes readable when the process is asked to stop, so that only the loop ends the loop."""
    stop_on, woken = socket.socketpair()
    woken.setblocking(False)
    signal.set_wakeup_fd(woken.detach())
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: None)
    return stop_on


def resolve(host: str, port: int) -> tuple[socket.AddressFamily, Any]:
    family, _, _, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
    return family, address


def max_connections() -> int:
    """Raise the limit of open files as far as the system lets us; return how many pairs of sockets fit in."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    with contextlib.suppress(ValueError, OSError):  # macOS allows less than it says
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return (soft - SPARE_FILES) // 2 if soft != resource.RLIM_INFINITY else sys.maxsize


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
