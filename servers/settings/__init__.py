"""PURE. What a server process can be told, and how wrong values are refused."""
