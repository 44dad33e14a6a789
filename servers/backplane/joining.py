"""The way in: makes the backplane that the options ask for, and takes part in it."""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

from servers.backplane.backplane import Backplane
from servers.backplane.pubsub import PubSubBackplane
from servers.backplane.stream import StreamBackplane
from servers.feed.feed import Feed, Journal
from servers.settings.options import ServerOptions

KINDS = {backplane.kind: backplane for backplane in (StreamBackplane, PubSubBackplane)}


@asynccontextmanager
async def join(
    feed: Feed, options: ServerOptions, journal: Journal | None, failed: Callable[[BaseException], None]
) -> AsyncIterator[Backplane]:
    """Take part in the feed that `options.feed` and `options.redis` name. Raises NoRedisError.

    `feed` is filled from now on, with all that is kept to begin with. journal: called with every message that this
    process publishes. failed: called with what makes it impossible to go on.
    """
    backplane = KINDS[options.feed](feed, options, journal, failed)
    await backplane.join()
    try:
        yield backplane
    finally:
        await backplane.leave()
