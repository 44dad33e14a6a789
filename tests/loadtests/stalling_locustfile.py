"""The real locustfile in a process that stalls: now and then a greenlet blocks the event loop for STALL_S."""

import random
import sys
from pathlib import Path

import gevent
from gevent import monkey
from locust import events

sys.path.insert(0, str(Path(__file__).resolve().parent.parent.parent))

from loadtests.locustfile import *  # noqa: F403

STALL_S = 0.04
"""Shorter than the time between two messages of the test, so that they do not come together."""


def _now_and_then() -> None:
    block = monkey.get_original("time", "sleep")
    pause = random.Random(1)
    while True:
        gevent.sleep(0.02 + 0.06 * pause.random())
        block(STALL_S)


events.test_start.add_listener(lambda **_kwargs: gevent.spawn(_now_and_then))
