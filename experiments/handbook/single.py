"""docs/evals.md: the site's pages of evals as one page, to read in the repository."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Mapping
from pathlib import Path

TARGET = Path("docs/evals.md")

_HEADING = re.compile(r"^(?=#+ )", re.MULTILINE)
_LINK = re.compile(r"\]\((?P<target>[^)#\s:]+\.md)\)")
_PREFACE = "<!-- Written by `make handbook` from the evals' pages in evals/. Do not edit. -->\n\n"


def evals_page(generated: Mapping[str, str]) -> str:
    """Return the index of the evals and the page of each, below one heading.

    Args:
        generated: Markdown of all generated pages by their path in the site.
    """
    names = [name for name in generated if name.startswith("evals/")]
    index, *pages = (_moved(generated[name], names) for name in names)
    return _PREFACE + "\n".join((index, *(_demoted(page) for page in pages)))


def _moved(text: str, names: list[str]) -> str:
    """Return a page of docs/evals/ with its links as they are in docs/."""

    def replaced(match: re.Match[str]) -> str:
        path = posixpath.normpath(posixpath.join("evals", match["target"]))
        is_here = path in names
        return f"](#{posixpath.basename(path).removesuffix('.md')})" if is_here else f"]({path})"

    return _LINK.sub(replaced, text)


def _demoted(text: str) -> str:
    parts = re.split(r"(^```.*?^```$)", text, flags=re.MULTILINE | re.DOTALL)  # odd ones are code
    return "".join(part if i % 2 else _HEADING.sub("#", part) for i, part in enumerate(parts))
