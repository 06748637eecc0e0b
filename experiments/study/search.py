"""The search before the primary comparison: candidates, on seeds that the comparison does not use.

    python -m experiments.study.search [--seeds 2] [NAME ...]

Candidates are the configurations of sae_configs/study/search, and the arms of the comparison. Each
adds a line to experiments/results/search.jsonl.
"""

from __future__ import annotations

from pathlib import Path

import click

from experiments.study import primary
from experiments.study.runs import Study, complete

LINES = Path("experiments/results/search.jsonl")
FIRST_SEED = 100
"""The comparison has seeds below it."""
_FILES = sorted((primary.CONFIGS / "search").glob("*.yaml"))
CANDIDATES = {**primary.STUDY.arms, **{path.stem: path for path in _FILES}}


@click.command()
@click.argument("names", nargs=-1, type=click.Choice(list(CANDIDATES)))
@click.option("--seeds", default=2, show_default=True)
@click.option("--at-once", default=2, show_default=True)
def main(names: tuple[str, ...], seeds: int, at_once: int) -> None:
    """Run what is missing of some candidates, or all, with `seeds` seeds."""
    study = Study(
        arms={name: CANDIDATES[name] for name in names or CANDIDATES},
        base=primary.STUDY.base,
        evals=("core", "mig"),
        results=Path("results/search"),
        lines=LINES,
    )
    complete(study, range(FIRST_SEED, FIRST_SEED + seeds), at_once=at_once)


if __name__ == "__main__":
    main()
