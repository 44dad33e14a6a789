"""The roll call: messages are published until every client has heard one; else what was seen instead, and likely why.

Who has heard is read from the rows that the load processes write once a second anyway.
"""

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Final, Protocol

import numpy as np

from loadtests.records.load_clocks import whole_rows
from loadtests.records.recorder import Rows
from loadtests.records.rows import ERRORS
from loadtests.runs.unheard import first_words, told
from loadtests.scenario.poll_timing import parse_pace
from servers.targets.adapter import Adapter

SCHEDULE: Final = "steady:4"
"""What is published while clients are waited for."""
LIKE_OTHERS_S: Final = 2.0
"""Rows are written once a second; so much longer than the longest pause of a client is waited at least."""
STATUSES: Final = {
    "401": "it requires a login: give headers.Authorization, its secret as {{env.NAME}}",
    "403": "it does not let this client in: give it a header or cookie that it lets in, its secret as {{env.NAME}}",
    "404": "there is no such path: check the path of the request, and whether --url says its base",
    "405": "the path is right, the method is not: check the request's first word",
    "406": "it offers another form than the Accept header asks for",
    "426": "it wants a WebSocket here: follow it by websocket",
    "429": "it limits how often it is asked: allow this client more, or start fewer a second",
}
_LOCATION: Final = re.compile(rb"(?im)^location: *(\S+)")
_OVER: Final = re.compile(rb"(?i)expired|unknown (session|sid)|session id unknown|(not|please) log(ged)? ?in")
_TYPE: Final = re.compile(rb"(?im)^content-type: *([^\r\n;]+)")


class Polling(Protocol):
    """What a scenario, or the options of a test driven by hand, say of polls."""

    @property
    def poll_interval_s(self) -> float: ...
    @property
    def poll_pace(self) -> str: ...


def patience_s(adapter: Adapter, polling: Polling) -> float:
    """Return how long clients have to hear a message."""
    pause_s = polling.poll_interval_s * parse_pace(polling.poll_pace).longest
    return max(adapter.roll_call_s, pause_s + LIKE_OTHERS_S)


def heard(folder: Path, pattern: str) -> set[int]:
    """Return the clients of a pattern that have received anything, as far as it is written yet."""
    return {int(user) for rows in _rows(folder, "deliveries", pattern) for user in np.unique(rows["user"])}


def asked(folder: Path, pattern: str) -> set[int]:
    """Return the clients of a pattern of whose requests something is written yet."""
    return {int(user) for rows in _rows(folder, "requests", pattern) for user in np.unique(rows["user"])}


def failures(folder: Path, pattern: str) -> dict[str, int]:
    """Return how many requests failed in which way."""
    counts = Counter(ERRORS[error] for rows in _rows(folder, "requests", pattern) for error in rows["error"].tolist())
    return {error: count for error, count in counts.items() if error not in {"", "cut"}}


def _rows(folder: Path, table: str, pattern: str) -> Iterator[Rows]:
    """Return what each load process has written, up to its last whole row."""
    return (whole_rows(file, table) for file in (folder / "raw").glob(f"{table}-{pattern}-*.rows"))


def report(folder: Path, pattern: str, run: str, users: Iterable[int], log: str = "") -> str:
    """Say what the first of these users saw that heard nothing, and the likely cause. log: of the load."""
    silent = sorted({*users} - heard(folder, pattern)) or [1]
    words, failed = first_words(folder / "raw"), failures(folder, pattern)
    number = next((user for user in silent if words.get(user)), silent[0])
    said = words.get(number, b"")
    counts = ", ".join(f"{error} {count}" for error, count in failed.items())
    seen = told([said], f" (failed requests: {counts})" if counts else "")
    complaint = _complaint(log)
    return f"client {number}: {seen}{complaint}; likely: {cause(pattern, run, said, failed)}"


def cause(pattern: str, run: str, said: bytes, failed: Mapping[str, int]) -> str:
    """Name the likely cause that a client heard nothing. said: the first bytes it was sent."""
    head, _, body = said.partition(b"\r\n\r\n")
    status = head[9:12].decode("ascii", "replace") if head.startswith(b"HTTP/") else ""
    if not said:
        if "refused" in failed:
            return "no server listens there: check host and port"
        return "the server keeps the request and says nothing" if not failed else "the server breaks the connection off"
    if status in STATUSES:
        return STATUSES[status]
    if status.startswith("3") and (location := _LOCATION.search(head)):
        return f"it redirects to {location[1].decode('latin-1')}: name that URL, or follow it (redirects = 1)"
    if status.startswith(("4", "5")):
        return f"the request is not what it expects ({status}): compare it with one of its own clients"
    if not status:
        return "it does not speak HTTP here: check scheme (https?) and port"
    return _of_content(pattern, run, head, body)


def _of_content(pattern: str, run: str, head: bytes, body: bytes) -> str:
    kind = _TYPE.search(head)
    content_type = kind[1].decode("latin-1").strip().lower() if kind else ""
    if content_type == "text/html" or body.lstrip().lower().startswith((b"<!doctype", b"<html")):
        return "it is a web page, perhaps a login, and no subscription: check path and authorization"
    if pattern == "websocket" and not head.startswith(b"HTTP/1.1 101"):
        return "it answers, but opens no WebSocket: check the path"
    if pattern == "sse" and content_type != "text/event-stream":
        return f"an event stream says Content-Type: text/event-stream, this says {content_type or 'nothing'}"
    if b"content-encoding:" in head.lower():
        return "it compresses without being asked: set gzip = true"
    ours = b"pb" + run.encode() + b"."
    whole = re.search(re.escape(ours) + rb"\d+\.\d+\.\d+\.z", body)
    if ours in body and not whole:
        return "a tracer begins and does not end: the server cuts messages or changes them"
    if whole:
        ends = "an empty line behind each event" if pattern == "sse" else "as many bytes as were announced"
        return f"our message came, but its end did not: the client waits for {ends}"
    if re.search(rb"pb[0-9a-f]{4,32}\.\d+\.", body):
        return "only another run's messages came: put {{run}} into the channel's name"
    if re.search(rb"p\W{0,3}b\W{0,3}" + run[:4].encode(), body, re.IGNORECASE):
        return "the server changes the text of messages, so that none is known again"
    if _OVER.search(body):
        return "its session is over, or was never begun: have `connect` begin one, and `expect` tell a good answer"
    if body.strip():
        return (
            "the server talks, but of nothing that we published: check that publishing goes to the channel that is "
            "followed, or that it does not change the text (find, base64)"
        )
    return "it listens to us and is silent: check that publishing goes to the channel that is followed"


def _complaint(log: str) -> str:
    """Return what the load process said of the protocol, if anything."""
    lines = [line for line in log.splitlines() if "/WARNING/pollbench:" in line]
    return f" ({lines[0].partition('/WARNING/pollbench:')[2].strip()})" if lines else ""
