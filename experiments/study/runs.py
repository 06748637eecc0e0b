"""Runs of a study: every arm with every seed, resumable, a line of a file for each.

An arm is a configuration. A line has its settings, its scores and controls, and the machine; what
has a line is not done again.
"""

from __future__ import annotations

import json
import os
import platform
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import click

from csae_bench.support.threads import n_cores
from experiments.eval_results import value_at
from experiments.study.studies import Study

SCORES: Mapping[str, tuple[str, ...]] = {
    "core": ("ce_loss_score", "explained_variance", "l0", "frac_alive"),
    "mig": ("value_mig", "value_mig_held_out", "value_mig_best_latent", "mig", "mig_sup"),
    "factor_probing": ("clamp_effect", "random_clamp_effect", "clamp_specificity"),
}
"""Metrics kept of each eval, by the names that `compare` has them under."""


def complete(study: Study, *, at_once: int) -> None:
    """Run what is missing.

    Args:
        at_once: seeds that are run side by side, each in a process of its own.

    Raises:
        click.ClickException: the file has a line of an arm with other settings.
    """
    missing: dict[int, list[str]] = {}
    done = finished(study)
    for seed in study.seeds:
        arms = [arm for arm in study.arms if (arm, seed) not in done]
        if arms:
            missing[seed] = arms
    todo = list(missing)
    for start in range(0, len(todo), at_once):
        some = todo[start : start + at_once]
        arms = [arm for arm in study.arms if any(arm in missing[seed] for seed in some)]
        _run(study, arms, some)
        for seed in some:
            _add_lines(study, missing[seed], seed)


def finished(study: Study) -> set[tuple[str, int]]:
    """Return the arms and seeds that have a line; one that was cut off is left out.

    Raises:
        click.ClickException: a line is of other settings than the arm has now.
    """
    now = {arm: settings(path) for arm, path in study.arms.items()}
    done: set[tuple[str, int]] = set()
    for line in lines(study.lines):
        arm, seed = line["arm"], line["seed"]
        if arm not in now:
            continue
        if line["settings"] != now[arm]:
            raise click.ClickException(
                f"{study.lines}: the line of {arm}, seed {seed}, was made with other settings than "
                f"{study.arms[arm]} has now; remove it, or undo the change."
            )
        done.add((arm, seed))
    return done


def settings(path: Path) -> dict[str, Any]:
    """Return what decides the training of an arm, its seed left out."""
    from csae_bench.config.loading import load_config

    config = load_config(str(path)).config.model_dump(mode="json")
    config["activations"].pop("cache_gib", None)
    return {key: config[key] for key in ("model", "activations", "pairs", "sae", "training")}


def lines(path: Path) -> list[dict[str, Any]]:
    """Read the lines of a file of results, without a last one that was cut off; [] without a file.

    Raises:
        click.ClickException: a whole line is not JSON.
    """
    read: list[dict[str, Any]] = []
    for number, text in enumerate(_whole_lines(path), start=1):
        try:
            read.append(json.loads(text))
        except json.JSONDecodeError as error:
            raise click.ClickException(f"{path}, line {number}: {error}; remove it.") from error
    return read


def append_line(path: Path, line: Mapping[str, Any]) -> None:
    """Add a line to a file of results, in place of one that was cut off, and have it on disk."""
    path.parent.mkdir(parents=True, exist_ok=True)
    n_whole = sum(map(len, _whole_lines(path)))
    with path.open("ab") as file:
        file.truncate(n_whole)
        file.write(json.dumps(line, sort_keys=True).encode() + b"\n")
        file.flush()
        os.fsync(file.fileno())


def _whole_lines(path: Path) -> list[bytes]:
    if not path.is_file():
        return []
    return [text for text in path.read_bytes().splitlines(keepends=True) if text.endswith(b"\n")]


def _run(study: Study, arms: Sequence[str], seeds: Sequence[int]) -> None:
    """Run the arms, each seed in a process of its own: they share rows of a seed alone.

    Raises:
        click.ClickException: one of them failed.
    """
    threads = max(1, n_cores() // len(seeds))
    runs: list[subprocess.Popen[bytes]] = []
    for seed in seeds:
        command = [sys.executable, "-m", "csae_bench.cli", "run", "--seed", str(seed)]
        command += [part for arm in arms for part in ("--sae", str(study.arms[arm]))]
        command += ["--evals", ",".join(study.evals), "--results", str(study.results)]
        runs.append(subprocess.Popen([*command, "--set", f"threads={threads}"]))
    codes = [run.wait() for run in runs]
    if any(codes):
        failed = ", ".join(str(seed) for seed, code in zip(seeds, codes, strict=True) if code)
        raise click.ClickException(f"The run of seed {failed} failed; the same command goes on.")


def _add_lines(study: Study, arms: Sequence[str], seed: int) -> None:
    from csae_bench import models
    from csae_bench.config.loading import load_config
    from experiments.study.controls import Controls

    resolved = load_config(str(study.base), seed=seed)
    controls = Controls(resolved, models.load(resolved.config.model), study.factors)
    for arm in arms:
        append_line(study.lines, _line(study, arm, seed, controls))
    click.echo(f"seed {seed}: {len(arms)} lines added to {study.lines}")


def _line(study: Study, arm: str, seed: int, controls: Any) -> dict[str, Any]:
    import torch

    from csae_bench.evals import get_eval
    from csae_bench.evals.metric_values import values
    from csae_bench.saes.loading import load_sae

    record = _record(study.results, str(study.arms[arm]), seed)
    scores: dict[str, Any] = {}
    for eval_name in study.evals:
        cell = record["cells"][eval_name]
        if cell["status"] != "ok":
            raise click.ClickException(f"{eval_name} of {arm}, seed {seed}, is {cell['status']}.")
        result = json.loads((study.results / cell["result"]).read_text("utf-8"))
        places = {value.name: value.place for value in values(get_eval(eval_name).metrics)}
        scores |= {
            f"{eval_name}.{name}": value_at(result, places[name]) for name in SCORES[eval_name]
        }
    training = record["training"]
    return {
        "arm": arm,
        "seed": seed,
        "training_hash": record["training_hash"],
        "scores": scores,
        "controls": controls.of(load_sae(study.results / training["checkpoint"])),
        "training": {
            name: training[name]
            for name in ("executed_steps", "l0_inference", "shift_participation", "wall_seconds")
        },
        "settings": settings(study.arms[arm]),
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
