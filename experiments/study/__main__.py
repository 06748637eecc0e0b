"""The study of minimal pairs: its runs, and its page.

python -m experiments.study run primary
python -m experiments.study report
"""

from __future__ import annotations

from pathlib import Path

import click

from experiments.study.studies import STUDIES


@click.group()
def main() -> None:
    """Run the study, or write its page."""


@main.command()
@click.argument("name", type=click.Choice(list(STUDIES)))
@click.argument("arms", nargs=-1)
@click.option("--seeds", help="Seeds separated by commas, in place of the study's.")
@click.option("--at-once", default=2, show_default=True, help="Seeds trained side by side.")
def run(name: str, arms: tuple[str, ...], seeds: str | None, at_once: int) -> None:
    """Run what is missing of a study, or of some of its arms."""
    from experiments.study.runs import complete

    study = STUDIES[name]
    unknown = [arm for arm in arms if arm not in study.arms]
    if unknown:
        raise click.UsageError(f"{name} has no arm {unknown[0]}; it has {', '.join(study.arms)}.")
    if arms:
        study = study._replace(arms={arm: study.arms[arm] for arm in arms})
    if seeds:
        study = study._replace(seeds=[int(seed) for seed in seeds.split(",")])
    complete(study, at_once=at_once)


@main.command()
@click.option("--to", type=click.Path(path_type=Path), default=Path("docs/study.md"))
def report(to: Path) -> None:
    """Write the page and its figure out of the lines."""
    from experiments.study.report import write

    write(to)


if __name__ == "__main__":
    main()
