"""The default run against SAELens's own training of the same SAE without the contrastive objective.

Each in a fresh process, one after the other, start-up included, with as many threads as torch
takes by itself, which wait without spinning: `csae-bench run --sae custom_sae`, which trains and
runs all evals; and SAELens's LanguageModelSAETrainingRunner, which trains its BatchTopK SAE with
the settings of `batchtopk` on as many tokens of the same model and text, saves it and ends. The
stages of the run, and the CPU time of both, go to stderr: on a shared machine wall time tells
little by itself.
"""

from __future__ import annotations

import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any, NamedTuple

FIGURES = ("run_vs_stock_training", "run_seconds")
CONFIGURATION, TWIN = "custom_sae", "batchtopk"


class Taken(NamedTuple):
    """Time that a process took, in seconds."""

    wall: float
    cpu: float
    """Of all its threads, in the process and the kernel."""
    stdout: str


def main() -> None:
    """Print both figures."""
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, "-m", "csae_bench.cli", "run", "--sae", CONFIGURATION]
        run = _timed([*command, "--results", str(Path(folder) / "results"), "--json"])
        _report("run", run)
        _report_stages(json.loads(run.stdout), Path(folder) / "results")
        code = "from benchmarks.run_vs_stock_training import train_stock; train_stock({!r})"
        stock = _timed([sys.executable, "-c", code.format(str(Path(folder) / "stock"))])
        _report("stock training", stock)
    print(f"BENCH run_vs_stock_training {run.wall / stock.wall:.2f} ratio")
    print(f"BENCH run_seconds {run.wall:.0f} s")


def train_stock(folder: str) -> None:
    """Train SAELens's BatchTopK SAE by its own runner, as a user of SAELens would."""
    from sae_lens import (
        BatchTopKTrainingSAEConfig,
        LanguageModelSAERunnerConfig,
        LanguageModelSAETrainingRunner,
        LoggingConfig,
    )

    from csae_bench import models
    from csae_bench.config import ModelActivations
    from csae_bench.config.loading import load_config
    from csae_bench.config.sae import BatchTopKSae
    from csae_bench.corpora import open_corpus

    config = load_config(TWIN).config
    sae, training, activations = config.sae, config.training, config.activations
    assert isinstance(sae, BatchTopKSae)
    assert isinstance(activations, ModelActivations)
    model = models.describe(config.model)
    runner = LanguageModelSAETrainingRunner(
        LanguageModelSAERunnerConfig(
            sae=BatchTopKTrainingSAEConfig(d_in=model.d_model, d_sae=sae.d_sae, k=sae.k),
            model_name=model.name,
            hook_name=model.default_hook_name,
            dataset_path=activations.dataset,
            is_dataset_tokenized=False,
            context_size=activations.context_size,
            store_batch_size_prompts=activations.batch_size_prompts,
            training_tokens=training.n_tokens,
            train_batch_size_tokens=training.batch_size,
            lr=training.learning_rate,
            lr_warm_up_steps=training.lr_warm_up_steps,
            lr_decay_steps=training.lr_decay_steps,
            dead_feature_window=training.dead_latent_window,
            exclude_special_tokens=True,
            logger=LoggingConfig(log_to_wandb=False),
            checkpoint_path=None,
            output_path=folder,
        ),
        override_dataset=open_corpus(activations.dataset, split="sae"),
        override_model=models.load(model.name),
    )
    runner.run()


def _timed(command: list[str]) -> Taken:
    # as csae-bench's own command line has it: threads that spin are far slower on a busy machine
    surroundings = {"HF_HUB_OFFLINE": "1", "HF_DATASETS_OFFLINE": "1", "OMP_WAIT_POLICY": "PASSIVE"}
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    started = time.perf_counter()
    done = subprocess.run(
        command, capture_output=True, text=True, env={**os.environ, **surroundings}
    )
    wall = time.perf_counter() - started
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    if done.returncode != 0:
        raise RuntimeError(f"it ended with {done.returncode}: {done.stderr[-2000:]}")
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return Taken(wall, cpu, done.stdout)


def _report(name: str, taken: Taken) -> None:
    print(f"{name}: {taken.wall:.1f} s, CPU {taken.cpu:.1f} s", file=sys.stderr)


def _report_stages(record: dict[str, Any], results: Path) -> None:
    """Show what the run's time went to, by its own record; the rest is start-up and the checks."""
    (outcome,) = results.glob("checkpoints/*/*/training.json")
    stages = {"training": json.loads(outcome.read_text(encoding="utf-8"))["wall_seconds"]}
    for name, cell in record["cells"].items():
        stages.setdefault(name, cell["wall_seconds"])
    for name, seconds in stages.items():
        print(f"  {name}: {seconds:.1f} s", file=sys.stderr)


if __name__ == "__main__":
    main()
