"""Live numbers, in bounded memory: counts, the timeline, losses, and what to doubt in them."""
