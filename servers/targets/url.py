"""PURE. URLs of targets: which can be used, and the one form in which they are used."""

from typing import Final
from urllib.parse import SplitResult, urlsplit

SCHEMES: Final = {"http": "http", "https": "https", "ws": "http", "wss": "https"}
PORTS: Final = {"http": 80, "https": 443}


def split(text: str) -> SplitResult:
    """Read the URL of a target. Raises ValueError naming it and what would be right."""
    try:
        url = urlsplit(text.strip())
        good = url.scheme in SCHEMES and bool(url.hostname) and url.port != 0 and text.isprintable()
        good = good and not any(letter.isspace() or ord(letter) > 126 for letter in url.netloc)
    except ValueError:
        good = False
    if not good:
        raise ValueError(f"--url {text!r} is not a URL such as https://staging.example/base (http, https, ws or wss)")
    if "@" in url.netloc:
        raise ValueError(
            "--url has a user or a password in it, which would be written down; use "
            'headers = { Authorization = "Bearer {{env.TOKEN}}" }'
        )
    return url._replace(scheme=SCHEMES[url.scheme])


def origin(url: SplitResult) -> str:
    return f"{url.scheme}://{url.netloc}"


def base_url(text: str) -> str:
    """Read the URL below which an adapter's paths are: no slash at its end. Raises ValueError."""
    url = split(text)
    if url.query or url.fragment:
        raise ValueError(f"--url {text!r} has a query or a fragment, which belongs into the adapter's requests")
    return f"{origin(url)}{url.path.rstrip('/')}"
