"""Instants: the only clock, a timer that keeps to it, and the kernel's own stamps."""
