"""PURE. Judgements as JUnit XML, the form that Jenkins, GitLab and GitHub actions all read.

There is no official schema; this keeps to what the Ant task wrote and every reader accepts: testsuites > testsuite >
testcase > (failure | error | skipped)? system-out?, with the counts that readers check. It validates against both of
Jenkins' own schemas (junit-4.xsd allows no attribute on skipped, junit-10.xsd no count of skipped at the root).
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Literal
from xml.etree import ElementTree as ET

Outcome = Literal["passed", "failure", "error", "skipped"]

# XML 1.0, section 2.2: no escape makes these characters legal.
_ILLEGAL: Final = re.compile("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


@dataclass(frozen=True, slots=True)
class Case:
    """One judgement. message: one line; detail: what a reader who opens the case sees."""

    suite: str
    name: str
    outcome: Outcome
    message: str = ""
    detail: str = ""


def junit_xml(name: str, cases: Sequence[Case]) -> bytes:
    """Return the document, cases grouped by suite in order of first appearance. Any text is escaped or cleaned."""
    root = ET.Element("testsuites", {"name": _legal(name), **_counts(cases)})
    for suite in dict.fromkeys(case.suite for case in cases):
        members = [case for case in cases if case.suite == suite]
        element = ET.SubElement(root, "testsuite", {"name": _legal(suite), **_counts(members)})
        element.set("skipped", str(sum(case.outcome == "skipped" for case in members)))
        for case in members:
            _append(element, case)
    ET.indent(root)
    document: bytes = ET.tostring(root, encoding="utf-8", xml_declaration=True)
    return document + b"\n"


def _append(suite: ET.Element, case: Case) -> None:
    element = ET.SubElement(
        suite, "testcase", {"classname": _legal(case.suite), "name": _legal(case.name), "time": "0"}
    )
    if case.outcome == "passed":
        if case.detail:
            ET.SubElement(element, "system-out").text = _legal(case.detail)
        return
    if case.outcome == "skipped":
        ET.SubElement(element, "skipped").text = _legal(case.message)
        return
    attributes = {"type": case.outcome, "message": _legal(case.message)}
    ET.SubElement(element, case.outcome, attributes).text = _legal(case.detail)


def _counts(cases: Sequence[Case]) -> dict[str, str]:
    outcomes = [case.outcome for case in cases]
    return {
        "tests": str(len(cases)),
        "failures": str(outcomes.count("failure")),
        "errors": str(outcomes.count("error")),
        "time": "0",
    }


def _legal(text: str) -> str:
    return _ILLEGAL.sub("\ufffd", text)
