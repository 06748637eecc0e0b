"""The code blocks of the documentation, and where each is executed.

A fence of `bash` or `python` is executed with its page, in order, in a folder of the page's own;
blocks of a page share the folder and the Python names. A comment in the line before the fence says
otherwise:

    <!-- needs: hub -->      it is not executed, for it needs something of NEEDS
    <!-- exits: 1 -->        it ends with this exit code

A fence of any language with `title="NAME"` is written to the file NAME before what follows it. A
page with the comment `<!-- runs in: checkout -->` runs in a copy of the checkout.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from experiments.handbook.generated import generated_pages
from experiments.handbook.single import TARGET

ROOT = Path(__file__).parents[1]
EXECUTED = ("bash", "python")
SHOWN = ("csv", "json", "text", "toml", "yaml")
"""Languages that are shown and not executed."""
NEEDS = ("cluster", "gpu", "hub", "network", "time")
"""What a block may need that a test does not have. `network`: a package index; `time`: more than
some minutes."""
RUNS_IN_CHECKOUT = "<!-- runs in: checkout -->"

_FENCE = re.compile(
    r"(?:^<!-- (?P<mark>[^\n]*) -->\n)?"
    r"^(?P<indent> *)```(?P<info>[^\n`]*)\n(?P<code>.*?)^(?P=indent)```[^\S\n]*$",
    re.MULTILINE | re.DOTALL,
)
_TITLE = re.compile(r'title="([^"]+)"')
_OPERATORS = frozenset("|&;<>()`$*~")


class Block(NamedTuple):
    """A block of code on a page."""

    page: str
    line: int
    language: str
    code: str
    title: str
    needs: tuple[str, ...]
    exit_code: int
    unknown_mark: str

    @property
    def where(self) -> str:
        """Return the page and the line, as an editor takes them."""
        return f"{self.page}:{self.line}"

    @property
    def is_executed(self) -> bool:
        """Return whether it is executed with its page."""
        return self.language in EXECUTED and not self.needs


def pages() -> dict[str, str]:
    """Return the Markdown of all pages with code by their path in the repository.

    docs/evals.md is left out: it repeats pages that are here.
    """
    written = {ROOT / "README.md", ROOT / "CONTRIBUTING.md", *ROOT.glob("docs/**/*.md")}
    written = sorted(written - {ROOT / TARGET})
    texts = {str(path.relative_to(ROOT)): path.read_text(encoding="utf-8") for path in written}
    return texts | {f"docs/{name}": text for name, text in generated_pages().items()}


def executed_pages() -> list[str]:
    """Return the pages that have a block which is executed."""
    return [
        page
        for page, text in pages().items()
        if any(block.is_executed for block in blocks(page, text))
    ]


def blocks(page: str, text: str) -> list[Block]:
    """Return the blocks of a page, in order."""
    return [_block(page, text, match) for match in _FENCE.finditer(text)]


def commands(block: Block) -> list[list[str]]:
    """Return the calls of csae-bench in a shell block, without what a shell does with them."""
    return [words[1:] for words in _simple_commands(block.code) if words[:1] == ["csae-bench"]]


def plain_commands(block: Block) -> list[list[str]] | None:
    """Return the calls of a block that holds nothing else; None if it needs a shell."""
    unquoted = re.sub(r"'[^']*'|\"[^\"$]*\"|#[^\n]*", "", block.code)
    if _OPERATORS & set(unquoted):
        return None
    words = _simple_commands(block.code)
    if any(each[0] != "csae-bench" for each in words):
        return None
    return [each[1:] for each in words]


def _simple_commands(code: str) -> list[list[str]]:
    """Return the words of each command; redirections and assignments are left out."""
    calls: list[list[str]] = []
    for line in code.replace("\\\n", " ").splitlines():
        lexer = shlex.shlex(line, posix=True, punctuation_chars="|&;<>")
        lexer.whitespace_split, lexer.commenters = True, "#"
        words: list[str] = []
        for token in [*_tokens(lexer), ";"]:
            if set(token) <= set("|&;<>"):
                if words:
                    calls.append(words)
                words = []
            else:
                words.append(token)
    return [_without_assignments(words) for words in calls]


def _tokens(lexer: shlex.shlex) -> Iterator[str]:
    try:
        yield from lexer
    except ValueError:  # a quotation over several lines: the text of another language
        return


def _without_assignments(words: list[str]) -> list[str]:
    while len(words) > 1 and re.fullmatch(r"[A-Z_]+=.*", words[0]):
        words = words[1:]
    return words


def _block(page: str, text: str, match: re.Match[str]) -> Block:
    info, mark = match["info"].strip(), match["mark"] or ""
    kind, _, value = mark.partition(":")
    needs = tuple(word.strip() for word in value.split(",")) if kind == "needs" else ()
    is_exit = kind == "exits" and value.strip().isdigit()
    title = _TITLE.search(info)
    indent = match["indent"]
    return Block(
        page=page,
        line=text.count("\n", 0, match.start("info")) + 1,
        language=info.partition(" ")[0],
        code="".join(line.removeprefix(indent) for line in match["code"].splitlines(keepends=True)),
        title=title[1] if title else "",
        needs=needs,
        exit_code=int(value) if is_exit else 0,
        unknown_mark="" if not mark or is_exit or (needs and set(needs) <= set(NEEDS)) else mark,
    )
