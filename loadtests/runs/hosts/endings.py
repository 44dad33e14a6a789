"""PURE. How the work of load hosts may end, for whoever needs no more of them: it takes no library."""

from typing import Final

INCOMPLETE: Final = 4
INTERRUPTED: Final = 130
"""With which exit codes hosts end, where their run ended so."""


class HostFailed(Exception):
    """A cell cannot go on because of a load host; the message begins with its name."""


class HostsMissing(Exception):
    """Not all load hosts that a cell needs are there; the message says which are, and what became of the others."""
