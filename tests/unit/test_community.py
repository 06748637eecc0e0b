"""CITATION.cff, the issue templates, and versions that stand in several files."""

from __future__ import annotations

import json
import tomllib
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml

ROOT = Path(__file__).parents[2]
TEMPLATES = sorted((ROOT / ".github" / "ISSUE_TEMPLATE").glob("*.yml"))


def citation() -> dict[str, Any]:
    return yaml.safe_load((ROOT / "CITATION.cff").read_text(encoding="utf-8"))


def project() -> dict[str, Any]:
    return tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]


def test_the_citation_is_valid() -> None:
    schema = ROOT / "tests" / "data" / "citation_file_format_1.2.0.json"  # CC BY 4.0
    jsonschema.validate(citation(), json.loads(schema.read_text(encoding="utf-8")))


def test_the_citation_has_the_projects_version_and_licence() -> None:
    assert citation()["version"] == project()["version"]
    assert citation()["license"] == project()["license"]


@pytest.mark.parametrize("path", TEMPLATES, ids=lambda path: path.stem)
def test_a_template_is_a_form_of_github(path: Path) -> None:
    form = yaml.safe_load(path.read_text(encoding="utf-8"))
    if path.stem == "config":
        assert set(form) <= {"blank_issues_enabled", "contact_links"}
        return
    assert {"name", "description", "body"} <= set(form)
    kinds = {"checkboxes", "dropdown", "input", "markdown", "textarea"}
    for element in form["body"]:
        assert element["type"] in kinds
        assert element["attributes"].get("label") or element["type"] == "markdown"
    ids = [element["id"] for element in form["body"] if "id" in element]
    assert len(ids) == len(set(ids))


@pytest.mark.parametrize("group", ["docs", "dev"])
def test_what_an_extra_asks_for_is_pinned(group: str) -> None:
    names = {line.split(">=")[0] for line in project()["optional-dependencies"][group]}
    pinned = {
        line.split("==")[0]
        for name in ("docs", "dev", "lock")
        for line in (ROOT / "requirements" / f"{name}.txt").read_text().splitlines()
    }
    assert {name.split("[")[0] for name in names} <= pinned
