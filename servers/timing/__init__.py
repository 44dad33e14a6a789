"""Instants: the only clock, a timer that keeps to it, the kernel's own stamps, and when what was written."""

from typing import Final

NS_PER_S: Final = 1_000_000_000
NS_PER_MS: Final = 1_000_000
