"""PURE. Durations, bandwidths and addresses as people write them; integers inside.

Every error is one line that names the option, what was given and what would have been right.
"""

import re
from decimal import Decimal
from typing import Final

NS_PER_UNIT: Final = {"ns": 1, "us": 1_000, "ms": 1_000_000, "s": 1_000_000_000}
NS_PER_LONG_UNIT: Final = {"m": 60 * NS_PER_UNIT["s"], "min": 60 * NS_PER_UNIT["s"], "h": 3_600 * NS_PER_UNIT["s"]}
"""Read, but never written: 100 s in minutes has no end."""
BITS_PER_UNIT: Final = {"bit": 1, "kbit": 1_000, "mbit": 1_000_000, "gbit": 1_000_000_000}
MAX_DURATION_NS: Final = 60 * NS_PER_UNIT["s"]
MAX_BITS_PER_S: Final = 1_000 * BITS_PER_UNIT["gbit"]
MAX_PORT: Final = 65_535

_QUANTITY: Final = re.compile(r"([0-9]{1,20}(?:\.[0-9]{1,20})?|\.[0-9]{1,20}) ?([a-z]*)", re.ASCII)
_HOST: Final = re.compile(r"\[[^\[\]\s]+\]|[^:\[\]\s]+")
_PORT: Final = re.compile(r"[0-9]{1,5}", re.ASCII)


def parse_duration_ns(option: str, text: str) -> int:
    """Read `40ms`, `1.5s`, `250us`, `0`; a plain number is milliseconds. Rounded to whole ns, at most 60 s."""
    ns = _quantity(text, NS_PER_UNIT, plain="ms")
    if ns is None or ns > MAX_DURATION_NS:
        raise ValueError(f"{option} {text!r} is not a duration: write 40ms, 1.5s, 250us or 40 (ms), at most 60s")
    return round(ns)


def read_duration(text: str, unit: str) -> float | None:
    """Read `5s`, `40ms`, `2m`, `1h` in this unit; a plain number is taken as it is. None for what is no duration."""
    try:
        return float(text)
    except ValueError:
        ns = _quantity(text, NS_PER_UNIT | NS_PER_LONG_UNIT, plain="")
        return None if ns is None else float(ns / NS_PER_UNIT[unit])


def format_duration(ns: int) -> str:
    """Write a duration exactly, as parse_duration_ns reads it."""
    return _format(ns, NS_PER_UNIT)


def format_span(ns: int) -> str:
    """Write a duration as shortly as is exact, with minutes and hours: 5m, 24h, 90s."""
    return _format(
        ns, {unit: scale for unit, scale in (NS_PER_UNIT | NS_PER_LONG_UNIT).items() if not ns % scale} or NS_PER_UNIT
    )


def parse_bandwidth_bits_per_s(option: str, text: str) -> int:
    """Read `10mbit`, `1.5gbit`, `500kbit`, `9600bit`, per second; a plain 0 means unlimited and gives 0."""
    bits_per_s = _quantity(text, BITS_PER_UNIT, plain="bit" if text.strip() == "0" else "")
    if bits_per_s is None or 0 < bits_per_s < 1 or bits_per_s > MAX_BITS_PER_S:
        raise ValueError(
            f"{option} {text!r} is not a bandwidth: write 10mbit, 500kbit or 1.5gbit, bits per second; 0 for unlimited"
        )
    return round(bits_per_s)


def format_bandwidth(bits_per_s: int) -> str:
    """Write a bandwidth exactly, as parse_bandwidth_bits_per_s reads it."""
    return _format(bits_per_s, BITS_PER_UNIT)


def parse_address(option: str, text: str) -> tuple[str, int]:
    """Read `HOST:PORT` or `[IPV6]:PORT`; the brackets come off, the port is 1 to 65535."""
    host, _, port = text.rpartition(":")
    if _HOST.fullmatch(host) and _PORT.fullmatch(port) and 1 <= int(port) <= MAX_PORT:
        return host.strip("[]"), int(port)
    raise ValueError(f"{option} {text!r} is not an address: write HOST:PORT, as in 127.0.0.1:8080")


def parse_port(option: str, text: str) -> int:
    """Read a port to listen on; 0 asks for any free one."""
    if _PORT.fullmatch(text) and int(text) <= MAX_PORT:
        return int(text)
    raise ValueError(f"{option} {text!r} is not a port: write 1 to {MAX_PORT}, or 0 for any free one")


def _quantity(text: str, scales: dict[str, int], plain: str) -> Decimal | None:
    """Return the amount in the smallest unit; None when it cannot be read. `plain` is the unit of a bare number."""
    match = _QUANTITY.fullmatch(text.strip().lower())
    scale = scales.get(match[2] or plain) if match else None
    return Decimal(match[1]) * scale if match and scale else None


def _format(amount: int, scales: dict[str, int]) -> str:
    if amount == 0:
        return "0"
    unit = max((unit for unit in scales if amount >= scales[unit]), key=lambda unit: scales[unit])
    return f"{(Decimal(amount) / scales[unit]).normalize():f}{unit}"
