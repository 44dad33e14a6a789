"""PURE. Long polling: a message that comes while its client asks again waits for that."""

from functools import partial
from typing import Final

from reports.theory.oracles.framing import listed
from reports.theory.predictions import Theory
from reports.theory.predictions.long_polls import long_polling
from reports.theory.predictions.traffic import poll_traffic

THEORY: Final = Theory(listed, long_polling, partial(poll_traffic, held=True))
