"""Clients that wait, as many as a process may have files: `python -m loadtests.idle.clients`, started by measured.py.

Each is a socket and the decoder of its pattern, on one epoll, without a task or a thread of its own. What it says are
lines of JSON: connected; heard, when a message has reached all; ended, with what there was.
"""

import argparse
import errno
import json
import os
import select
import signal
import socket
import sys
import time
from array import array
from dataclasses import asdict, replace
from typing import Final

import numpy as np
import psutil

from loadtests import patterns
from loadtests.host.machine_limits import raise_open_files
from loadtests.metrics.histogram import Histogram
from loadtests.probes.followers import ask_of
from loadtests.protocols.events import Closed, Message, ProtocolError, StreamDecoder
from loadtests.scenario.source_address import Source, parse_source
from servers.feed.message import decode_stamp
from servers.timing.clock import now_ns

AT_ONCE: Final = 200
"""Connections that are being made: more would wait in the server's line, and some of them in vain."""
STUCK_S: Final = 30.0
READ_BYTES: Final = 65_536
HOLD_S: Final = 300.0
LOOK_S: Final = 0.5
IP_BIND_ADDRESS_NO_PORT: Final = 24
"""linux/in.h: the port is chosen as the connection is made, so that each address has all ports to each server."""


class Stopped(Exception):
    """The process was told to end."""


class Idler:
    """One client. asked: whether its request is sent; open: whether the server has taken it, as far as that is told."""

    __slots__ = ("asked", "decoder", "newest", "open", "sock")

    def __init__(self, sock: socket.socket, decoder: StreamDecoder) -> None:
        self.sock, self.decoder = sock, decoder
        self.asked = self.open = False
        self.newest = 0


class Idlers:
    """All of a process. latencies_ns: of every message that reached one of them; lost: connections that ended."""

    def __init__(self, pattern: str, address: tuple[str, int], source: Source, first: int) -> None:
        self._pattern, self._address, self._source, self._first = pattern, address, source, first
        self._held = bool(patterns.held(pattern))
        self._follow = patterns.load(pattern).follow
        self._ask = replace(ask_of(pattern, address), hold_s=HOLD_S)
        self._epoll = select.epoll()
        self._all: dict[int, Idler] = {}
        self._opened = 0
        self.heard: dict[int, int] = {}
        self.latencies_ns = array("q")
        self.lost = 0

    def connect(self, clients: int) -> None:
        """Open so many connections, and return when all are open. Raises OSError, TimeoutError."""
        moved_s, seen = time.monotonic(), 0
        while self._opened < clients:
            while len(self._all) < clients and len(self._all) - self._opened < AT_ONCE:
                self._begin(self._first + len(self._all))
            self._look()
            if self.lost:
                raise ConnectionError(f"the server closed {self.lost} of the connections")
            if self._opened > seen:
                moved_s, seen = time.monotonic(), self._opened
            elif time.monotonic() > moved_s + STUCK_S:
                raise TimeoutError(f"no connection was made for {STUCK_S:g} s: {seen:,} of {clients:,} are open")

    def rest(self) -> None:
        """Wait, answer what must be answered, and say when a message has reached all, until told to stop."""
        told = 0
        while True:
            self._look()
            if (newest := max(self.heard, default=0)) > told and self.heard[newest] == len(self._all):
                told = newest
                say(event="heard", id=newest)

    def _begin(self, number: int) -> None:
        sock = socket.socket()
        sock.setblocking(False)
        if address := self._source.address(number):
            sock.setsockopt(socket.IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, 1)
            sock.bind((address, 0))
        done = sock.connect_ex(self._address)
        if done not in {0, errno.EINPROGRESS}:
            raise ConnectionError(f"connection {number} from {address or 'here'}: {os.strerror(done)}")
        self._all[sock.fileno()] = Idler(sock, self._follow(self._ask))
        self._epoll.register(sock.fileno(), select.EPOLLOUT)

    def _look(self) -> None:
        for descriptor, _ in self._epoll.poll(LOOK_S):
            client = self._all[descriptor]
            if client.asked:
                self._read(client)
            else:
                self._send_request(client)

    def _send_request(self, client: Idler) -> None:
        if problem := client.sock.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR):
            raise ConnectionError(f"a connection cannot be made: {os.strerror(problem)}")
        client.sock.sendall(client.decoder.take_output())
        client.asked = True
        self._epoll.modify(client.sock.fileno(), select.EPOLLIN)
        if self._held:  # it is answered when there is something to say
            self._has_opened(client)

    def _has_opened(self, client: Idler) -> None:
        if not client.open:
            client.open = True
            self._opened += 1

    def _read(self, client: Idler) -> None:
        try:
            data = client.sock.recv(READ_BYTES)
            received_ns, ended = now_ns(), not data
            self._has_opened(client)
            for event in client.decoder.receive(data):
                if isinstance(event, Message):
                    self._take(client, event.body, received_ns)
                ended = ended or isinstance(event, Closed)
            if (output := client.decoder.take_output()) and not ended:
                client.sock.sendall(output)
        except (OSError, ProtocolError):
            ended = True
        if ended:
            self.lost += 1
            self._epoll.unregister(client.sock.fileno())
            client.sock.close()

    def _take(self, client: Idler, body: bytes, received_ns: int) -> None:
        stamp = decode_stamp(body)
        if stamp.type or stamp.id <= client.newest:
            return
        client.newest = stamp.id
        self.heard[stamp.id] = self.heard.get(stamp.id, 0) + 1
        self.latencies_ns.append(received_ns - stamp.due_ns)


def say(**facts: object) -> None:
    sys.stdout.write(json.dumps(facts) + "\n")
    sys.stdout.flush()


def stop(*_: object) -> None:
    raise Stopped


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m loadtests.idle.clients", description=__doc__)
    parser.add_argument("pattern")
    parser.add_argument("host")
    parser.add_argument("port", type=int)
    parser.add_argument("clients", type=int)
    parser.add_argument("first", type=int, help="number of the first client")
    parser.add_argument("source", type=parse_source, help="network that they connect from, '' for any")
    options = parser.parse_args()
    raise_open_files()
    idlers = Idlers(options.pattern, (options.host, options.port), options.source, options.first)
    signal.signal(signal.SIGTERM, stop)
    try:
        own = psutil.Process()
        before_bytes = own.memory_info().rss
        idlers.connect(options.clients)
        say(event="connected", at_ns=now_ns(), grown_bytes=own.memory_info().rss - before_bytes)
        idlers.rest()
    except Stopped:
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        newest = max(idlers.heard, default=0)
        latency = Histogram()
        latency.take(np.frombuffer(idlers.latencies_ns, np.int64))
        say(event="ended", heard=idlers.heard.get(newest, 0), lost=idlers.lost, latency=asdict(latency))
    except OSError as problem:
        sys.stderr.write(f"error: {problem}\n")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
