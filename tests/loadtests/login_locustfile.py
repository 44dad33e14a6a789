"""The real locustfile with a login, as Locust's documentation makes one: whoever opens /enter is logged in."""

import sys
from pathlib import Path
from typing import Any

from flask import redirect
from flask_login import UserMixin, login_user  # type: ignore[import-untyped]
from locust import events

sys.path.insert(0, str(Path(__file__).resolve().parent.parent.parent))

from loadtests.locustfile import *  # noqa: F403


class Person(UserMixin):  # type: ignore[misc]
    id = "1"


def _log_in_at_enter(environment: Any, **_kwargs: Any) -> None:
    web_ui = environment.web_ui
    web_ui.app.secret_key = "of a test"
    web_ui.login_manager.user_loader(lambda _: Person())

    def enter() -> Any:
        login_user(Person())
        return redirect("/")

    web_ui.app.add_url_rule("/enter", view_func=enter)


events.init.add_listener(_log_in_at_enter)
