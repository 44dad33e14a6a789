"""Load hosts: machines that drive users for a run on another one, what they are told, and how their rows come back.

Locust's master and workers drive the users, as they do on one machine. What they do not have is here: who is let in,
that all are there before a cell starts, that one that is lost is missed by name, and rows that are counted once.
"""
