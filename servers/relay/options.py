"""PURE. What a relay process can be told, and how a command line says it."""

import argparse
from dataclasses import dataclass
from typing import Final, NoReturn

from servers.relay.network import Network
from servers.settings.served import Distance
from servers.settings.setting import add_arguments, read, settings
from servers.settings.units import parse_address, parse_port
from servers.timing import NS_PER_MS

LISTEN_HOST: Final = "127.0.0.1"


class OneLineParser(argparse.ArgumentParser):
    """Says what is wrong in one line, without the usage in front."""

    def error(self, message: str) -> NoReturn:
        self.exit(2, f"error: {message}\n")


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """The command line, read."""

    host: str
    server: tuple[str, int]
    port: int
    network: Network
    steered: bool
    announce_json: bool


def read_options(arguments: list[str]) -> Options:
    """Return the options, or leave with exit code 2 and one line that says which one is wrong."""
    parser = OneLineParser(prog="python -m servers.relay", description="A network between clients and a server.")
    parser.add_argument("--to", required=True, metavar="HOST:PORT", help="the server")
    parser.add_argument("--host", default=LISTEN_HOST, help=f"address to bind; {LISTEN_HOST} (default): this machine's")
    parser.add_argument("--port", default="0", help="where clients connect; 0 (default): a free one")
    add_arguments(parser, settings(Distance).values())
    parser.add_argument("--steered", action="store_true", help="take commands on stdin, see steering.py; end with it")
    parser.add_argument("--announce-json", action="store_true", help="lines on stdout are JSON objects")
    given = parser.parse_args(arguments)
    if given.rtt_ms is None:
        parser.error("--rtt is missing: say how long the round trip is, 0 for none")
    try:
        asked = read(Distance, vars(given))
        return Options(
            host=given.host,
            server=parse_address("--to", given.to),
            port=parse_port("--port", given.port),
            network=Network(
                rtt_ns=round(asked.rtt_ms * NS_PER_MS),
                jitter_ns=round(asked.jitter_ms * NS_PER_MS),
                bits_per_s=asked.bandwidth_bits_per_s,
            ),
            steered=given.steered,
            announce_json=given.announce_json,
        )
    except ValueError as error:
        parser.error(str(error))
