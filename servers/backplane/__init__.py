"""One feed for several server processes, through Redis: whichever of them a client asks, it finds the same messages.

    python -m servers --feed redis-stream --redis redis://127.0.0.1:6379/0                # publishes and delivers
    python -m servers --feed redis-stream --redis redis://127.0.0.1:6379/0 --no-publish   # delivers only

`join` connects a process's `Feed` to the others; the patterns do not notice. Two kinds, told apart by what happens to
what is published while Redis, or a process's connection to it, is away:

redis-stream  Messages are kept in a Redis Stream and read by id. A process that comes back, or is new, reads what it
              lacks; a publisher waits. Nothing is lost that Redis itself does not lose.
redis-pubsub  Messages go to those that are subscribed at that moment, and nowhere else. Lost messages are counted,
              and their ids are never used again, so that every client sees how much it missed.

Redis gives out the ids (`scripts.py`). Nothing is claimed that is not known: an id that does not arrive becomes a hole
in the history, and a client behind it is told "gone". Every answer of Redis is waited for only so long, also on a
connection that looks alive, so that no server stops hearing unnoticed (redis-py #2417, nchan #190, channels_redis #20).
"""


class NoRedisError(OSError):
    """There is no Redis to begin with. The message is one line that says why, and what to do."""
