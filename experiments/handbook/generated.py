"""All pages that are made of the code, by their path in the site."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from experiments.handbook.commands import commands
from experiments.handbook.configuration import blocks, configurations
from experiments.handbook.controls import WORLDS, lines, verdicts
from experiments.handbook.evals import pages
from experiments.handbook.losses import terms
from experiments.pages import render_page

_TEMPLATES = Path(__file__).with_name("templates")


def generated_pages() -> dict[str, str]:
    """Return the Markdown of each page by its path, in the order of the navigation."""
    return dict(_pages())


def _pages() -> Iterator[tuple[str, str]]:
    evals, known = pages(), lines()
    controls = {
        page.name: [verdicts(page.name, known, world) for world in WORLDS] for page in evals
    }
    yield "evals/index.md", _page("evals", pages=evals, worlds=WORLDS, controls=controls)
    for page in evals:
        rows = list(zip(WORLDS, controls[page.name], strict=True))
        yield f"evals/{page.name}.md", _page("eval", page=page, controls=rows)
    yield "losses/index.md", _page("losses", terms=terms())
    for term in terms():
        yield f"losses/{term.name}.md", _page("loss", term=term)
    yield "reference/commands.md", _page("commands", commands=commands())
    yield (
        "reference/configuration.md",
        _page("configuration", blocks=blocks(), configurations=configurations()),
    )


def _page(name: str, **values: Any) -> str:
    return render_page(_TEMPLATES / f"{name}.md.j2", **values)
