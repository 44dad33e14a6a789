"""PURE. A setting is a field of a frozen dataclass, and all that is said of it stands there: unit, range, help, who obeys.

Command lines, Locust's form, refusals, run.json and the reference page are made of these fields. A new setting is one
field and the line that obeys it.
"""

import shlex
from argparse import ArgumentParser
from collections.abc import Callable, Iterable
from dataclasses import MISSING, dataclass, field, fields, replace
from functools import cache
from math import inf
from types import NoneType
from typing import Any, Final, get_args, get_origin

SERVER, USER, NETWORK, RUNNER = WHO = ("server", "user", "network", "runner")
UNITS: Final = ("_s", "_ms", "_ns", "_per_s", "_bits_per_s", "_bytes")
"""Endings of fields that their options leave out."""


def plain(value: object) -> str:
    return str(value).removesuffix(".0")


@dataclass(frozen=True, slots=True, kw_only=True)
class Setting:
    """What a field says of itself. who: those of WHO that obey it. kind: of one value, of which there are `many` or one.

    low, high: the range, without `low` itself when it is `above` that; off: what 0 means, where it means nothing of the
    kind. choices: all values there are. valid: raises ValueError for a text that is none; form: what would be one.
    read, write: from what is typed (which read is told of which option) and to it. dest: the option in a parser.
    """

    help: str
    metavar: str
    who: tuple[str, ...]
    low: float = -inf
    high: float = inf
    above: bool = False
    off: str = ""
    choices: tuple[str, ...] = ()
    valid: Callable[[str], object] | None = None
    form: str = ""
    read: Callable[[str, str], Any] | None = None
    write: Callable[[Any], str] = plain
    option: str = ""
    name: str = ""
    kind: type = str
    many: bool = False
    default: Any = None

    @property
    def dest(self) -> str:
        return self.option.removeprefix("--").replace("-", "_")

    @property
    def range(self) -> str:
        """Say which values there may be, "" for any."""
        if self.form or self.choices:
            return self.form or (" or ".join if len(self.choices) == 2 else _one_of)(self.choices)
        if self.low == -inf:
            return ""
        low, high = self.write(self.low), "" if self.high == inf else self.write(self.high)
        if self.above:
            words = f"more than {low}, at most {high}"
        else:
            zero = f"0 ({self.off})" if self.off else ""
            start = zero if zero and not self.low else f"{zero} or {low}" if zero else low
            words = f"{start} to {high}" if high else f"{start} or more"
        return words + " each" * self.many

    def typed(self, value: Any) -> str:
        """Return a value as it is typed; "" for none."""
        items = value if self.many else () if value is None else (value,)
        return ",".join(map(self.write, items))

    def of(self, text: object) -> Any:
        """Read what was typed, nothing being the default. Raises ValueError."""
        words = str(text or "").strip()
        if not words:
            return self.default
        if self.read:
            return self.read(self.option, words)
        if self.kind is bool:
            return words == "True"
        try:
            return self.kind(words)
        except ValueError:
            whole = "whole " * (self.kind is int)
            raise ValueError(f"{self.option} {words!r} is not a {whole}number: it must be {self.range}") from None

    def refusal(self, value: Any, remedy: str = "") -> ValueError:
        """Return what is wrong with a value. remedy: what it must be, if that is not its range."""
        shown = shlex.quote(self.typed(value)) if self.kind is str else self.typed(value)
        return ValueError(f"{self.option} {shown} is out of range: it must be {remedy or self.range}")

    def check(self, value: Any) -> None:
        """Raise ValueError for a value that is out of range."""
        if value == self.default and not self.many:
            return
        items = value if self.many else (value,)
        if not items or not all(map(self._within, items)):
            raise self.refusal(value)
        if self.valid is not None:
            try:
                self.valid(value)
            except ValueError as wrong:
                raise (self.refusal(value) if self.form else ValueError(f"--{str(wrong).removeprefix('--')}")) from None

    def _within(self, value: Any) -> bool:
        if self.choices or self.low == -inf:
            return not self.choices or value in self.choices
        return (value == 0 and bool(self.off)) or (
            self.low <= value <= self.high and not (self.above and value == self.low)
        )


def _one_of(choices: Iterable[str]) -> str:
    return f"one of {', '.join(choices)}"


def setting(default: Any, help_text: str, metavar: str = "", *who: str, **says: Any) -> Any:
    """Make the field of a setting; MISSING for no default. says: what else there is to say, see `Setting`."""
    return field(default=default, metadata={"setting": Setting(help=help_text, metavar=metavar, who=who, **says)})


def again(owner: type, name: str, default: Any, **otherwise: Any) -> Any:
    """Make a field that says what that of another table says, but for its default and what is `otherwise`."""
    (known,) = (each.metadata["setting"] for each in fields(owner) if each.name == name)
    return field(default=default, metadata={"setting": replace(known, **otherwise)})


@cache
def settings(table: type) -> dict[str, Setting]:
    """Return the settings of a table by the names of their fields, in order."""
    found = {}
    for each in fields(table):
        if says := each.metadata.get("setting"):
            kinds = [kind for kind in get_args(each.type) if kind not in {NoneType, ...}] or [each.type]
            found[each.name] = replace(
                says,
                name=each.name,
                option=says.option or _option_of(each.name),
                kind=kinds[0],
                many=get_origin(each.type) is tuple,
                default=None if each.default is MISSING else each.default,
            )
    return found


def _option_of(name: str) -> str:
    ending = max((unit for unit in UNITS if name.endswith(unit)), key=len, default="")
    return f"--{name.removesuffix(ending).replace('_', '-')}"


def check(holder: Any) -> None:
    """Raise ValueError for the first value of a table that is out of range, naming option, value and range."""
    for each in settings(type(holder)).values():
        each.check(getattr(holder, each.name))


def words(holder: Any, chosen: Iterable[Setting]) -> list[str]:
    """Return settings as a command line has them; those that are on or off only where they are not as usual."""
    said: list[str] = []
    for each in chosen:
        value = getattr(holder, each.name)
        if each.kind is not bool:
            said += [each.option, each.typed(value)]
        elif value != each.default:
            said.append(each.option)
    return said


def add_arguments(parser: ArgumentParser, chosen: Iterable[Setting]) -> None:
    """Give a parser the options of these settings, under the names of their fields."""
    for each in chosen:
        if each.kind is bool:
            parser.add_argument(
                each.option, dest=each.name, action=f"store_{str(not each.default).lower()}", help=each.help
            )
            continue
        told = f"{each.help} (default {each.typed(each.default)})" if each.typed(each.default) else each.help
        parser.add_argument(
            each.option, dest=each.name, type=each.kind, default=each.default, metavar=each.metavar, help=told
        )
