"""Commands to a running relay: lines on stdin, each answered by one line on stdout with what was relayed so far.

    rtt 80ms    another round trip, for the connections that are open too
    cut         reset every connection
    tally       nothing but the answer

A line that is none of these is answered with `wrong`. The end of stdin ends the relay: who steered it has gone.
"""

import os
from collections.abc import Callable
from dataclasses import replace

from servers.relay.network import Network
from servers.relay.relay import Relay
from servers.settings.units import format_duration, parse_duration_ns


class Steering:
    """Reads commands from a file descriptor. answer: writes one line, given words for people and facts for programs."""

    def __init__(self, relay: Relay, network: Network, commands: int, answer: Callable[..., None]) -> None:
        self._relay = relay
        self._network = network
        self._commands = commands
        self._answer = answer
        self._begun = b""

    def read(self, _events: int) -> None:
        """Obey what can be read now."""
        data = os.read(self._commands, 4096)
        if not data:
            self._relay.stop()
            return
        *lines, self._begun = (self._begun + data).split(b"\n")
        for line in lines:
            self._obey(line.decode("utf-8", "replace").strip())

    def _obey(self, line: str) -> None:
        word, _, value = line.partition(" ")
        if word == "rtt":
            try:
                self._network = replace(self._network, rtt_ns=parse_duration_ns("rtt", value))
            except ValueError as wrong:
                self._refuse(str(wrong))
                return
            self._relay.change(self._network)
        elif word == "cut":
            self._relay.cut()
        elif word != "tally":
            self._refuse(f"{line[:40]!r} is no command: write rtt DURATION, cut or tally")
            return
        self._answer_tally()

    def _refuse(self, reason: str) -> None:
        self._answer(f"wrong: {reason}", event="wrong", reason=reason)

    def _answer_tally(self) -> None:
        tally = self._relay.tally
        self._answer(
            f"round trip {format_duration(self._network.rtt_ns)}; relayed {tally.connections} connections, "
            f"{tally.bytes} bytes",
            event="tally",
            rtt_ns=self._network.rtt_ns,
            connections=tally.connections,
            bytes=tally.bytes,
        )
