"""PURE. Where metrics are to go, as --metrics says it."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from servers.settings.units import parse_port
from servers.web.urls import read_url

FORMS: Final = "prometheus:PORT (scraped) or otlp:URL (sent once a second)"


@dataclass(frozen=True, slots=True)
class Destination:
    """port: to be scraped at, 0 for any; url: of a collector."""

    port: int | None = None
    url: str = ""


def parse_metrics(texts: Iterable[str]) -> Destination:
    """Read what --metrics was given. Raises ValueError naming option, value and remedy."""
    asked = Destination()
    for text in texts:
        kind, _, where = text.partition(":")
        if kind == "prometheus" and asked.port is None:
            asked = Destination(parse_port("--metrics", where), asked.url)
        elif kind == "otlp" and not asked.url:
            asked = Destination(asked.port, str(read_url(where, "metrics")))
        else:
            raise ValueError(f"--metrics {text!r}: write {FORMS}, each once")
    return asked
