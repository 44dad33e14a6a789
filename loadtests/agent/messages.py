"""PURE. What is said between a run and an agent. A question names whose cost is meant; an answer has rows for it."""

import re
from typing import Annotated, Final
from urllib.parse import parse_qsl, urlencode

import msgspec

from loadtests.records.rows import Sample

TOKEN: Final = "POLLBENCH_AGENT_TOKEN"  # noqa: S105  (its name)
ROWS_MAX: Final = 1_000
ALSO_MAX: Final = 16
ANSWER_MAX_BYTES: Final = 1 << 20

Ns = Annotated[int, msgspec.Meta(ge=0, lt=2**62)]
Row = Annotated[list[Annotated[int, msgspec.Meta(ge=-1, lt=2**62)]], msgspec.Meta(min_length=len(Sample._fields))]


class Question(msgspec.Struct, frozen=True, kw_only=True):
    """Whose cost is meant: who listens on a port and is called `also`, or is in a cgroup; or a process by its pid.

    With what it has started each. asked_by: names a cell, so that what ended before is not counted for it.
    """

    asked_by: Annotated[str, msgspec.Meta(pattern=r"\A[A-Za-z0-9]{1,64}\Z")]
    port: Annotated[int, msgspec.Meta(ge=0, le=65_535)] = 0
    pid: Annotated[int, msgspec.Meta(ge=0, le=2**31 - 1)] = 0
    cgroup: Annotated[str, msgspec.Meta(max_length=1_000, pattern=r"\A(?!.*\.\.)[^\x00]*\Z")] = ""
    also: Annotated[list[Annotated[str, msgspec.Meta(max_length=100)]], msgspec.Meta(max_length=ALSO_MAX)] = []

    def query(self) -> str:
        told = {name: value for name, value in msgspec.structs.asdict(self).items() if value}
        return urlencode(told, doseq=True)


class CostSeen(msgspec.Struct, frozen=True, kw_only=True):
    """The answer. rows: samples as rows.py has them, by the agent's clock; none where it is not known whose they are.

    known: whose cost it is, or why that is not measured. received_ns, sent_ns: when the question came, and when this
    was sent.
    """

    clock_id: Annotated[str, msgspec.Meta(min_length=1, max_length=200)]
    received_ns: Ns
    sent_ns: Ns
    known: Annotated[str, msgspec.Meta(max_length=2_000)]
    rows: Annotated[list[Row], msgspec.Meta(max_length=ROWS_MAX)]

    def samples(self) -> list[Sample]:
        return [Sample(*row[: len(Sample._fields)]) for row in self.rows]


def question_of(query: str) -> Question:
    """Read a query. Raises ValueError naming the field and what is wrong with it."""
    fields: dict[str, object] = {}
    try:
        pairs = parse_qsl(query, strict_parsing=True, keep_blank_values=True, max_num_fields=ALSO_MAX + 4)
    except ValueError:
        raise ValueError("the query is none: ask with ?asked_by=NAME&port=PORT") from None
    if not pairs:
        raise ValueError("the query is none: ask with ?asked_by=NAME&port=PORT")
    for name, value in pairs:
        if name == "also":
            fields["also"] = [*list[object](fields.get("also", [])), value]  # type: ignore[call-overload]
        elif name in fields or name not in Question.__struct_fields__:
            raise ValueError(f"{name[:40]}: it is asked for twice, or nothing that there is")
        else:
            fields[name] = value
    try:
        asked = msgspec.convert(fields, Question, strict=False)
    except msgspec.ValidationError as wrong:
        raise ValueError(str(wrong)) from None
    if not (asked.port or asked.pid or asked.cgroup or asked.also):
        raise ValueError("port, pid, cgroup and also are all missing: say whose cost is meant")
    return asked


def check_token(
    token: str, variable: str = TOKEN, least: int = 16, remedy: str = "`openssl rand -hex 16` makes one"
) -> str:
    """Return it. Raises ValueError, which does not repeat it, where it is none, or one that can be guessed."""
    if not re.fullmatch(rf"[A-Za-z0-9_.-]{{{least},200}}", token):
        raise ValueError(f"{variable} is no token: it must be {least} to 200 letters, digits and - _ .; {remedy}")
    return token
