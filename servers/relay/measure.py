"""`python -m servers.relay.measure`: what the relay itself adds, measured on this machine against no relay at all.

One process holds both outer ends of every connection, so a message is stamped before its send and after its recv by
the same clock and thread. What is left of its time under way after subtracting the delay that was asked for, and the
median of the same exchange over plain loopback connections, is the relay's own.
"""

import contextlib
import json
import socket
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import asdict, dataclass, replace
from statistics import fmean, median, quantiles
from typing import Final

from servers.home import python
from servers.relay.options import OneLineParser
from servers.settings.served import Distance
from servers.settings.setting import add_arguments, settings
from servers.settings.units import format_duration
from servers.timing import NS_PER_MS
from servers.timing.clock import now_ns

MESSAGE: Final = b"m" * 200
PATIENCE_S: Final = 10.0

Pair = tuple[socket.socket, socket.socket]


@dataclass(frozen=True, slots=True, kw_only=True)
class Overhead:
    """What the relay added, in ms one way, to messages of 200 bytes: negative would be too early.

    connections: how many messages were under way at once. direct_ms: median one way without relay, subtracted.
    late_mean_ms: the relay's own account of how late it wrote. cpu_us_per_chunk: its CPU for one read and one write.
    """

    rtt_ms: float
    connections: int
    messages: int
    direct_ms: float
    added_mean_ms: float
    added_p50_ms: float
    added_p99_ms: float
    late_mean_ms: float
    cpu_us_per_chunk: float

    def __str__(self) -> str:
        return (
            f"rtt {self.rtt_ms:g} ms, {self.connections} at once: adds, one way, p50 {self.added_p50_ms:.3f} ms, "
            f"p99 {self.added_p99_ms:.3f} ms, mean {self.added_mean_ms:.3f} ms (to {self.direct_ms:.3f} ms without "
            f"relay); {self.cpu_us_per_chunk:.0f} us of CPU per chunk"
        )


def measure_overhead(rtt_ns: int, connections: int = 1, rounds: int = 100) -> Overhead:
    """Exchange messages there and back over a relay with `rtt_ns` and over none; return the difference.

    Raises OSError when the relay does not start or a message does not arrive.
    """
    with socket.create_server(("127.0.0.1", 0), backlog=connections) as server:
        port: int = server.getsockname()[1]
        with connected(server, port, connections) as pairs:
            direct_ms = median(exchange(pairs, rounds))
        with relaying(port, rtt_ns) as (relay, relay_port):
            with connected(server, relay_port, connections) as pairs:
                under_way_ms = exchange(pairs, rounds)
            relay.terminate()
            stopped = json.loads(relay.communicate(timeout=PATIENCE_S)[0])
    added_ms = [ms - direct_ms - rtt_ns / 2 / NS_PER_MS for ms in under_way_ms]
    return Overhead(
        rtt_ms=rtt_ns / NS_PER_MS,
        connections=connections,
        messages=len(added_ms),
        direct_ms=direct_ms,
        added_mean_ms=fmean(added_ms),
        added_p50_ms=median(added_ms),
        added_p99_ms=quantiles(added_ms, n=100)[98],
        late_mean_ms=stopped["late_mean_ms"],
        cpu_us_per_chunk=stopped["cpu_s"] * 1e6 / stopped["chunks"],
    )


@contextlib.contextmanager
def relaying(to_port: int, rtt_ns: int) -> Iterator[tuple[subprocess.Popen[str], int]]:
    """Run a relay process; yield it and its port."""
    # Steered, it ends with its stdin, and so with us, whatever ends us.
    options = ["--to", f"127.0.0.1:{to_port}", "--rtt", format_duration(rtt_ns), "--steered", "--announce-json"]
    command = python("servers.relay", *options)
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
    with subprocess.Popen(command, text=True, **pipes) as process:  # type: ignore[call-overload]  # noqa: S603
        try:
            assert process.stdout is not None
            line = process.stdout.readline()
            if not line:
                raise OSError(f"the relay did not start: {' '.join(command)}")
            yield process, json.loads(line)["port"]
        finally:
            process.kill()


@contextlib.contextmanager
def connected(server: socket.socket, port: int, count: int) -> Iterator[list[Pair]]:
    """Yield `count` connections to `port` that come out at `server`, each as its client end and its server end."""
    with contextlib.ExitStack() as stack:
        pairs: list[Pair] = []
        for _ in range(count):
            client = stack.enter_context(socket.create_connection(("127.0.0.1", port), PATIENCE_S))
            server.settimeout(PATIENCE_S)
            other = stack.enter_context(server.accept()[0])
            other.settimeout(PATIENCE_S)
            for end in (client, other):
                end.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            pairs.append((client, other))
        yield pairs


def exchange(pairs: list[Pair], rounds: int) -> list[float]:
    """Send one message over every pair, first from the servers, then from the clients; return ms one way of each."""
    under_way_ms: list[float] = []
    to_clients = [(other, client) for client, other in pairs]
    for sides in [to_clients, pairs] * rounds:
        sent_ns: list[int] = []
        for sender, _ in sides:
            sent_ns.append(now_ns())
            sender.sendall(MESSAGE)
        for (_, receiver), at_ns in zip(sides, sent_ns, strict=True):
            receiver.recv(len(MESSAGE), socket.MSG_WAITALL)
            under_way_ms.append((now_ns() - at_ns) / NS_PER_MS)
    return under_way_ms


def main(arguments: list[str]) -> int:
    parser = OneLineParser(prog="python -m servers.relay.measure", description="What the relay itself costs.")
    rtt = replace(settings(Distance)["rtt_ms"], help="round trip to measure beside 0", default=40.0)
    add_arguments(parser, [rtt])
    parser.add_argument("--json", action="store_true", help="print a JSON list instead of lines")
    given = parser.parse_args(arguments)
    try:
        rtt_ns = round(rtt.of(given.rtt_ms) * NS_PER_MS)
    except ValueError as error:
        parser.error(str(error))
    trials = [(rtt, connections) for connections in (1, 100) for rtt in sorted({0, rtt_ns})]
    overheads = [measure_overhead(rtt, connections) for rtt, connections in trials]
    print(json.dumps([asdict(each) for each in overheads]) if given.json else "\n".join(map(str, overheads)))  # noqa: T201
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
