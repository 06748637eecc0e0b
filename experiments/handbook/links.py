"""Links between files of the repository, as links between pages of the site."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Mapping

_LINK = re.compile(r"(!?)\[([^\]\[]*)\]\(([^)\s#]*)(#[^)\s]*)?\)")
_FENCED = re.compile(r"(^ {0,3}```.*?^ {0,3}```[^\S\n]*$)", re.MULTILINE | re.DOTALL)


def relinked(text: str, *, source: str, page: str, outside: Mapping[str, str]) -> str:
    """Return the text of a page with its links as they must be in the site.

    Args:
        text: Markdown.
        source: path of the file in the repository.
        page: path of the page in the site.
        outside: file outside docs/ -> page, of those that the site has. A link to any other file
            outside docs/ becomes its text.
    """

    def replaced(match: re.Match[str]) -> str:
        image, words, target, anchor = match.groups("")
        if not target or "://" in target or target.startswith("mailto:"):
            return match[0]
        path = posixpath.normpath(posixpath.join(posixpath.dirname(source), target))
        to = outside.get(path) or (path[5:] if path.startswith("docs/") else None)
        if to is None:
            return words
        return f"{image}[{words}]({posixpath.relpath(to, posixpath.dirname(page) or '.')}{anchor})"

    parts = _FENCED.split(text)  # odd ones are code
    return "".join(part if i % 2 else _LINK.sub(replaced, part) for i, part in enumerate(parts))
