"""Pages in Markdown, made of a template and what was measured."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click


def write_page(template: Path, to: Path, **values: Any) -> None:
    """Write the page of a template; a value that it names and that is not given is an error."""
    to.parent.mkdir(parents=True, exist_ok=True)
    to.write_text(render_page(template, **values), encoding="utf-8")
    click.echo(f"wrote {to}")


def render_page(template: Path, **values: Any) -> str:
    """Return the page of a template; a value that it names and that is not given is an error."""
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    environment = Environment(
        loader=FileSystemLoader(template.parent),
        undefined=StrictUndefined,
        autoescape=False,  # the page is Markdown
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["cell"] = _cell
    return environment.get_template(template.name).render(values)


def _cell(text: str) -> str:
    """Return a text for a cell of a table, which holds no line and no bar."""
    return " ".join(str(text).split()).replace("|", "\\|")
