"""The gate's findings as JUnit XML, the form that Jenkins and its like read.

A suite is an SAE, a test case one rule on one metric. A regression, and what cannot be compared, is
a `failure`; a run that failed and a result that is missing an `error`; an inconclusive verdict that
was let pass is `skipped`. Every SAE has one case at least: that its runs are ok.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from xml.etree import ElementTree as ET

from csae_bench.comparison.gate import RUNS_ARE_OK
from csae_bench.comparison.model import Family, Finding, Judgement, Report
from csae_bench.comparison.outputs.overview import stamp

_ELEMENTS = {
    Judgement.REGRESSED: "failure",
    Judgement.INCOMPARABLE: "failure",
    Judgement.FAILED: "error",
    Judgement.MISSING: "error",
    Judgement.WARNED: "skipped",
}
_COUNTED = {"failures": "failure", "errors": "error", "skipped": "skipped"}
# XML 1.0 has no way to write these, not even escaped.
_NOT_XML = re.compile("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def to_junit(report: Report) -> str:
    """Return the report as one JUnit document, valid against Jenkins's schema."""
    root = ET.Element("testsuites", {"name": "csae-bench compare"})
    for family, findings in _suites(report).items():
        _add_suite(root, family, findings, report)
    for name in ("failures", "errors"):
        root.set(name, str(sum(int(suite.get(name, "0")) for suite in root)))
    root.set("tests", str(sum(len(suite.findall("testcase")) for suite in root)))
    ET.indent(root)
    return '<?xml version="1.0" encoding="UTF-8"?>\n' + ET.tostring(root, encoding="unicode") + "\n"


def _suites(report: Report) -> dict[Family | None, list[Finding]]:
    """Return SAE -> its findings; files that belong to none come last."""
    results = report.candidate
    families = {reading.family for reading in results.readings}
    families |= {run.family for run in results.runs}
    suites: dict[Family | None, list[Finding]] = {family: [] for family in sorted(families)}
    for finding in report.findings:
        suites.setdefault(finding.candidate, []).append(finding)
    for family, findings in suites.items():
        if family in families and not any(finding.rule == RUNS_ARE_OK for finding in findings):
            findings.insert(0, _runs_are_ok(family))
    return suites


def _runs_are_ok(family: Family | None) -> Finding:
    return Finding(
        rule=RUNS_ARE_OK, metric="", candidate=family, judgement=Judgement.PASSED, message=""
    )


def _add_suite(
    root: ET.Element, family: Family | None, findings: Iterable[Finding], report: Report
) -> None:
    name = "files" if family is None else f"{family.release}/{family.name}"
    suite = ET.SubElement(root, "testsuite", {"name": _text(name)})
    allowed = stamp(report)
    if allowed is not None:
        properties = ET.SubElement(suite, "properties")
        ET.SubElement(properties, "property", {"name": "warning", "value": _text(allowed)})
    for finding in findings:
        case = ET.SubElement(
            suite,
            "testcase",
            {"name": _text(_case_name(finding)), "classname": _text(name)},
        )
        element = _ELEMENTS.get(finding.judgement)
        if element is not None:
            message = _text(finding.message)
            result = ET.SubElement(case, element, {"message": message})
            if element != "skipped":
                result.set("type", finding.judgement)
            result.text = message
        elif finding.message:
            ET.SubElement(case, "system-out").text = _text(finding.message)
    suite.set("tests", str(len(suite.findall("testcase"))))
    for attribute, element in _COUNTED.items():
        suite.set(attribute, str(len(suite.findall(f"testcase/{element}"))))


def _case_name(finding: Finding) -> str:
    """Return the metric and the rule, unless the rule names the metric itself."""
    if not finding.metric or finding.rule.startswith(f"{finding.metric}:"):
        return finding.rule
    return f"{finding.metric} ({finding.rule})"


def _text(value: str) -> str:
    return _NOT_XML.sub("\ufffd", value)
