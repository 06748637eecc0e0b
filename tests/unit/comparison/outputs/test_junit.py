"""csae_bench/comparison/outputs/junit.py."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest
import xmlschema
from hypothesis import given
from hypothesis import strategies as st

from csae_bench.comparison.model import Family, Finding, Judgement, Report
from csae_bench.comparison.outputs.junit import to_junit
from tests.unit.comparison.planted import RELEASE, readings, results

SCHEMA = xmlschema.XMLSchema(Path(__file__).parents[3] / "data" / "junit.xsd")


def _report(
    findings: Sequence[Finding] = (),
    names: Sequence[str] = ("topk",),
    allowed: tuple[str, ...] = (),
) -> Report:
    return Report(
        candidate=results(*(readings(name, {"core.l0": [18.0]}) for name in names)),
        baseline=None,
        comparisons=(),
        findings=tuple(findings),
        warnings=(),
        allowed_mismatches=allowed,
        exit_code=0,
        alpha=0.05,
    )


def _finding(
    judgement: Judgement, name: str = "topk", message: str = "0.81 -> 0.7", metric: str = "mig.mig"
) -> Finding:
    return Finding(
        rule=f"{metric}:-0.01",
        metric=metric,
        candidate=Family(RELEASE, name),
        judgement=judgement,
        message=message,
    )


def _valid(report: Report) -> ET.Element:
    text = to_junit(report)
    SCHEMA.validate(text)
    return ET.fromstring(text)


@pytest.mark.parametrize(
    ("judgement", "element"),
    [
        (Judgement.REGRESSED, "failure"),
        (Judgement.INCOMPARABLE, "failure"),
        (Judgement.FAILED, "error"),
        (Judgement.MISSING, "error"),
        (Judgement.WARNED, "skipped"),
        (Judgement.PASSED, "system-out"),
    ],
)
def test_every_judgement_has_its_element_and_its_message(
    judgement: Judgement, element: str
) -> None:
    root = _valid(_report([_finding(judgement)]))
    (case,) = [case for case in root.iter("testcase") if case.get("name") == "mig.mig:-0.01"]
    assert [child.tag for child in case] == [element]
    assert case[0].text == "0.81 -> 0.7"


def test_the_counts_are_those_of_the_cases() -> None:
    root = _valid(_report([_finding(judgement) for judgement in Judgement], names=("a", "topk")))
    (suite,) = [suite for suite in root if suite.get("tests") != "1"]
    counts = {name: suite.get(name) for name in ("tests", "failures", "errors", "skipped")}
    # each SAE has a case of its own: that its runs are ok
    assert counts == {"tests": "7", "failures": "2", "errors": "2", "skipped": "1"}
    assert (root.get("tests"), root.get("failures"), root.get("errors")) == ("8", "2", "2")


def test_without_a_finding_every_sae_has_a_case_that_passes() -> None:
    root = _valid(_report(names=("a", "b")))
    assert [case.get("name") for case in root.iter("testcase")] == ["runs are ok"] * 2
    assert not [child for case in root.iter("testcase") for child in case]


def test_a_finding_of_no_sae_has_a_suite_of_its_own() -> None:
    broken = Finding(
        rule="runs are ok", metric="", candidate=None, judgement=Judgement.FAILED, message="x"
    )
    assert [suite.get("name") for suite in _valid(_report([broken], names=()))] == ["files"]


def test_allowed_mismatches_are_on_every_suite() -> None:
    root = _valid(_report(names=("a", "b"), allowed=("context_size",)))
    values = [property_.get("value", "") for property_ in root.iter("property")]
    assert len(values) == 2
    assert all("context_size" in value for value in values)


@given(st.text(), st.text())
def test_any_name_and_message_make_a_valid_document(name: str, message: str) -> None:
    _valid(_report([_finding(Judgement.REGRESSED, name=name, message=message)], names=(name,)))


def test_markup_in_a_name_is_text() -> None:
    root = _valid(_report(names=("<script>alert(1)</script>",)))
    assert root[0].get("name") == f"{RELEASE}/<script>alert(1)</script>"
