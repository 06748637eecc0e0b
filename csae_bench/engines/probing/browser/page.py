"""Browsable page of the probing eval: a self-contained HTML file that opens from disk."""

from __future__ import annotations

from pathlib import Path

from csae_bench.engines.probing.browser.content import ProbingPage
from csae_bench.engines.probing.browser.encoding import encoded
from csae_bench.pages import WHITE_FROM_BLUE, WHITE_FROM_RED, render
from csae_bench.results.store import write_text

HTML = "probing.html"
SCRIPTS = ("data.js", "state.js", "elements.js", "tables.js", "lists.js", "detail.js", "main.js")
"""In the order in which they run."""


def write_browser(page: ProbingPage, folder: Path) -> list[str]:
    """Write the page and return the name of its file.

    A fragment opens the page at a place, so that links can be shared: `#latent=17`,
    `#value=tense: past`, `#factor=tense`, `#q=physician`, `#sort=-selectivity`, joined by `&`.

    Raises:
        ResultError: the folder cannot be written; nothing is half-written.
        ValueError: a number of the page is NaN or infinite.
    """
    write_text(folder / HTML, html(page))
    return [HTML]


def html(page: ProbingPage) -> str:
    """Render the page. All text is escaped, and nothing of it is run."""
    return render(
        "engines/probing/browser/page.html",
        title=page.title,
        page=page,
        data=encoded(page) | {"white_from": {"blue": WHITE_FROM_BLUE, "red": WHITE_FROM_RED}},
        scripts=[f"engines/probing/browser/{name}" for name in SCRIPTS],
    )
