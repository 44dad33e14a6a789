"""PURE. Where Redis is: read strictly, because redis-py takes `/zero` for database 0 and no host for localhost."""

import re
from typing import Final
from urllib.parse import SplitResult, urlsplit

FORM: Final = "redis://[USER:PASSWORD@]HOST[:PORT][/DATABASE], or rediss:// for TLS"


def check_url(text: str) -> SplitResult:
    """Return the parts of a URL that a server can use. Raises ValueError."""
    url = urlsplit(text)
    good = url.scheme in {"redis", "rediss"} and url.hostname and re.fullmatch(r"(/\d*)?", url.path)
    if not good or url.query or url.fragment or url.port == 0:
        raise ValueError(text)
    return url


def shown(text: str) -> str:
    """Return a checked URL without user and password, for people to read."""
    url = check_url(text)
    return url._replace(netloc=url.netloc.rpartition("@")[2]).geturl()


def database(text: str) -> int:
    """Return the number of the database that a checked URL names."""
    return int(check_url(text).path[1:] or 0)
