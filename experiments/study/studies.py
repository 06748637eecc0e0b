"""The studies: what each of them trains, with which seeds, and where its lines are."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

CONFIGS = Path("sae_configs/study")
RESULTS = Path("results/study")
LINES = Path("experiments/results")


class Study(NamedTuple):
    """Arms, each with every seed."""

    arms: Mapping[str, Path]
    """Configurations by name."""
    base: Path
    """The configuration whose held-out minimal pairs every arm is measured on."""
    evals: Sequence[str]
    """Names; of each the metrics of `runs.SCORES` are kept."""
    seeds: Sequence[int]
    results: Path
    """Folder for SAEs and their results."""
    lines: Path
    """The file that gets a line for each arm and seed."""
    factors: str = "tinyworld"
    """Factor dataset of the controls."""


def _arms(*names: str) -> dict[str, Path]:
    return {Path(name).stem: CONFIGS / f"{name}.yaml" for name in names}


ARM, TWIN, SHUFFLED = "contrastive", "no_terms", "shuffled"
"""Arms of the comparison: the SAE, the same without terms on the same rows, the same on shuffled
pairs."""

_SEARCHED = sorted(path.stem for path in (CONFIGS / "search").glob("*.yaml"))

STUDIES = {
    "search": Study(
        arms=_arms(*(f"search/{name}" for name in _SEARCHED)),
        base=CONFIGS / "search" / "weight_2.yaml",
        evals=("core", "mig"),
        seeds=range(100, 102),  # not those of the comparison
        results=RESULTS / "search",
        lines=LINES / "search.jsonl",
    ),
    "primary": Study(
        arms=_arms(ARM, TWIN, SHUFFLED),
        base=CONFIGS / f"{ARM}.yaml",
        evals=("core", "mig", "factor_probing"),
        seeds=range(16),
        results=RESULTS / "primary",
        lines=LINES / "primary.jsonl",
    ),
    "held_out": Study(
        arms=_arms("held_out_factors", "held_out_factors_no_terms"),
        base=CONFIGS / f"{ARM}.yaml",
        evals=("core", "mig"),
        seeds=range(4),
        results=RESULTS / "held_out",
        lines=LINES / "held_out.jsonl",
    ),
    "smollm2": Study(
        arms=_arms("smollm2", "smollm2_no_terms", "smollm2_shuffled"),
        base=CONFIGS / "smollm2.yaml",
        evals=("core", "mig"),
        seeds=range(2),
        results=RESULTS / "smollm2",
        lines=LINES / "smollm2.jsonl",
        factors="english",
    ),
}
PRIMARY, SEARCH = STUDIES["primary"], STUDIES["search"]
