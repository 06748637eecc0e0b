"""HTML pages: a common frame and style sheet, combined into a single file.

A page needs no network and opens from disk. Its template is next to the code that fills it and
begins with `{% extends "pages/frame.html" %}`.
"""

from __future__ import annotations

import json
import re
from functools import cache
from importlib.resources import files
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from jinja2 import Environment
    from markupsafe import Markup

_HYPHEN_BEFORE_NUMBER = re.compile(r"(?<![\w-])-(?=[\d.])|(?<=\de)-(?=\d)")

WHITE_FROM_BLUE, WHITE_FROM_RED = 0.78, 0.71
"""Strength of a colour above which white text is easier to read on it than black."""


def render(template: str, **context: Any) -> str:
    """Return the page of a template, all text in it escaped.

    In a template, `source(path)` puts a file of the package in as it is, `embedded(value)` a value
    as JSON for its scripts; filters are `heat` for cells of a heat map, `number` and `minus`.

    Args:
        template: path below csae_bench, such as `engines/factors/heat_map.html`.
        context: what the template names; a name that is missing is an error of ours.
    """
    return _environment().get_template(template).render(**context)


def heat(cell: float | None) -> Markup:
    """Return the attributes that colour a table's cell: -1 red, 0 blank, 1 blue.

    Args:
        cell: clipped to -1 to 1; None is hatched.
    """
    from markupsafe import Markup

    if cell is None:
        return Markup('class="undefined"')
    strength = round(min(abs(cell), 1.0), 3)
    names = ["heat"]
    if cell < 0:
        names.append("negative")
    if strength > (WHITE_FROM_RED if cell < 0 else WHITE_FROM_BLUE):
        names.append("strong")
    return Markup(f'class="{" ".join(names)}" style="--heat:{strength:g}"')


def number(value: float, digits: int = 2) -> str:
    """Return a number with `digits` decimals and a true minus sign; what rounds to 0 has none."""
    rounded = round(value, digits)
    text = f"{abs(rounded):.{digits}f}"
    return f"\N{MINUS SIGN}{text}" if rounded < 0 else text


def minus(text: str) -> str:
    """Return text with true minus signs before numbers; hyphens in names stay."""
    return _HYPHEN_BEFORE_NUMBER.sub("\N{MINUS SIGN}", text)


def embedded(value: Any) -> Markup:
    """Return a value as JSON that is safe within a script element.

    Raises:
        ValueError: a NaN or an infinity is in it.
    """
    from markupsafe import Markup

    text = json.dumps(value, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    # nothing can close the element or begin a comment
    return Markup(text.replace("<", "\\u003c"))


def rounded(value: float, digits: int = 4) -> float:
    """Return a number at `digits` significant digits: pages show no more, and stay small."""
    return float(f"{value:.{digits}g}")


@cache
def _environment() -> Environment:
    from jinja2 import Environment, PackageLoader, StrictUndefined

    environment = Environment(
        loader=PackageLoader("csae_bench", ""),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    names: Any = environment.globals  # typed as if only jinja2's own could be in it
    names.update(source=_source, embedded=embedded)
    environment.filters.update(heat=heat, minus=minus, number=number)
    return environment


def _source(path: str) -> Markup:
    from markupsafe import Markup

    return Markup(files("csae_bench").joinpath(path).read_text(encoding="utf-8"))
