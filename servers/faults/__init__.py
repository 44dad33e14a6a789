"""Servers that are wrong on purpose, in a known way: what an instrument that tells the truth must find."""
