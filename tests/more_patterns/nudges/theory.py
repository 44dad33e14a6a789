"""PURE. Nudges: nothing is said of them beforehand."""

from typing import Final

NO_THEORY: Final = "nudges are there to be missed"
