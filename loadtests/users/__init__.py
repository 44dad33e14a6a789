"""Simulated clients: sockets, cursors, and the two clock reads of an arrival."""
