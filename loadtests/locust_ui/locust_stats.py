"""What Locust shows while a test runs: rows in its tables, and a board of live numbers. Never a report's source.

Locust's own statistics are filled in bulk from the rows the recorder has just written. Requests go into Aggregated;
deliveries have rows of their own that stay out of it, because a delivery is not a request. The board of all load
processes is kept where there is a page to show it; workers send it what they gather with Locust's own reports.
"""

import time
from collections.abc import Collection, Mapping
from typing import Any, Final

import numpy as np
from locust import stats as locust_stats
from locust.env import Environment
from locust.runners import STATE_MISSING, MasterRunner, WorkerRunner

from loadtests.live.counts import CUT, buckets_of, latency_ms
from loadtests.live.live_checks import Health
from loadtests.live.timeline import Board, Gatherer, Report
from loadtests.records.recorder import Rows
from servers.timing.clock import now_ns

KEY: Final = "pollbench"
"""Under which our numbers travel in a worker's report."""


def fine_bucket(response_time: float) -> Any:
    """Round to three significant digits: Locust's own two digits show the minimum as the median below 1 ms."""
    return float(f"{response_time:.3g}")


class Screen:
    """One per load process.

    ahead_ns: about what the publisher's clock shows more than ours; all that is shown is by it, and
    may be wrong by clock_error_ns.
    settled: nothing more is to come from the test that the board shows. awaited: one was asked for, and has not begun.
    shares: how users are shared out where patterns
    have unequal numbers of them, "" where they do not. problem: the latest line of text about a test
    that could not start or go on, with a number that grows, for pages that have shown it already.
    """

    def __init__(self, environment: Environment) -> None:
        self._environment = environment
        self._gatherer: Gatherer | None = None
        self._workers: frozenset[str] = frozenset()
        self._lost: frozenset[str] = frozenset()
        self.board = Board()
        self.ahead_ns = self.clock_error_ns = 0
        self.settled = True
        self.awaited = False
        self.shares = ""
        self.problem = (0, "")
        locust_stats.bucket_response_time = fine_bucket
        events, runner = environment.events, environment.runner
        events.reset_stats.add_listener(self._reset)
        if isinstance(runner, WorkerRunner):
            events.report_to_master.add_listener(self._report)
        if isinstance(runner, MasterRunner):
            events.worker_report.add_listener(self._merge)

    def begin(
        self, run: str, starts: Mapping[int, int], workers: Collection[str] = (), states: Collection[str] = ()
    ) -> None:
        """Forget the test before. run: its name in every process; starts, states: see `Gatherer`."""
        seen = self._environment.web_ui is not None or isinstance(self._environment.runner, WorkerRunner)
        self._gatherer = Gatherer(run, starts, states) if seen else None
        self.board = Board(run, now_ns() + self.ahead_ns)
        self._workers, self._lost = frozenset(workers), frozenset()
        self.settled = self.awaited = False
        self.shares = ""

    def observe(self, table: str, pattern: str, rows: Rows) -> None:
        """Take what the recorder has just written, on the publisher's clock.

        Samples come last, so they tell up to when all is known.
        """
        if self._gatherer is not None:
            self._gatherer.take(table, pattern, rows, self.clock_error_ns)
        if table == "requests":
            _log_requests(self._environment, pattern, rows)
        elif table == "deliveries":
            _log_many(self._environment.stats.get(pattern, "DELIVERY"), rows["received_ns"] - rows["due_ns"], 0)
        elif self._gatherer is not None and not isinstance(self._environment.runner, WorkerRunner):
            self.board.take("local", self._gatherer.report())

    def settle(self) -> None:
        """Everything of this test has been taken; what is lost now stays lost."""
        self._lost = self.lost
        self.settled = True

    def say(self, problem: str) -> None:
        self.problem = (self.problem[0] + 1, problem)
        self.awaited = False

    @property
    def lost(self) -> frozenset[str]:
        """The workers of this test that are gone."""
        runner = self._environment.runner
        if self.settled or not isinstance(runner, MasterRunner):
            return self._lost
        alive = {client.id for client in runner.clients.all if client.state != STATE_MISSING}
        return self._workers - alive

    @property
    def health(self) -> Health:
        processes = self.board.processes.values()
        return Health(
            cpu_share=max((each.cpu_share for each in processes if each.cpu_share is not None), default=None),
            lag_ms=max((each.lag_ms for each in processes if each.lag_ms is not None), default=None),
            lost=len(self.lost),
            workers=len(self._workers),
        )

    def _reset(self, **_kwargs: Any) -> None:
        self.board.reset(now_ns() + self.ahead_ns)

    def _report(self, client_id: str, data: dict[str, Any]) -> None:  # noqa: ARG002
        if self._gatherer is not None:
            data[KEY] = self._gatherer.report().packed()

    def _merge(self, client_id: str, data: dict[str, Any]) -> None:
        if KEY in data:
            self.board.take(client_id, Report.unpack(data[KEY]))


def _log_requests(environment: Environment, pattern: str, rows: Rows) -> None:
    rows = rows[rows["error"] != CUT]
    took_ns, content_bytes = rows["ended_ns"] - rows["started_ns"], int(rows["bytes_in"].sum())
    failures = int(np.count_nonzero(rows["error"]))
    for entry in (environment.stats.total, environment.stats.get(pattern, "GET")):
        _log_many(entry, took_ns, content_bytes)
        entry.num_failures += failures
        if failures:
            entry.num_fail_per_sec[int(time.time())] += failures


def _log_many(entry: Any, took_ns: "np.ndarray[Any, np.dtype[np.int64]]", content_bytes: int) -> None:
    """Do for many requests what StatsEntry.log does for one (locust/stats.py)."""
    if not len(took_ns):
        return
    took_ms = took_ns / 1e6
    now_s = time.time()
    entry.num_requests += len(took_ns)
    entry.num_reqs_per_sec[int(now_s)] += len(took_ns)
    entry.last_request_timestamp = now_s
    entry.total_content_length += content_bytes
    entry.total_response_time += float(took_ms.sum())
    lowest = float(took_ms.min())
    entry.min_response_time = lowest if entry.min_response_time is None else min(entry.min_response_time, lowest)
    entry.max_response_time = max(entry.max_response_time, float(took_ms.max()))
    for bucket, count in zip(*np.unique(buckets_of(took_ns), return_counts=True), strict=True):
        entry.response_times[fine_bucket(latency_ms(int(bucket)))] += int(count)
