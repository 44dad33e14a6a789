"""The class that Locust knows a pattern's users by: a kind of user, that follows as the pattern's file says."""

from typing import Final, cast

from loadtests import patterns
from loadtests.scenario.plan import user_class_name
from loadtests.users.poll_loops import HeldPollingUser, PacedPollingUser
from loadtests.users.streaming import StreamUser
from loadtests.users.user import PatternUser
from servers.patterns import facts

KINDS: Final[dict[bool | None, type[PatternUser]]] = {
    None: StreamUser,
    True: HeldPollingUser,
    False: PacedPollingUser,
}
"""By what a pattern says of its requests: held, or not; streams say nothing."""


def user_class(name: str) -> type[PatternUser]:
    """Raises ValueError naming the known patterns."""
    about = {"pattern": name, "facts": facts(name), "how": patterns.load(name)}
    return cast("type[PatternUser]", type(user_class_name(name), (KINDS[patterns.held(name)],), about))
