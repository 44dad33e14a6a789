"""Cells of servers that are not ours: published to by us, and not measured before every client hears."""
