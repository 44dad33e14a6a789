"""Servers of others beside ours: which of them are there, what is measured of each, and the one table of all."""
