"""The site of docs/: built strictly, and looked at in a browser."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.browser.fixtures import OpenPage

ROOT = Path(__file__).parents[2]
LOOKED_AT = (
    "index.html",
    "tutorial/index.html",
    "how-to/saes.html",
    "concepts/scores.html",
    "evals/index.html",
    "evals/mig.html",
    "losses/rows.html",
    "reference/commands.html",
    "reference/configuration.html",
    "reference/api.html",
    "faq.html",
    "cost.html",
)
LOADS = re.compile(r"<(?:script|img|iframe|source)[^>]* src=\"([^\"]+)|<link[^>]* href=\"([^\"]+)")


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The site, built as `make docs` does."""
    pytest.importorskip("mkdocs", reason="the site's packages come with `make docs`")
    folder = tmp_path_factory.mktemp("site")
    done = subprocess.run(
        [sys.executable, "-m", "mkdocs", "build", "--strict", "--site-dir", str(folder)],
        cwd=ROOT, env={**os.environ, "NO_MKDOCS_2_WARNING": "1"},
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return folder


@pytest.mark.slow
def test_no_page_loads_anything_from_elsewhere(site: Path) -> None:
    pages = list(site.rglob("*.html"))
    assert len(pages) > 50
    for page in pages:
        for source, link in LOADS.findall(page.read_text(encoding="utf-8")):
            assert "://" not in source + link, f"{page.relative_to(site)} loads {source or link}"


@pytest.mark.slow
@pytest.mark.browser
@pytest.mark.parametrize("name", LOOKED_AT)
def test_a_page_fits_a_phone_and_asks_for_nothing(
    site: Path, open_page: OpenPage, name: str
) -> None:
    page = open_page(site / name)
    page.view(width=390, height=844, scheme="dark")
    assert page.overflow() == 0
    assert not page.external_requests()
