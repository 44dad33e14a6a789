"""Clients of servers that are not ours: what one says, what it looks for in what comes, and what it remembers."""
