"""Clients that can die in silence: `python -m loadtests.probes.peers PORT:PATTERN[*N] ...`, a process of its own.

SIGSTOP freezes it: its kernel goes on acknowledging what servers send. SIGUSR1 makes it vanish: its kernel is silent
too. SIGUSR2 has it say what its connections carried so far. With `--silence S` a client that has heard nothing for S
seconds gives up its connection and says so. What it says are lines of JSON.
"""

import argparse
import json
import selectors
import signal
import socket
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from typing import Final

from loadtests import patterns
from loadtests.probes.followers import ask_of
from loadtests.probes.silence import vanish
from loadtests.runs.commands import HOST
from loadtests.users.tcp_info import meter
from servers.timing.clock import now_ns

LOOK_S: Final = 0.02
READ_BYTES: Final = 65_536
HOLD_S: Final = 300.0


class Peer:
    """One waiting client. heard_s: when it last heard of its server; answered: whether it ever did."""

    def __init__(self, pattern: str, port: int) -> None:
        self.pattern = pattern
        self.answered = False
        self.heard_s = time.monotonic()
        self.sock = socket.create_connection((HOST, port))
        meter.opened(self.sock)
        self._decoder = patterns.load(pattern).follow(replace(ask_of(pattern, (HOST, port)), hold_s=HOLD_S))
        self.sock.sendall(self._decoder.take_output())

    @property
    def port(self) -> int:
        return int(self.sock.getsockname()[1])

    def read(self) -> bool:
        """Take what came and answer what must be answered; return False at the end of the connection."""
        try:
            data = self.sock.recv(READ_BYTES)
        except OSError:
            return False
        self.heard_s = time.monotonic()
        self.answered = self.answered or bool(data)
        if data:
            self._decoder.receive(data)
            if output := self._decoder.take_output():
                self.sock.sendall(output)
        return bool(data)


class Peers:
    """Clients together. silence_s: how long each bears to hear nothing, 0 for ever.

    orders: what signals have asked for, done between two reads.
    """

    def __init__(self, wanted: list[tuple[int, str]], silence_s: float) -> None:
        self.orders: list[Callable[[], None]] = []
        self._silence_s = silence_s
        self._selector = selectors.DefaultSelector()
        self._peers = [Peer(pattern, port) for port, pattern in wanted]
        self._ready = False
        for peer in self._peers:
            self._selector.register(peer.sock, selectors.EVENT_READ, peer)

    def vanish(self) -> None:
        for peer in self._peers:
            vanish(peer.sock)
        say(event="vanished", at_ns=now_ns())

    def tally(self) -> None:
        wire = meter.read()
        say(event="tally", at_ns=now_ns(), bytes=wire.bytes_in + wire.bytes_out, segments=wire.segments_in)

    def run(self) -> None:
        """Read until the end of the process."""
        while True:
            while self.orders:
                self.orders.pop(0)()
            for key, _ in self._selector.select(LOOK_S):
                if not key.data.read():
                    self._drop(key.data, "ended")
            # A long poll is not answered while there is nothing to say; whether it is held is the server's to say.
            if not self._ready and all(peer.answered or peer.pattern == "long_polling" for peer in self._peers):
                self._ready = True
                say(event="ready", ports=[peer.port for peer in self._peers])
            if self._silence_s:
                silent_since_s = time.monotonic() - self._silence_s
                for peer in [peer for peer in self._peers if peer.heard_s < silent_since_s]:
                    self._drop(peer, "gave up")

    def _drop(self, peer: Peer, event: str) -> None:
        say(event=event, at_ns=now_ns(), pattern=peer.pattern)
        self._selector.unregister(peer.sock)
        meter.closed(peer.sock)
        peer.sock.close()
        self._peers.remove(peer)


def say(**facts: object) -> None:
    sys.stdout.write(json.dumps(facts) + "\n")
    sys.stdout.flush()


def wanted(text: str) -> list[tuple[int, str]]:
    """Read PORT:PATTERN or PORT:PATTERN*N."""
    port, _, rest = text.partition(":")
    pattern, _, count = rest.partition("*")
    return [(int(port), pattern)] * int(count or 1)


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m loadtests.probes.peers", description=__doc__)
    parser.add_argument("wanted", nargs="+", type=wanted, metavar="PORT:PATTERN[*N]")
    parser.add_argument("--silence", type=float, default=0.0, metavar="S")
    options = parser.parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    peers = Peers([each for some in options.wanted for each in some], options.silence)
    signal.signal(signal.SIGUSR1, lambda *_: peers.orders.append(peers.vanish))
    signal.signal(signal.SIGUSR2, lambda *_: peers.orders.append(peers.tally))
    peers.run()


if __name__ == "__main__":
    main()
