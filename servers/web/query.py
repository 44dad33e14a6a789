"""PURE. What a client asks for in its query: read strictly, refused with the name of the field that is wrong."""

import math
from functools import lru_cache
from typing import NamedTuple
from urllib.parse import parse_qsl

from servers.feed.message import MAX_ID
from servers.settings.served import HOLD_MAX_S, HOLD_MIN_S

LIMIT_MAX = 10_000_000


class BadFieldError(ValueError):
    """A value that cannot be honoured. `field` is the name the client used for it."""

    def __init__(self, field: str, problem: str) -> None:
        super().__init__(f"{field} {problem}")
        self.field = field


class PollQuery(NamedTuple):
    """What a poll asks for. timeout_s, limit (most messages it takes): None when the client leaves it to the server."""

    last_id: int
    timeout_s: float | None
    limit: int | None = None


def parse_fields(query: str) -> dict[str, str]:
    """Split a query string. Raises BadFieldError for a name given twice: which of the two was meant?"""
    fields: dict[str, str] = {}
    try:
        pairs = parse_qsl(query, keep_blank_values=True, errors="strict")
    except UnicodeDecodeError:
        raise BadFieldError("query", "is not UTF-8; percent-encode it as UTF-8") from None
    for name, value in pairs:
        if name in fields:
            raise BadFieldError(name, "is given twice; give it once")
        fields[name] = value
    return fields


def parse_cursor(text: str, field: str = "last_id") -> int:
    """Read the newest id a client has seen. Raises BadFieldError unless it is an integer from 0 to MAX_ID."""
    if not (text.isascii() and text.isdigit()):
        raise BadFieldError(field, f"{text[:40]!r} is not a whole number; give the newest id you have seen")
    last_id = int(text) if len(text) <= len(str(MAX_ID)) else MAX_ID + 1
    if last_id > MAX_ID:
        raise BadFieldError(field, f"{text[:40]} is larger than {MAX_ID}, so no server can have sent it")
    return last_id


def parse_number(text: str, field: str, low: float, high: float) -> float:
    """Read a decimal number. Raises BadFieldError unless it lies between low and high, both allowed."""
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not low <= value <= high:
        raise BadFieldError(field, f"{text[:40]!r} is not a number from {low:g} to {high:g}")
    return value


def parse_whole(text: str, field: str, low: int, high: int) -> int:
    """Read a whole number. Raises BadFieldError unless it lies between low and high, both allowed."""
    if not (text.isascii() and text.isdigit() and len(text) <= 20 and low <= int(text) <= high):
        raise BadFieldError(field, f"{text[:40]!r} is not a whole number from {low} to {high}")
    return int(text)


def parse_last_id(target: str) -> int:
    """Read the cursor of a request target such as "/api/stream?last_id=7"; absent means 0. Raises BadFieldError."""
    return parse_cursor(parse_fields(target.partition("?")[2]).get("last_id", "0"))


@lru_cache(maxsize=4096)
def parse_poll(target: str) -> PollQuery:
    """Read the query of a poll's target, such as "/api/poll?last_id=7". Raises BadFieldError.

    Cached, because everyone waiting for the same message asks in the same words: 0.1 us instead of 4.
    """
    fields = parse_fields(target.partition("?")[2])
    timeout, limit = fields.get("timeout"), fields.get("limit")
    return PollQuery(
        last_id=parse_cursor(fields.get("last_id", "0")),
        timeout_s=None if timeout is None else parse_number(timeout, "timeout", HOLD_MIN_S, HOLD_MAX_S),
        limit=None if limit is None else parse_whole(limit, "limit", 1, LIMIT_MAX),
    )
