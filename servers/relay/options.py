"""PURE. What a relay process can be told, and how a command line says it."""

import argparse
from dataclasses import dataclass
from typing import Final, NoReturn

from servers.relay.network import Network
from servers.relay.units import parse_address, parse_bandwidth_bits_per_s, parse_duration_ns, parse_port

LISTEN_HOST: Final = "127.0.0.1"


class OneLineParser(argparse.ArgumentParser):
    """Says what is wrong in one line, without the usage in front."""

    def error(self, message: str) -> NoReturn:
        self.exit(2, f"error: {message}\n")


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """The command line, read."""

    server: tuple[str, int]
    port: int
    network: Network
    steered: bool
    announce_json: bool


def read_options(arguments: list[str]) -> Options:
    """Return the options, or leave with exit code 2 and one line that says which one is wrong."""
    parser = OneLineParser(prog="python -m servers.relay", description="A network between clients and a server.")
    parser.add_argument("--to", required=True, metavar="HOST:PORT", help="the server")
    parser.add_argument("--port", default="0", help=f"where clients connect, on {LISTEN_HOST}; 0 (default): a free one")
    parser.add_argument("--rtt", required=True, help="round trip, half each way: 40ms, 1.5s, 0; a plain number is ms")
    parser.add_argument("--jitter", default="0", help="extra delay of a chunk, uniform from 0 to this; order is kept")
    parser.add_argument("--bandwidth", default="0", help="per connection and direction: 10mbit, 500kbit; 0: unlimited")
    parser.add_argument("--steered", action="store_true", help="take commands on stdin, see steering.py; end with it")
    parser.add_argument("--announce-json", action="store_true", help="lines on stdout are JSON objects")
    given = parser.parse_args(arguments)
    try:
        return Options(
            server=parse_address("--to", given.to),
            port=parse_port("--port", given.port),
            network=Network(
                rtt_ns=parse_duration_ns("--rtt", given.rtt),
                jitter_ns=parse_duration_ns("--jitter", given.jitter),
                bits_per_s=parse_bandwidth_bits_per_s("--bandwidth", given.bandwidth),
            ),
            steered=given.steered,
            announce_json=given.announce_json,
        )
    except ValueError as error:
        parser.error(str(error))
