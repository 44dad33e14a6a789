"""The body of a request, taken whole: within a time, within a size, in no coding, and as what it must be."""

import asyncio
from typing import Final

import msgspec
from aiohttp import hdrs, web

from servers.web.query import BadFieldError

PLAIN: Final = {"", "identity"}
EXAMPLE: Final = '{"schedule": "poisson:5", "message_bytes": 200}'


class CodingError(Exception):
    """A body in a content coding: nothing here undoes any (RFC 9110 section 15.5.16)."""


class LateError(Exception):
    """A body that did not come in time."""


async def read_body(request: web.Request, within_s: float) -> bytes:
    """Return the whole body. Raises CodingError, LateError, and what aiohttp raises for one too large or broken.

    within_s: 0 for as long as it takes.
    """
    codings = ",".join(request.headers.getall(hdrs.CONTENT_ENCODING, ())).split(",")
    for coding in codings:
        if coding.strip().lower() not in PLAIN:
            raise CodingError(coding.strip())
    try:
        async with asyncio.timeout(within_s or None):
            return await request.read()
    except TimeoutError:
        raise LateError from None


def text_of(body: bytes, name: str) -> str:
    try:
        return body.decode("utf-8")
    except UnicodeDecodeError:
        raise BadFieldError(name, "is not UTF-8 text") from None


def fields_of(body: bytes) -> dict[str, object]:
    """Read a JSON object. Raises BadFieldError, also for one nested so deep that it cannot be read."""
    try:
        return msgspec.json.decode(body, type=dict[str, object])
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        raise BadFieldError("body", f"is not a JSON object such as {EXAMPLE}") from None


def whole(value: object, name: str, low: int, high: int) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or not low <= value <= high:
        raise BadFieldError(name, f"{str(value)[:40]!r} is not a whole number from {low} to {high}")
    return value
