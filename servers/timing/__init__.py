"""Instants: the only clock, a timer that keeps to it, and the kernel's own stamps."""

from typing import Final

NS_PER_S: Final = 1_000_000_000
