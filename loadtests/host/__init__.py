"""This machine: what it is, what it can hold, what a process on it costs, and the foreign programs it runs."""
