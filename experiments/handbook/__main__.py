"""The controls in the pages of evals, and all generated pages as files.

python -m experiments.handbook measure
python -m experiments.handbook report
python -m experiments.handbook write --to DIR
"""

from __future__ import annotations

from pathlib import Path

import click

from experiments.handbook.controls import WORLDS, measure
from experiments.handbook.generated import generated_pages
from experiments.handbook.single import TARGET, evals_page


@click.group()
def main() -> None:
    """Measure the controls, or write the pages."""


@main.command("measure")
@click.argument("titles", nargs=-1)
def measure_worlds(titles: tuple[str, ...]) -> None:
    """Run all evals on the oracle and the random dictionary of each world, or of those named."""
    for world in WORLDS:
        if not titles or any(world.title.startswith(title) for title in titles):
            measure(world)


@main.command()
def report() -> None:
    """Write docs/evals.md, the pages of evals as one."""
    TARGET.write_text(evals_page(generated_pages()), encoding="utf-8")
    click.echo(f"wrote {TARGET}")


@main.command()
@click.option("--to", type=click.Path(path_type=Path), required=True)
def write(to: Path) -> None:
    """Write the pages that the site makes of the code, to read them as Markdown."""
    for name, text in generated_pages().items():
        path = to / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
        click.echo(f"wrote {path}")


if __name__ == "__main__":
    main()
