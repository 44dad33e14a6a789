"""Several processes that serve one feed at one port: the first one publishes, and the others follow it."""


class ProcessLostError(Exception):
    """A process that serves is gone, or hears nothing any more: the message names it, and how it ended."""
