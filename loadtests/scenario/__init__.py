"""PURE. What is asked of a run: scenarios, settings, and the plan of cells that follows from them."""
