"""PURE. Servers that nobody here wrote: how to publish to one, how to subscribe, and how to know our message again."""
