"""PURE. Rules over what a server sent: what to remember of it, and whether it is what was expected.

    header ETAG            a header of the answer, whatever its case
    json /a/0/b            a value in its body, by JSON pointer (RFC 6901); numbers become text
    regex EXPRESSION       the first group in its text, or the whole match where there is none

A rule that finds nothing leaves the variable as it was: an answer without news does not lose the cursor.
"""

import re
from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import Any, Final

import msgspec

FORMS: Final = "header NAME, json /POINTER or regex EXPRESSION"
Rule = Callable[[Mapping[str, str], bytes], str | None]
"""Takes headers, names in lower case, and the body or event; returns the value, None where there is none."""


@lru_cache(maxsize=1024)
def parse_rule(text: str) -> Rule:
    """Read a rule. Raises ValueError naming the text and the forms."""
    kind, _, rest = text.strip().partition(" ")
    rest = rest.strip()
    if kind == "header" and re.fullmatch(r"[!#$%&'*+.^`|~\w-]+", rest):
        name = rest.lower()
        return lambda headers, _: headers.get(name)
    if kind == "json" and (rest == "" or rest.startswith("/")):
        steps = [step.replace("~1", "/").replace("~0", "~") for step in rest.split("/")[1:]]
        return lambda _, body: _at(body, steps)
    if kind == "regex" and rest:
        try:
            expression = re.compile(rest.encode())
        except re.error as wrong:
            raise ValueError(f"{text!r}: not a regular expression: {wrong}") from None
        return lambda _, body: _matched(expression, body)
    raise ValueError(f"{text!r} is none of: {FORMS}")


def parse_finder(text: str) -> Callable[[bytes], list[bytes]]:
    """Read a rule that may find several: every match of a regex, else the one value. Raises ValueError."""
    rule = parse_rule(text)
    kind, _, rest = text.strip().partition(" ")
    if kind != "regex":
        return lambda body: [found.encode()] if (found := rule({}, body)) is not None else []
    expression = re.compile(rest.strip().encode())
    return lambda body: [match[1 if expression.groups else 0] or b"" for match in expression.finditer(body)]


def _matched(expression: re.Pattern[bytes], body: bytes) -> str | None:
    last = None
    for match in expression.finditer(body):
        last = match
    if last is None:
        return None
    return (last[1] if expression.groups else last[0]).decode("utf-8", "replace")


def _at(body: bytes, steps: list[str]) -> str | None:
    try:
        value: Any = msgspec.json.decode(body)
    except (msgspec.DecodeError, RecursionError):
        return None
    for step in steps:
        if isinstance(value, dict) and step in value:
            value = value[step]
        elif isinstance(value, list) and step.lstrip("-").isdecimal() and -len(value) <= int(step) < len(value):
            value = value[int(step)]
        else:
            return None
    if value is None or isinstance(value, dict | list):
        return None
    return str(value).lower() if isinstance(value, bool) else str(value)
