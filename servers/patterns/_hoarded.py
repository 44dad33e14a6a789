"""Long polls as they are written without a thought for clients that leave: whoever once waited is kept for ever.

Its answers are right and in time, so that no client notices. Its memory and the time each message takes grow with every
request that was ever held.
"""

from servers.patterns.long_polling import Held, LongPolls, Waiter


class HoardedLongPolls(LongPolls):
    """Removes nothing, and walks through all of it for every message."""

    def release(self, waiter: Waiter) -> Held | None:
        return self.held.get(waiter)

    def release_all(self) -> dict[Waiter, Held]:
        return self.held
