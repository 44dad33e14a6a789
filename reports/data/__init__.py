"""A run folder as frames: read whole, checked, and grouped into situations."""
