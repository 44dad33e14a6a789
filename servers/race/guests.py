"""PURE. Streams of others, shown beside the lanes: whoever starts a race names them, and its page may read no more."""

from collections.abc import Iterable
from dataclasses import dataclass

from servers.palette import Colour, colours_of
from servers.targets.url import server_and_path


@dataclass(frozen=True, slots=True)
class Guest:
    """One stream. url: as the page asks for it, with the scheme that was typed; origin: all that the page may ask."""

    name: str
    url: str
    origin: str
    colour: Colour

    def as_json(self) -> dict[str, str]:
        """What the page is told of it."""
        where = self.url.partition("://")[2].removesuffix("/")
        about = {"name": self.name, "label": where, "protocol": "guest", "url": self.url}
        return {**about, "light": self.colour.line, "dark": self.colour.dark}


def guests(urls: Iterable[str]) -> list[Guest]:
    """Read what --url was given. Raises ValueError naming option, value and remedy."""
    named = {f"guest-{number}": url for number, url in enumerate(urls, start=1)}
    colours = colours_of(named)
    return [_guest(name, url, colours[name]) for name, url in named.items()]


def _guest(name: str, url: str, colour: Colour) -> Guest:
    server, path = server_and_path(url)
    origin = f"{url.partition(':')[0].lower()}://{server.netloc}"
    return Guest(name, f"{origin}{path}", origin, colour)
