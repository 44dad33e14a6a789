"""Runs: cells measured one after the other, and everything that is started for them."""
