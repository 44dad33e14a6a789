"""Every refusal of a server: a status, and a JSON body that names the field and says what would be accepted."""

from collections.abc import Mapping

import msgspec
from aiohttp import hdrs, web
from aiohttp.typedefs import Handler

from servers.web.body import CodingError, LateError
from servers.web.query import BadFieldError

JSON = "application/json"
RETRY_LATER = "1"


class UnavailableError(Exception):
    """What was asked for cannot be done now, but perhaps later, or by another server. The message says why.

    field: what it is that cannot be reached.
    """

    field = "redis"


def error_response(status: int, error: str, field: str, headers: Mapping[str, str] | None = None) -> web.Response:
    return web.Response(status=status, body=error_body(error, field), content_type=JSON, headers=headers)


def error_body(error: str, field: str) -> bytes:
    """Encode a refusal. What it repeats of a request may hold bytes that are no text (surrogates)."""
    return msgspec.json.encode({"error": printable(error), "field": printable(field)})


def printable(text: str) -> str:
    return text.encode("utf-8", "backslashreplace").decode("utf-8")


def last_word(response: web.Response) -> web.Response:
    """Have the connection closed after a response: the end of the request is unknown."""
    response.force_close()
    return response


@web.middleware
async def json_errors(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Answer a bad field with 400, and give the refusals that aiohttp itself makes the same JSON form."""
    try:
        return await handler(request)
    except BadFieldError as bad:
        return error_response(400, str(bad), bad.field)
    except UnavailableError as away:
        return error_response(503, str(away), away.field, {hdrs.RETRY_AFTER: RETRY_LATER})
    except web.HTTPMethodNotAllowed as wrong:
        allowed = ", ".join(sorted(wrong.allowed_methods))
        error = f"{request.path[:200]} takes {allowed}, not {request.method}"
        return error_response(405, error, "method", {hdrs.ALLOW: allowed})
    except web.HTTPNotFound:
        return error_response(404, f"nothing is served at {request.path[:200]}", "path")
    except CodingError as wrong:
        return error_response(
            415,
            f"{str(wrong)[:40]!r} is not undone here; send the body as it is",
            "Content-Encoding",
            {hdrs.ACCEPT_ENCODING: "identity"},
        )
    except LateError:
        return last_word(error_response(408, "the body did not arrive in time; send it in one piece", "body"))
    except web.RequestPayloadError:
        return last_word(error_response(400, "the body is broken: its length or its chunks are wrong", "body"))
    except ConnectionResetError:
        if request.transport is not None and not request.transport.is_closing():
            raise
        return last_word(web.Response())  # to a client that has left: aiohttp writes it nowhere, and says nothing
    except web.HTTPRequestEntityTooLarge:
        return error_response(413, f"the body is larger than {request.client_max_size} bytes", "body")
