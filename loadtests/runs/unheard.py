"""Clients that received nothing of what was due, and what their server said instead.

Nothing that arrives has a latency, so a cell without arrivals would pass every goal. Whoever looks for the reason needs
the server's first words: a page of HTML, an error, events in another form.
"""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

import numpy as np

from loadtests.scenario.plan import PlannedCell
from loadtests.scenario.timetable import allowed_s, due_instants_ns
from loadtests.summary.kept import Summary
from servers.timing import NS_PER_S

Integers = np.ndarray[Any, np.dtype[np.int64]]
HEADERS_SHOWN: Final = 6
BYTES_SHOWN: Final = 120
LINE_SHOWN: Final = 100


def first_words(raw: Path) -> dict[int, bytes]:
    """Return what the load processes kept of the first answers, by client; see `Recorder.glimpse`."""
    found: dict[int, bytes] = {}
    for file in sorted(raw.glob("seen-*.json")):
        seen = json.loads(file.read_text(encoding="ascii"))
        found |= {int(user): words.encode("latin-1") for user, words in seen.items()}
    return found


def unheard(
    planned: PlannedCell,
    folder: Path,
    edges_ns: tuple[int, int, int, int],
    words: dict[int, bytes],
    summary: Summary | None = None,
) -> list[str]:
    """Return one line when clients of a collected cell received nothing of what was due in the window, else none.

    edges_ns: when publishing began, the window's two edges, and when the load was told to end. summary: what there is
    instead of rows.
    """
    start_ns, from_ns, until_ns, ended_ns = edges_ns
    scenario = planned.scenario
    allowed = allowed_s(scenario.poll_interval_s, scenario.poll_pace, planned.rtt_ms, scenario.jitter_ms)
    users, received_ns = _arrivals(folder, summary)
    if len(users):  # some got something, so a cell that drains for too short may have been too short for others
        until_ns = min(until_ns, ended_ns - round(allowed * NS_PER_S))
    due_ns = list(due_instants_ns(planned.schedule, start_ns, from_ns, until_ns))
    if not due_ns:
        return []
    heard = set(users[received_ns >= due_ns[0]].tolist())
    deaf = planned.clients - len(heard)
    if deaf <= 0:
        return []
    silent = [words[user] for user in sorted(words) if user not in heard]
    who = f"{deaf} of {planned.clients} clients" if heard else "the clients"
    said = told(silent, _failures(folder, summary))
    return [f"{who} received nothing of the {len(due_ns)} messages that were due: {said}"]


def _arrivals(folder: Path, summary: Summary | None) -> tuple[Integers, Integers]:
    """Return user and instant of each arrival; of a summary, of who got some of the window, its end."""
    if summary is None:
        import pyarrow.parquet as pq  # which whoever only wants to know what was said does without

        table = pq.read_table(folder / "deliveries.parquet", columns=["user", "received_ns"])
        return table["user"].to_numpy(), table["received_ns"].to_numpy()
    users, delivered = (np.asarray(column, np.int64) for column in (summary.users.user, summary.users.delivered))
    return users[delivered > 0], np.full(np.count_nonzero(delivered), summary.window_until_ns)


def _failures(folder: Path, summary: Summary | None) -> str:
    if summary:
        counts = {kind: count for kind, count in summary.requests.errors.items() if kind not in {"", "cut"}}
    else:
        import pyarrow.parquet as pq

        errors = pq.read_table(folder / "requests.parquet", columns=["error"])["error"].to_pylist()
        counts = {kind: errors.count(kind) for kind in dict.fromkeys(errors) if kind not in {"", "cut"}}
    return f" (failed requests: {', '.join(f'{kind} {count}' for kind, count in counts.items())})" if counts else ""


def told(silent: Sequence[bytes], failures: str) -> str:
    said = next((words for words in silent if words), b"")
    if not said:
        return f"no answer came{failures}"
    head, ends, body = said.partition(b"\r\n\r\n")
    if not said.startswith(b"HTTP/") or not ends:
        return f"the server's first bytes were {said[:BYTES_SHOWN]!r}{failures}"
    lines = [line[:LINE_SHOWN] for line in head.decode("latin-1").split("\r\n")][: HEADERS_SHOWN + 1]
    began = f"whose body began with {body[:BYTES_SHOWN]!r}" if body else "without a byte of its body"
    return f"the server answered {'; '.join(lines)}, {began}{failures}"
