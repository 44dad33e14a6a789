"""What Locust shows while a test runs: rows in its tables, a Delivery tab, finer percentiles. Never a report's source.

Locust's own statistics are filled in bulk from the rows the recorder has just written. Requests go into Aggregated;
deliveries have rows of their own that stay out of it, because a delivery is not a request.
"""

import json
import time
from typing import Any, Final

import numpy as np
from flask import Response, request
from locust import stats as locust_stats
from locust.env import Environment
from locust.runners import MasterRunner, WorkerRunner

from loadtests.live import Live, buckets_of, latency_ms, unpacked
from loadtests.recorder import Observer, Rows

COLUMNS: Final = {
    "pattern": "Pattern",
    "deliveries": "Deliveries",
    "rate": "Deliveries/s",
    "p50": "p50 (ms)",
    "p99": "p99 (ms)",
    "requests": "Requests",
    "empty": "Empty (%)",
    "bytes": "Bytes/delivery",
    "errors": "Errors",
}

_lives: dict[str, Live] = {}
_fresh: dict[str, Live] = {}
_started_s = 0.0


def fine_bucket(response_time: float) -> Any:
    """Round to three significant digits: Locust's own two digits show the minimum as the median below 1 ms."""
    return float(f"{response_time:.3g}")


def set_up(environment: Environment) -> None:
    """Hook into Locust's statistics, its worker reports, and its web page where there is one."""
    locust_stats.bucket_response_time = fine_bucket
    environment.events.test_start.add_listener(_reset)
    environment.events.reset_stats.add_listener(_reset)
    if isinstance(environment.runner, WorkerRunner):
        environment.events.report_to_master.add_listener(_report)
    if isinstance(environment.runner, MasterRunner):
        environment.events.worker_report.add_listener(_merge)
    if environment.web_ui:
        structure = [{"key": key, "title": title} for key, title in COLUMNS.items()]
        environment.web_ui.template_args.update(
            extended_tabs=[{"title": "Delivery", "key": "delivery"}],
            extended_tables=[{"key": "delivery", "structure": structure}],
        )
        environment.web_ui.app.after_request(_add_rows)


def observer(environment: Environment) -> Observer:
    """Return what the recorder shows its rows to."""

    def observe(table: str, pattern: str, rows: Rows) -> None:
        if table == "samples":
            return
        for lives in (_lives, _fresh):
            live = lives.setdefault(pattern, Live())
            if table == "requests":
                live.add_requests(rows)
            else:
                live.add_deliveries(rows)
        if table == "requests":
            _log_requests(environment, pattern, rows)
        else:
            _log_many(environment.stats.get(pattern, "DELIVERY"), rows["received_ns"] - rows["due_ns"], 0)

    return observe


def _log_requests(environment: Environment, pattern: str, rows: Rows) -> None:
    rows = rows[rows["error"] != 6]
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


def _reset(**_kwargs: Any) -> None:
    global _started_s
    _started_s = time.monotonic()
    _lives.clear()
    _fresh.clear()


def _report(client_id: str, data: dict[str, Any]) -> None:  # noqa: ARG001
    data["pollbench"] = {pattern: live.packed() for pattern, live in _fresh.items()}
    _fresh.clear()


def _merge(client_id: str, data: dict[str, Any]) -> None:  # noqa: ARG001
    for pattern, fields in data.get("pollbench", {}).items():
        _lives.setdefault(pattern, Live()).merge(unpacked(fields))


def rows_now() -> list[dict[str, object]]:
    """Return the rows of the Delivery tab, rounded for the screen."""
    seconds = max(1e-9, time.monotonic() - _started_s)
    return [
        {
            "pattern": pattern,
            "deliveries": live.deliveries,
            "rate": round(live.deliveries / seconds, 1),
            "p50": _shown(live.quantile_ms(0.50)),
            "p99": _shown(live.quantile_ms(0.99)),
            "requests": live.requests,
            "empty": round(100 * live.empty / live.requests, 1) if live.requests else "",
            "bytes": _shown(live.bytes_per_delivery),
            "errors": live.errors,
        }
        for pattern, live in sorted(_lives.items())
    ]


def _shown(milliseconds: float | None) -> float | str:
    return "" if milliseconds is None else float(f"{milliseconds:.3g}")


def _add_rows(response: Response) -> Response:
    if request.endpoint == "locust.request_stats" and response.is_json:
        answer = response.get_json()
        answer["extended_stats"] = [{"key": "delivery", "data": rows_now()}]
        response.set_data(json.dumps(answer))
    return response
