"""The load generator watching itself: CPU, memory, and how late its own event loop is."""

import os
import time

import gevent
import psutil

from loadtests.host.sampler import waited_ns
from loadtests.records.rows import ROLES, Sample
from loadtests.users.tcp_info import meter
from servers.timing.clock import now_ns

TICK_NS = 10_000_000
UNKNOWN = -1


class Generator:
    """Samples of this process. Lag is how late a wake-up every 10 ms came: what a delivery may wait for us."""

    def __init__(self) -> None:
        self._worst_ns = 0
        self._due_ns = 0
        self._greenlet: gevent.Greenlet | None = None

    def start(self) -> None:
        self._worst_ns = 0
        self._due_ns = now_ns()
        self._greenlet = gevent.spawn(self._tick)

    def stop(self) -> None:
        if self._greenlet is not None:
            self._greenlet.kill()
            self._greenlet = None

    def sample(self) -> Sample:
        # After a stop this may run before the tick that it delayed, and must not call that second a good one.
        lag_ns, self._worst_ns = max(self._worst_ns, now_ns() - self._due_ns), 0
        wire = meter.read()
        return Sample(
            at_ns=now_ns(),
            pid=os.getpid(),
            role=ROLES.index("generator"),
            cpu_ns=time.process_time_ns(),
            rss_bytes=psutil.Process().memory_info().rss,
            open_sockets=UNKNOWN,
            kernel_socket_bytes=UNKNOWN,
            lag_ns=lag_ns,
            connections=wire.connections,
            wire_bytes_out=wire.bytes_out,
            wire_bytes_in=wire.bytes_in,
            wire_segments_out=wire.segments_out,
            wire_segments_in=wire.segments_in,
            waited_ns=waited_ns(os.getpid()),
        )

    def _tick(self) -> None:
        self._due_ns = now_ns()
        while True:
            self._due_ns += TICK_NS
            wait_ns = self._due_ns - now_ns()
            if wait_ns > 0:
                gevent.sleep(wait_ns / 1e9)
                self._worst_ns = max(self._worst_ns, now_ns() - self._due_ns)
            else:
                self._worst_ns = max(self._worst_ns, -wait_ns)
                gevent.sleep(0)
                self._due_ns = now_ns()
