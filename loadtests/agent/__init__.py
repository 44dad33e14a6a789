"""The agent: what a run asks of a server's host, its clock and what the server costs; who answers, and who asks."""
