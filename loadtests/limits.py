"""Open files: one socket a user. Locust raises the limit to 10,000 only."""

import resource
from contextlib import suppress


def raise_open_files() -> None:
    """Raise the soft limit of open files to the hard one, as far as the platform lets us."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = hard if hard != resource.RLIM_INFINITY else 1_048_576
    if soft < wanted:
        with suppress(ValueError, OSError):
            resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
