"""The JUnit form: what readers check, and that no text can break it."""

from xml.etree import ElementTree as ET

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reports.basics.junit import Case, Outcome, junit_xml

# What both of Jenkins' schemas (junit-4.xsd and junit-10.xsd) allow: element -> (attributes, children in any order).
ALLOWED = {
    "testsuites": ({"name", "time", "tests", "failures", "errors"}, {"testsuite"}),
    "testsuite": ({"name", "time", "tests", "failures", "errors", "skipped"}, {"testcase"}),
    "testcase": ({"name", "classname", "time"}, {"skipped", "error", "failure", "system-out"}),
    "failure": ({"type", "message"}, set()),
    "error": ({"type", "message"}, set()),
    "skipped": (set(), set()),
    "system-out": (set(), set()),
}
outcomes = st.sampled_from(["passed", "failure", "error", "skipped"])
text = st.text(max_size=30)
cases = st.lists(st.builds(Case, st.sampled_from(["a", "b"]), text, outcomes, text, text), max_size=8)


def assert_keeps_to_the_schema(element: ET.Element) -> None:
    attributes, children = ALLOWED[element.tag]
    assert set(element.attrib) <= attributes
    for child in element:
        assert child.tag in children
        assert_keeps_to_the_schema(child)


@given(text, cases)
def test_any_text_gives_a_document_that_keeps_to_the_schema_and_counts_right(name: str, cases: list[Case]) -> None:
    root = ET.fromstring(junit_xml(name, cases))
    assert_keeps_to_the_schema(root)
    for element in [root, *root.iter("testsuite")]:
        members = list(element.iter("testcase"))
        assert int(element.attrib["tests"]) == len(members)
        assert int(element.attrib["failures"]) == len(list(element.iter("failure")))
        assert int(element.attrib["errors"]) == len(list(element.iter("error")))
    assert len(list(root.iter("testcase"))) == len(cases)
    assert len(list(root.iter("skipped"))) == sum(case.outcome == "skipped" for case in cases)


def test_cases_are_grouped_by_suite_and_keep_their_text() -> None:
    awkward = 'p99 < 250 & "quotes" ]]> \x00'
    document = junit_xml("slo", [Case("feed", "a", "failure", awkward, awkward), Case("quiet", "b", "passed")])
    root = ET.fromstring(document)
    assert [suite.attrib["name"] for suite in root] == ["feed", "quiet"]
    failure = root.find("testsuite/testcase/failure")
    assert failure is not None
    assert failure.attrib["message"] == failure.text == awkward.replace("\x00", "\ufffd")


@pytest.mark.parametrize(("outcome", "children"), [("passed", ["system-out"]), ("skipped", ["skipped"])])
def test_what_did_not_fail_still_tells_its_story(outcome: Outcome, children: list[str]) -> None:
    case = Case("feed", "a", outcome, "the story", "the story")
    element = ET.fromstring(junit_xml("slo", [case])).find("testsuite/testcase")
    assert element is not None
    assert [(child.tag, child.text) for child in element] == [(children[0], "the story")]
