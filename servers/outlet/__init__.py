"""Publishes to a server that is not ours: our schedule, ids and journal, its own way in."""
