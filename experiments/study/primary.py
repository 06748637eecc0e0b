"""The primary comparison: `custom_sae` against its twins, seed by seed, resumable.

    python -m experiments.study.primary [--seeds 16]

Of each seed the arms are trained and evaluated into results/study, and each adds a line to
experiments/results/primary.jsonl.
"""

from __future__ import annotations

from pathlib import Path

import click

from experiments.study.runs import Study, complete

N_SEEDS = 16
CONFIGS = Path("sae_configs/study")
STUDY = Study(
    arms={name: CONFIGS / f"{name}.yaml" for name in ("contrastive", "no_terms", "shuffled")},
    base=CONFIGS / "contrastive.yaml",
    evals=("core", "mig", "factor_probing"),
    results=Path("results/study"),
    lines=Path("experiments/results/primary.jsonl"),
)
"""Arms: the SAE, the same without terms on the same rows, the same on shuffled pairs."""


@click.command()
@click.option("--seeds", default=N_SEEDS, show_default=True)
@click.option("--at-once", default=2, show_default=True)
def main(seeds: int, at_once: int) -> None:
    """Run what is missing of the first `seeds` seeds, `at_once` of them at a time."""
    complete(STUDY, range(seeds), at_once=at_once)


if __name__ == "__main__":
    main()
