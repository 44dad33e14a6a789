"""How a run asks an agent: what the server cost so far, on the run's own clock."""

import http.client
import os
import re
import secrets
from typing import Final

import msgspec

from loadtests.agent.messages import ANSWER_MAX_BYTES, TOKEN, CostSeen, Question, check_token
from loadtests.clocks.offset import ClockExchange, ClocksDisagree, OffsetInterval
from loadtests.records.rows import Sample
from servers.targets.adapter import Cost
from servers.timing.clock import now_ns
from servers.web.urls import read_url

ANSWER_S: Final = 5.0


class AgentFailed(Exception):
    """The agent does not do its part: one line that names it, and what to do."""


class AgentLook:
    """Looks at a server through the agent on its host, as `Family` does at one of this machine.

    known: whose cost it is, once it was looked at. The agent's clock is followed by the very questions.
    """

    def __init__(self, url: str, token: str, question: Question) -> None:
        self._url = read_url(url, "--agent")
        self._headers = {"Authorization": f"Bearer {token}"}
        self._path = f"{self._url.path}/cost?{question.query()}"
        self._offset: OffsetInterval | None = None
        self._clock_id = ""
        self.known = ""

    def sample(self) -> list[Sample]:
        """Return the server's rows now. Raises AgentFailed."""
        left_ns = now_ns()
        seen = self._asked()
        self.known = f"{seen.known}, as the agent at {self._url} sees it"
        offset = self.narrowed(seen, ClockExchange(left_ns, seen.received_ns, seen.sent_ns, now_ns()))
        return [row._replace(at_ns=row.at_ns - offset.midpoint_ns) for row in seen.samples()]

    def narrowed(self, seen: CostSeen, exchange: ClockExchange) -> OffsetInterval:
        """Return how far the agent's clock is ahead, with one more exchange. Raises AgentFailed where it jumps."""
        if self._clock_id not in {"", seen.clock_id}:
            raise AgentFailed(f"the agent at {self._url} was restarted on another clock; measure again")
        try:
            interval = exchange.interval()
            self._offset = interval if self._offset is None else self._offset.intersect(interval)
        except ClocksDisagree as wrong:
            raise AgentFailed(
                f"the clock of the agent at {self._url} jumps: {wrong}; do not suspend, set or migrate its host"
            ) from None
        self._clock_id = seen.clock_id
        return self._offset

    def _asked(self) -> CostSeen:
        connection = http.client.HTTPConnection(*self._url.address, timeout=ANSWER_S)
        try:
            connection.request("GET", self._path, headers=self._headers)
            response = connection.getresponse()
            status, body = response.status, response.read(ANSWER_MAX_BYTES)
        except (OSError, http.client.HTTPException) as wrong:
            raise AgentFailed(
                f"the agent at {self._url} cannot be reached ({wrong}); start it on the server's host: pollbench agent"
            ) from None
        finally:
            connection.close()
        if status == 401:
            raise AgentFailed(f"the agent at {self._url} does not take our token: set {TOKEN} to the one that it has")
        try:
            if status == 200:
                return msgspec.json.decode(body, type=CostSeen)
            why = str(msgspec.json.decode(body)["error"])
        except (msgspec.MsgspecError, KeyError, TypeError, RecursionError):
            raise AgentFailed(f"{self._url} is no pollbench agent of this version (it answered {status})") from None
        raise AgentFailed(f"the agent at {self._url}: {' '.join(why.split())[:500]}")


def agent_look(cost: Cost, port: int) -> AgentLook:
    """Return who looks at the server that an adapter means. port: where it listens. Raises AgentFailed."""
    token = os.environ.get(TOKEN, "")
    if not token:
        raise AgentFailed(f"--agent {cost.agent} needs a token: set {TOKEN} to the one that `pollbench agent` has")
    try:
        return AgentLook(
            cost.agent,
            check_token(token),
            Question(asked_by=secrets.token_hex(8), port=port, cgroup=cost.cgroup, also=cost.also),
        )
    except ValueError as wrong:
        raise AgentFailed(re.sub(r"\s+", " ", str(wrong))) from None
