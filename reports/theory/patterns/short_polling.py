"""PURE. Short polling: a message waits for its client's next poll."""

from functools import partial
from typing import Final

from reports.theory.oracles.framing import listed
from reports.theory.predictions import Theory
from reports.theory.predictions.short_polls import short_polling
from reports.theory.predictions.traffic import poll_traffic

THEORY: Final = Theory(
    listed,
    short_polling,
    partial(poll_traffic, held=False),
    # Polls that start together share one phase, and clients do not even out what it does.
    speaks=lambda setting: setting.get("poll_start") != "together",
)
