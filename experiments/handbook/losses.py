"""The words and settings of each loss term, from its settings and from its function."""

from __future__ import annotations

import ast
import inspect
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from csae_bench.config.loss_terms import LOSS_TERMS
from experiments.handbook.settings import Setting, settings_of

_FUNCTIONS = Path(__file__).parents[2] / "csae_bench" / "saes" / "losses"


class Term(NamedTuple):
    """A loss term."""

    name: str
    summary: str
    about: str
    """Docstring of its function: the formula, its range, its source. Markdown."""
    settings: list[Setting]


def terms() -> list[Term]:
    """Return the loss terms in the order of their table."""
    functions = dict(_docstrings())
    return [
        Term(name, inspect.cleandoc(model.__doc__ or ""), functions[name], settings_of(model))
        for name, model in LOSS_TERMS.items()
    ]


def _docstrings() -> Iterator[tuple[str, str]]:
    """Yield the name and the docstring of each function, read as text: importing takes torch."""
    for path in sorted(_FUNCTIONS.glob("*.py")):
        for node in ast.parse(path.read_text(encoding="utf-8")).body:
            if isinstance(node, ast.FunctionDef) and node.name in LOSS_TERMS:
                yield node.name, ast.get_docstring(node) or ""
