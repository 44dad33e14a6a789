"""PURE. A setting is a field of a frozen dataclass, and all that is said of it stands there: range, help, who obeys it.

Its name ends in its unit. Command lines, Locust's form, refusals, run.json and the reference page are made of these
fields, so that a new setting is one field and the line that obeys it.
"""

import shlex
from argparse import ArgumentParser
from collections.abc import Callable, Iterable, Mapping
from dataclasses import MISSING, dataclass, field, fields, replace
from math import inf, isfinite
from types import NoneType
from typing import Any, Final, TypeVar, get_args, get_origin, get_type_hints

from servers.settings.units import (
    NS_PER_UNIT,
    format_bandwidth,
    format_duration,
    format_span,
    parse_bandwidth_bits_per_s,
    read_duration,
)

T = TypeVar("T")
SERVER, USER, NETWORK, RUNNER = WHO = ("server", "user", "network", "runner")
UNITS: Final = {"_bits_per_s": "bit/s", "_per_s": "/s", "_ms": "ms", "_ns": "ns", "_s": "s", "_bytes": "bytes"}
"""How names of fields end that have a unit; their options leave it out."""
DURATIONS: Final = {"s": "5s, 40ms, 2m or 5 (seconds)", "ms": "40ms, 1.5s or 40 (ms)"}
METAVARS: Final = {"s": "TIME", "ms": "TIME", "ns": "NS", "bytes": "N", "/s": "N", "bit/s": "RATE"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Setting:
    """What a field says of itself. who: those of WHO that obey it.

    low, high: the range, without `low` itself when it is `above` that; off: what 0 means, where it means something
    else than a small number. choices: all values there are. valid: raises ValueError for a text that is none, in words
    that begin with the option's name unless there is a `form`, which is what the text must be. tidy: writes a text in
    its usual form. repeated: the option is given once for each value. option, name, kind, many, default: from the
    field, MISSING for no default; many: a sweep, several values with commas.
    """

    help: str
    who: tuple[str, ...]
    metavar: str = ""
    low: float = -inf
    high: float = inf
    above: bool = False
    off: str = ""
    choices: tuple[str, ...] = ()
    valid: Callable[[str], object] | None = None
    form: str = ""
    tidy: Callable[[str], str] | None = None
    repeated: bool = False
    option: str = ""
    name: str = ""
    kind: type = str
    many: bool = False
    default: Any = None

    @property
    def dest(self) -> str:
        """The name that parsers give an option."""
        return self.option.removeprefix("--").replace("-", "_")

    @property
    def unit(self) -> str:
        return next((unit for ending, unit in UNITS.items() if self.name.endswith(ending)), "")

    @property
    def placeholder(self) -> str:
        """What stands for the value in a help."""
        one = self.metavar or METAVARS.get(self.unit, "N" if self.kind in {int, float} else "NAME")
        return f"{one}[,{one}]" if self.many else one

    @property
    def range(self) -> str:
        """Say which values there may be, "" for any."""
        if self.form:
            return self.form
        if self.choices:
            return " or ".join(self.choices) if len(self.choices) == 2 else f"one of {', '.join(self.choices)}"
        if self.low == -inf:
            return ""
        low, high = self._bound(self.low), "" if self.high == inf else self._bound(self.high)
        unit = f" {self.unit}" if high and self.unit in {"bytes", "ns"} else ""
        if self.above:
            return f"more than {low}, at most {high}{unit}"
        zero = f"0 ({self.off})" if self.off else ""
        start = zero if zero and not self.low else f"{zero} or {low}" if zero else low
        return (f"{start} to {high}" if high else f"{start} or more") + unit + " each" * self.many

    @property
    def described(self) -> str:
        """The help, and which values there may be, unless it says so itself."""
        return f"{self.help}; {self.range}" if self.choices or self.low != -inf else self.help

    @property
    def usual(self) -> str:
        """The default as it is typed; "" where there is none to be said."""
        return "" if self.default is MISSING or self.kind is bool else self.typed(self.default)

    def typed(self, value: Any) -> str:
        """Return a value as it is typed; "" for none."""
        if self.repeated:
            return shlex.join(value)
        return ",".join(map(self._written, value if self.many else () if value is None else (value,)))

    def of(self, text: object) -> Any:
        """Read what was typed, nothing being the default. Raises ValueError; whether it is in range, `check` says."""
        if self.repeated and text:
            return tuple(text if isinstance(text, list | tuple) else self._words(str(text)))
        words = "" if text is None else str(text).strip()
        if not words and self.default is not MISSING:
            return self.default
        return tuple(dict.fromkeys(map(self._one, words.split(",")))) if self.many else self._one(words)

    def check(self, value: Any) -> None:
        """Raise ValueError for a value that is out of range."""
        items = value if self.many else (value,)
        if not self.many and value == self.default:
            return
        if not items or not all(map(self._within, items)):
            raise self.refusal(value)
        if self.valid is not None:
            try:
                self.valid(value)
            except ValueError as wrong:
                raise self.refusal(value) if self.form else ValueError(f"--{wrong}") from None

    def refusal(self, value: Any, remedy: str = "") -> ValueError:
        """Return what is wrong with a value. remedy: what it must be, if that is not its range."""
        text = self.typed(value)
        shown = text if text.isprintable() and text and " " not in text else repr(text)
        return ValueError(f"{self.option} {shown} is out of range: it must be {remedy or self.range}")

    def _words(self, text: str) -> list[str]:
        """Read what is typed in one field, with blanks between. Raises ValueError."""
        try:
            return shlex.split(text)
        except ValueError:
            raise ValueError(f"{self.option} {text!r} has a quote that does not close") from None

    def _one(self, words: str) -> Any:
        value: Any
        if self.kind is bool:
            return words == "True"
        if self.kind is str:
            return self._tidied(words)
        if self.unit == "bit/s":
            return parse_bandwidth_bits_per_s(self.option, words)
        if self.unit in DURATIONS:
            value = read_duration(words, self.unit)
            if value is None:
                raise ValueError(
                    f"{self.option} {words!r} is not a duration: write {DURATIONS[self.unit]}, {self.range}"
                )
            return value
        try:
            return self.kind(words)
        except ValueError:
            whole = "whole " * (self.kind is int)
            raise ValueError(f"{self.option} {words!r} is not a {whole}number: it must be {self.range}") from None

    def _tidied(self, words: str) -> str:
        try:
            return self.tidy(words) if self.tidy else words
        except ValueError as wrong:
            raise ValueError(f"--{wrong}") from None

    def _written(self, value: Any) -> str:
        if self.unit in DURATIONS:
            return duration(value, self.unit)
        return format_bandwidth(value) if self.unit == "bit/s" else plain(value)

    def _bound(self, value: float) -> str:
        if self.unit in DURATIONS:
            return format_span(round(value * NS_PER_UNIT[self.unit]))
        return self._written(value) if self.unit == "bit/s" else f"{value:.15g}"

    def _within(self, value: Any) -> bool:
        if self.choices or self.low == -inf:
            return not self.choices or value in self.choices
        if value == 0 and self.off:
            return True
        return bool(self.low <= value <= self.high) and not (self.above and value == self.low)


def plain(value: object) -> str:
    return str(value).removesuffix(".0")


def duration(value: float, unit: str) -> str:
    """Write a duration as it is read again: 40ms, 1.5s, 0; what is no whole ns, as a plain number of the unit."""
    if 0 <= value < inf:
        whole_ns = round(value * NS_PER_UNIT[unit])
        if whole_ns / NS_PER_UNIT[unit] == value:
            return format_duration(whole_ns)
        return plain(value)
    return f"{plain(value)}{unit}" if isfinite(value) else str(value)


def setting(default: Any, help_text: str, *who: str, **says: Any) -> Any:
    """Make the field of a setting; MISSING for no default. says: what else there is to say, see `Setting`."""
    return field(default=default, metadata={"setting": Setting(help=help_text, who=who, **says)})


def again(owner: type, name: str, default: Any = ..., **otherwise: Any) -> Any:
    """Make a field that says what that of another table says, but for its default and what is `otherwise`."""
    (known,) = (each for each in fields(owner) if each.name == name)
    says = replace(known.metadata["setting"], **otherwise)
    return field(default=known.default if default is ... else default, metadata={"setting": says})


def settings(table: type) -> Mapping[str, Setting]:
    """Return the settings of a table by the names of their fields, in order."""
    types = get_type_hints(table)
    return {
        each.name: _known(each.name, types[each.name], each.default, says)
        for each in fields(table)
        if (says := each.metadata.get("setting"))
    }


def _known(name: str, hint: Any, default: Any, says: Setting) -> Setting:
    (kind, *_) = [kind for kind in get_args(hint) if kind not in {NoneType, ...}] or [hint]
    ending = next((unit for unit in UNITS if name.endswith(unit)), "")
    return replace(
        says,
        name=name,
        option=says.option or f"--{name.removesuffix(ending).replace('_', '-')}",
        kind=kind,
        many=get_origin(hint) is tuple and not says.repeated,
        default=default,
    )


def read(table: type[T], given: Mapping[str, object]) -> T:
    """Make a table of what was typed, by the names of its fields. Raises ValueError naming option, value and remedy."""
    return table(**{name: each.of(given.get(name)) for name, each in settings(table).items()})


def check(holder: Any) -> None:
    """Raise ValueError for the first value of a table that is out of range, naming option, value and range."""
    for each in settings(type(holder)).values():
        each.check(getattr(holder, each.name))


def words(holder: Any, chosen: Iterable[Setting]) -> list[str]:
    """Return settings as the command line of a process has them; those that are on or off only where they are not as
    usual. Seconds are plain numbers there: servers that are not ours read them too.
    """
    said: list[str] = []
    for each in chosen:
        value = getattr(holder, each.name)
        if each.kind is not bool:
            said += [each.option, plain(value) if each.unit == "s" and value is not None else each.typed(value)]
        elif value != each.default:
            said.append(each.option)
    return said


def add_arguments(parser: ArgumentParser, chosen: Iterable[Setting]) -> None:
    """Give a parser the options of these settings, under the names of their fields; `Setting.of` reads what it says."""
    for each in chosen:
        if each.kind is bool:
            on = "store_false" if each.default else "store_true"
            parser.add_argument(each.option, dest=each.name, action=on, help=each.help)
            continue
        told = f"{each.described} (default {each.usual})" if each.usual else each.described
        parser.add_argument(each.option, dest=each.name, metavar=each.placeholder, help=told.replace("%", "%%"))
