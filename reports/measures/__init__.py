"""PURE. Frames to measures: latency, losses, cost, order, and who is first by them."""
