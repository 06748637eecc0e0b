"""A training step of the contrastive objective against SAELens's own step of its TopK class.

d_in 2304, d_sae 16384, 4096 rows: steps of SAELens's SAETrainer on a stock TopK SAE and of ours on
a `contrastive_topk`, on the same batch, in turn, in one process; medians. Ours is `OBJECTIVE`, and
`OBJECTIVE` with mixing in every step. The step that measures gradients for the ratio control is
timed by itself and counts once in its period. Drawing batches is part of neither.

Peak memories are those of processes of their own, libraries and batch included: of three steps of
either, and of three steps with d_sae 65536.
"""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable
from statistics import median
from typing import Any

os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")  # read when torch is imported

FIGURES = (
    "contrastive_step_time_ratio",
    "mixing_step_time_ratio",
    "contrastive_peak_memory_ratio",
    "contrastive_65k_peak_memory",
)
D_IN, ROWS, K = 2304, 4096, 40
OBJECTIVE: dict[str, dict[str, Any]] = {
    "rows": {"weight": 0.1, "latent_fraction": 0.2},
    "columns": {"weight": 0.1, "n_latents": 2048},
}
MIXING = {**OBJECTIVE, "mixing": {"weight": 0.1}}
PERIOD = 20
N_ROUNDS = 3


def main() -> None:
    """Print the four figures."""
    times = _times()
    for name, seconds in times.items():
        print(f"{name}: {seconds:.2f} s a step", file=sys.stderr)
    for figure, ours in (
        ("contrastive_step_time_ratio", "contrastive"),
        ("mixing_step_time_ratio", "mixing"),
    ):
        each = ((PERIOD - 1) * times[ours] + times[f"{ours}, measuring"]) / PERIOD
        print(f"BENCH {figure} {each / times['stock']:.3f} ratio", flush=True)
    stock, ours, wide = (
        _peak_gib(*arguments)
        for arguments in (("stock", 16384), ("contrastive", 16384), ("contrastive", 65536))
    )
    print(f"peak memory: stock {stock:.2f} GiB, contrastive {ours:.2f} GiB", file=sys.stderr)
    print(f"BENCH contrastive_peak_memory_ratio {ours / stock:.3f} ratio")
    print(f"BENCH contrastive_65k_peak_memory {wide:.2f} GiB")


def _times() -> dict[str, float]:
    steps = {name: _step(name, 16384) for name in ("stock", "contrastive", "mixing")}
    seconds: dict[str, list[float]] = {}
    for number in range(N_ROUNDS + 1):
        for name, step in steps.items():
            for measuring in (False,) if name == "stock" else (False, True):
                started = time.perf_counter()
                step(measuring)
                taken = time.perf_counter() - started
                if number:  # the first round allocates and measures for the first time
                    label = f"{name}, measuring" if measuring else name
                    seconds.setdefault(label, []).append(taken)
        print(f"round {number} of {N_ROUNDS}", file=sys.stderr)
    return {name: median(values) for name, values in seconds.items()}


def _step(name: str, d_sae: int) -> Callable[[bool], None]:
    """Make one step of SAELens's trainer (`stock`) or of ours."""
    import torch
    from sae_lens.config import SAETrainerConfig
    from sae_lens.training.sae_trainer import SAETrainer

    from csae_bench.config import ContrastiveTopKSae, RunConfig, TopKSae, WeightingSettings
    from csae_bench.saes.building import training_sae
    from csae_bench.training.data import pair_stream
    from csae_bench.training.loop import ContrastiveSAETrainer
    from csae_bench.training.objective_schedule import ObjectiveScheduleSettings

    torch.manual_seed(0)
    settings: dict[str, Any] = {"d_sae": d_sae, "k": K}
    stream = pair_stream(
        RunConfig.model_validate(
            {
                "activations": {
                    "kind": "generator",
                    "d_in": D_IN,
                    "pairs_in_buffer": ROWS // 2,
                    "batch_size_prompts": 1,  # or drawing rows would take more memory than a step
                },
                "training": {"batch_size": ROWS},
            }
        ),
        None,
    )
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
    losses = OBJECTIVE if name == "contrastive" else MIXING
    ours = ContrastiveSAETrainer(
        config,
        training_sae(
            ContrastiveTopKSae.model_validate({**settings, "losses": losses}),
            d_in=D_IN,
            device="cpu",
            metadata={},
        ),
        stream,
        schedule=ObjectiveScheduleSettings(weighting=WeightingSettings(every=PERIOD)),
    )

    def step(measuring: bool) -> None:
        ours.n_training_steps = PERIOD if measuring else PERIOD + 1
        ours.schedule.before_step(ours.n_training_steps)
        ours.step(batch)

    return step


def _peak_gib(name: str, d_sae: int) -> float:
    code = f"from benchmarks.contrastive_step import three_steps; three_steps({name!r}, {d_sae})"
    done = subprocess.run(
        [sys.executable, "-c", code], stdout=subprocess.PIPE, text=True, check=True
    )
    return float(done.stdout.split()[-1])


def three_steps(name: str, d_sae: int) -> None:
    """Make three steps, one of them measuring, and print the peak memory of this process."""
    from csae_bench.hardware.peak_memory import peak_memory_gib

    step = _step(name, d_sae)
    for measuring in (True, False, True):
        step(measuring)
    print(peak_memory_gib("cpu"))


if __name__ == "__main__":
    main()
