"""docs/evals.md, and the controls in it.

python -m experiments.handbook measure
python -m experiments.handbook report
"""

from __future__ import annotations

from pathlib import Path

import click

from experiments.handbook.controls import WORLDS, lines, measure, verdicts
from experiments.handbook.pages import pages
from experiments.pages import write_page


@click.group()
def main() -> None:
    """Measure the controls, or write the page."""


@main.command("measure")
@click.argument("titles", nargs=-1)
def measure_worlds(titles: tuple[str, ...]) -> None:
    """Run all evals on the oracle and the random dictionary of each world, or of those named."""
    for world in WORLDS:
        if not titles or any(world.title.startswith(title) for title in titles):
            measure(world)


@main.command()
@click.option("--to", type=click.Path(path_type=Path), default=Path("docs/evals.md"))
def report(to: Path) -> None:
    """Write the page out of the evals' own pages and the lines of the controls."""
    known = lines()
    write_page(
        Path(__file__).with_name("evals.md.j2"),
        to,
        pages=pages(),
        worlds=WORLDS,
        controls={
            page.name: [verdicts(page.name, known, world) for world in WORLDS] for page in pages()
        },
    )


if __name__ == "__main__":
    main()
