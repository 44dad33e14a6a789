"""Who may use Locust's web page: no page of a stranger, no name that is not ours, and nobody before a login that is on.

Locust lets pages of any origin read every answer (CORS), and start a test. Its own login guards its own views only.
"""

from collections.abc import Callable
from typing import Any

from flask import Flask, Response, make_response, request

from servers.web.origins import Origins

FORBIDDEN = 403


def guard(app: Flask, bound: str, allowed: str) -> None:
    """Refuse strangers before anything else looks at a request, whatever the address."""
    origins = Origins("" if bound == "*" else bound, allowed)

    def refuse() -> Response | None:
        field = request.headers.get
        stranger = origins.refusal(
            field("Host"), field("Origin"), field("Sec-Fetch-Site", ""), field("Sec-Fetch-Mode", "")
        )
        if stranger is None:
            return None
        return make_response(
            f"{stranger.field} {stranger.error}\n", FORBIDDEN, {"Content-Type": "text/plain; charset=utf-8"}
        )

    app.before_request(refuse)


def ask_first(web_ui: Any, endpoint: str, check: Callable[[], Response | None]) -> None:
    """Have a view of Locust's answer only what passes a check; the check is made after the login, if there is one."""
    view = web_ui.app.view_functions[endpoint]

    def checked() -> Any:
        refusal = check()
        return view() if refusal is None else refusal

    web_ui.app.view_functions[endpoint] = web_ui.auth_required_if_enabled(checked)
