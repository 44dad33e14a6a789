"""Every refusal of a server: a status, and a JSON body that names the field and says what would be accepted."""

from collections.abc import Mapping

import msgspec
from aiohttp import hdrs, web
from aiohttp.typedefs import Handler

from servers.web.query import BadFieldError

JSON = "application/json"
RETRY_LATER = "1"


class UnavailableError(Exception):
    """What was asked for cannot be done now, but perhaps later, or by another server. The message says why."""


def error_response(status: int, error: str, field: str, headers: Mapping[str, str] | None = None) -> web.Response:
    return web.Response(status=status, body=error_body(error, field), content_type=JSON, headers=headers)


def error_body(error: str, field: str) -> bytes:
    return msgspec.json.encode({"error": error, "field": field})


@web.middleware
async def json_errors(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Answer a bad field with 400, and give the refusals that aiohttp itself makes the same JSON form."""
    try:
        return await handler(request)
    except BadFieldError as bad:
        return error_response(400, str(bad), bad.field)
    except UnavailableError as away:
        return error_response(503, str(away), "redis", {hdrs.RETRY_AFTER: RETRY_LATER})
    except web.HTTPMethodNotAllowed as wrong:
        allowed = ", ".join(sorted(wrong.allowed_methods))
        error = f"{request.path[:200]} takes {allowed}, not {request.method}"
        return error_response(405, error, "method", {hdrs.ALLOW: allowed})
    except web.HTTPNotFound:
        return error_response(404, f"nothing is served at {request.path[:200]}", "path")
    except web.HTTPRequestEntityTooLarge:
        return error_response(413, f"the body is larger than {request.client_max_size} bytes", "body")
