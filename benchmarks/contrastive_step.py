"""A training step of the contrastive objective against SAELens's own step of its TopK class.

d_in 2304, d_sae 16384, 4096 rows: steps of SAELens's SAETrainer on a stock TopK SAE and of ours on
a `contrastive_topk`, on the same batch, in turn, in one process. Ours is `OBJECTIVE`, and
`OBJECTIVE` with mixing in every step; `sparse_shift_step` compares two of ours. The step that
measures gradients for the ratio control counts once in its period and is timed once. Drawing
batches is part of neither. A figure is the median of the ratios of the rounds; the smallest and the
largest go to stderr.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Mapping
from statistics import median
from typing import Any

from benchmarks.timing import seconds

os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")  # read when torch is imported

FIGURES = ("contrastive_step_time_ratio", "mixing_step_time_ratio")
D_IN, ROWS, K = 2304, 4096, 40
OBJECTIVE: dict[str, dict[str, Any]] = {
    "rows": {"weight": 0.1, "latent_fraction": 0.2},
    "columns": {"weight": 0.1, "n_latents": 2048},
}
OBJECTIVES: dict[str, dict[str, dict[str, Any]]] = {
    "contrastive": OBJECTIVE,
    "mixing": {**OBJECTIVE, "mixing": {"weight": 0.1}},
    "no terms": {},
    "sparse_shift": {"sparse_shift": {"weight": 0.2}},
}
"""Terms of each step of ours."""
SHARE_OF_MINIMAL = 0.25
"""Of the pairs of the batch, the last ones, in the steps `WITH_MINIMAL_PAIRS`."""
WITH_MINIMAL_PAIRS = ("no terms", "sparse_shift")
PERIOD = 20
N_ROUNDS = 3


def main() -> None:
    """Print both figures."""
    compare(
        {
            "contrastive_step_time_ratio": ("contrastive", "stock"),
            "mixing_step_time_ratio": ("mixing", "stock"),
        }
    )


def compare(figures: Mapping[str, tuple[str, str]]) -> None:
    """Print figures: a step of the first name against one of the second, in turn."""
    names = dict.fromkeys(name for of_figure in figures.values() for name in of_figure)
    steps = {name: step_of(name, 16384) for name in names}
    for step in steps.values():
        step(False)  # the first one allocates
    rounds = [_round(number, steps) for number in range(1, N_ROUNDS + 1)]
    measuring = {name: _measuring(name, step) for name, step in steps.items() if name != "stock"}
    for figure, names_of_figure in figures.items():
        ratios: list[float] = []
        for times in rounds:
            ours, other = (
                ((PERIOD - 1) * times[name] + measuring.get(name, times[name])) / PERIOD
                for name in names_of_figure
            )
            ratios.append(ours / other)
        print(f"{figure}: {min(ratios):.3f} to {max(ratios):.3f}", file=sys.stderr)
        print(f"BENCH {figure} {median(ratios):.3f} ratio", flush=True)


def _measuring(name: str, step: Callable[[bool], None]) -> float:
    taken = seconds(lambda: step(True))
    print(f"{name}, measuring {taken:.2f} s", file=sys.stderr)
    return taken


def _round(number: int, steps: dict[str, Callable[[bool], None]]) -> dict[str, float]:
    """Return the seconds of a step of each kind."""
    times = {name: seconds(lambda step=step: step(False)) for name, step in steps.items()}
    shown = ", ".join(f"{name} {taken:.2f} s" for name, taken in times.items())
    print(f"round {number} of {N_ROUNDS}: {shown}", file=sys.stderr)
    return times


def step_of(name: str, d_sae: int) -> Callable[[bool], None]:
    """Make one step of SAELens's trainer (`stock`) or of ours."""
    import torch
    from sae_lens.config import SAETrainerConfig
    from sae_lens.training.sae_trainer import SAETrainer

    from csae_bench.config import (
        ContrastiveTopKSae,
        PairsSettings,
        RunConfig,
        TopKSae,
        WeightingSettings,
    )
    from csae_bench.pairs import PairStream
    from csae_bench.saes.building import training_sae
    from csae_bench.training.data import pair_sources
    from csae_bench.training.loop import ContrastiveSAETrainer
    from csae_bench.training.objective_schedule import ObjectiveScheduleSettings

    torch.manual_seed(0)
    settings: dict[str, Any] = {"d_sae": d_sae, "k": K}
    run_config = RunConfig.model_validate(
        {
            "activations": {
                "kind": "generator",
                "d_in": D_IN,
                "pairs_in_buffer": ROWS // 2,
                "batch_size_prompts": 1,  # or drawing rows would take more memory than a step
            },
            "training": {"batch_size": ROWS},
        }
    )
    pairs = PairsSettings()
    if name in WITH_MINIMAL_PAIRS:
        pairs = PairsSettings.model_validate(
            {
                "same_sequence": {"weight": 1 - SHARE_OF_MINIMAL},
                "minimal": {"weight": SHARE_OF_MINIMAL},
            }
        )
    # what a pair is made of does not matter to the time of a step
    sources = {kind: pair_sources(run_config, None)["same_sequence"] for kind in pairs.shares()}
    stream = PairStream(sources, pairs.shares(), batch_size=ROWS, pairs_in_buffer=ROWS // 2, seed=0)
    config = SAETrainerConfig(
        total_training_samples=1000 * ROWS, train_batch_size_samples=ROWS, lr_end=3e-5
    )
    batch = next(stream)
    if name == "stock":
        sae = training_sae(TopKSae.model_validate(settings), d_in=D_IN, device="cpu", metadata={})
        stock = SAETrainer(config, sae, stream)

        def stock_step(measuring: bool) -> None:
            stock.step(batch)

        return stock_step
    ours = ContrastiveSAETrainer(
        config,
        training_sae(
            ContrastiveTopKSae.model_validate({**settings, "losses": OBJECTIVES[name]}),
            d_in=D_IN,
            device="cpu",
            metadata={},
        ),
        stream,
        schedule=ObjectiveScheduleSettings(weighting=WeightingSettings(every=PERIOD), pairs=pairs),
    )

    def step(measuring: bool) -> None:
        ours.n_training_steps = PERIOD if measuring else PERIOD + 1
        ours.schedule.before_step(ours.n_training_steps)
        ours.step(batch)

    return step


if __name__ == "__main__":
    main()
