"""What patterns share on the way to a client: answers, streams, limits, refusals."""
