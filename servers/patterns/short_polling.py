"""Short polling: whatever is new, at once; an empty list when nothing is, or 304 to a client that holds the ETag."""

from aiohttp import hdrs, web

from servers.feed.feed import Feed
from servers.settings.options import ServerOptions
from servers.web.answers import Answers
from servers.web.query import parse_poll

LABEL = "Short polling"
PATH = "/api/poll"


def routes(feed: Feed, options: ServerOptions) -> list[web.RouteDef]:
    answers = Answers(feed, etags=True, compress=options.compress)

    async def poll(request: web.Request) -> web.StreamResponse:
        query = parse_poll(request.raw_path)
        known = request.headers.getall(hdrs.IF_NONE_MATCH, ())
        if known and holds(",".join(known), answers.etag()):
            return answers.unchanged().to(request)
        return answers.after(query.last_id, query.limit).to(request)

    return [web.get(PATH, poll, allow_head=False)]


def holds(if_none_match: str, etag: str) -> bool:
    """Say whether the client's list of validators has this one, compared weakly (RFC 9110 section 13.1.2)."""
    opaque = etag.removeprefix("W/")
    known = [tag.strip().removeprefix("W/") for tag in if_none_match.split(",")]
    return opaque in known or known == ["*"]
