"""The load generator watching itself: CPU, memory, and how late its own event loop is.

A process that was stopped does not see it, but the gap between two of its ticks does: it is lag like any other.
"""

import os
import time
from typing import Any

import psutil
from gevent import get_hub

from loadtests.host.sampler import waited_ns
from loadtests.records.recorder import recorder
from loadtests.records.rows import ROLES, STALL_NS, Sample
from loadtests.users.tcp_info import meter
from servers.timing.clock import now_ns

TICK_NS = 10_000_000
UNKNOWN = -1


class Generator:
    """Samples of this process. Lag is how late a call came that was wanted in 10 ms: what a delivery may wait for us.

    Like a delivery it is a callback of the event loop; to wake a greenlet for it costs an idle process twice as much.
    """

    def __init__(self) -> None:
        self._worst_ns = 0
        self._due_ns = 0
        self._timer: Any = None

    def start(self) -> None:
        self._worst_ns = 0
        self._timer = get_hub().loop.timer(TICK_NS / 1e9, TICK_NS / 1e9, ref=False)
        self._wait()

    def stop(self) -> None:
        if self._timer is not None:
            self._timer.close()
            self._timer = None

    def sample(self) -> Sample:
        at_ns = now_ns()
        # After a stop this may run before the tick that it delayed, and must not call that second a good one.
        lag_ns, self._worst_ns = max(self._worst_ns, at_ns - self._due_ns), 0
        if at_ns - self._due_ns > STALL_NS:
            # Told of here, and not by that tick once more.
            self._due_ns = at_ns
        wire = meter.read()
        return Sample(
            at_ns=at_ns,
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

    def _wait(self) -> None:
        self._due_ns = now_ns() + TICK_NS
        self._timer.again(self._tick)

    def _tick(self) -> None:
        late_ns = now_ns() - self._due_ns
        if late_ns > STALL_NS:
            # At once, so that it is known which instants it lost.
            recorder.sample(self.sample())
        else:
            self._worst_ns = max(self._worst_ns, late_ns)
        self._wait()
