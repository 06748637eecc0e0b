"""The primary comparison: `custom_sae` against its twins, seed by seed, resumable.

    python -m experiments.study.primary [--seeds 16]

Of each seed the arms are trained and evaluated into results/study, and each adds a line to
experiments/results/primary.jsonl: its settings, its scores and the machine. What has a line is not
done again.
"""

from __future__ import annotations

import json
import os
import platform
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import click

from experiments.eval_results import value_at

CONFIGS = Path("sae_configs/study")
ARMS: Mapping[str, Path] = {
    "contrastive": CONFIGS / "contrastive.yaml",
    "no_terms": CONFIGS / "no_terms.yaml",
    "shuffled": CONFIGS / "shuffled.yaml",
}
"""Arms by name: the SAE, the same without terms on the same rows, the same on shuffled pairs."""
EVALS = ("core", "mig", "factor_probing")
SCORES: Mapping[str, tuple[str, ...]] = {
    "core": ("ce_loss_score", "explained_variance", "l0"),
    "mig": ("value_mig", "mig", "mig_sup"),
    "factor_probing": ("clamp_effect", "random_clamp_effect", "clamp_specificity"),
}
"""Metrics kept of each eval, by the names that `compare` has them under."""


@click.command()
@click.option("--seeds", default=16, show_default=True)
@click.option("--results", type=click.Path(path_type=Path), default=Path("results/study"))
@click.option(
    "--to", type=click.Path(path_type=Path), default=Path("experiments/results/primary.jsonl")
)
def main(seeds: int, results: Path, to: Path) -> None:
    """Run what is missing of the first `seeds` seeds."""
    done = finished(to)
    for seed in range(seeds):
        missing = [arm for arm in ARMS if (arm, seed) not in done]
        if missing:
            _run(seed, results)
            for arm in missing:
                append_line(to, _line(arm, seed, results))
            click.echo(f"seed {seed}: {len(missing)} lines added to {to}")


def finished(path: Path) -> set[tuple[str, int]]:
    """Return the arms and seeds that have a line; one that was cut off is left out."""
    return {(line["arm"], line["seed"]) for line in lines(path)}


def lines(path: Path) -> list[dict[str, Any]]:
    """Read the lines of a file of results, but for those that were cut off; none without a file."""
    if not path.is_file():
        return []
    read: list[dict[str, Any]] = []
    for text in path.read_text("utf-8").splitlines():
        try:
            read.append(json.loads(text))
        except json.JSONDecodeError:
            continue
    return read


def _run(seed: int, results: Path) -> None:
    command = [sys.executable, "-m", "csae_bench.cli", "run", "--seed", str(seed)]
    command += [part for path in ARMS.values() for part in ("--sae", str(path))]
    command += ["--evals", ",".join(EVALS), "--results", str(results)]
    subprocess.run(command, check=True)


def _line(arm: str, seed: int, results: Path) -> dict[str, Any]:
    import torch

    from csae_bench import models
    from csae_bench.config.loading import load_config
    from csae_bench.evals import get_eval
    from csae_bench.evals.metric_values import values
    from csae_bench.saes.loading import load_sae
    from experiments.study.controls import controls

    resolved = load_config(str(ARMS[arm]), seed=seed)
    record = _record(results, str(ARMS[arm]), seed)
    scores: dict[str, Any] = {}
    for eval_name, names in SCORES.items():
        result = json.loads((results / record["cells"][eval_name]["result"]).read_text("utf-8"))
        places = {value.name: value.place for value in values(get_eval(eval_name).metrics)}
        scores |= {f"{eval_name}.{name}": value_at(result, places[name]) for name in names}
    training = record["training"]
    sae = load_sae(results / training["checkpoint"])
    return {
        "arm": arm,
        "seed": seed,
        "training_hash": record["training_hash"],
        "scores": scores,
        "controls": controls(sae, models.load(record["model"]), resolved, record["hook_name"]),
        "training": {
            name: training[name]
            for name in ("executed_steps", "l0_inference", "shift_participation", "wall_seconds")
        },
        "settings": {
            "losses": record["config"]["sae"]["losses"],
            "pairs": record["config"]["pairs"],
        },
        "machine": {
            "processor": platform.processor() or platform.machine(),
            "cores": os.cpu_count(),
            "torch": torch.__version__,
        },
    }


def _record(results: Path, source: str, seed: int) -> dict[str, Any]:
    for path in (results / "runs").glob("*.json"):
        record = json.loads(path.read_text("utf-8"))
        if record["source"] == source and record["config"]["seed"] == seed:
            return record
    raise click.ClickException(f"{results} has no run of {source} with seed {seed}.")


def append_line(path: Path, line: Mapping[str, Any]) -> None:
    """Add a line to a file of results, on disk once this returns."""
    path.parent.mkdir(parents=True, exist_ok=True)
    text = path.read_bytes() if path.is_file() else b""
    cut_off = bool(text) and not text.endswith(b"\n")
    with path.open("a", encoding="utf-8") as file:
        file.write("\n" * cut_off + json.dumps(line, sort_keys=True) + "\n")
        file.flush()
        os.fsync(file.fileno())


if __name__ == "__main__":
    main()
