"""A training step whose forward pass `torch.compile` compiled, against the same as it is.

`training.compile_sae` of a `contrastive_topk` with `contrastive_step`'s terms, and SAELens's TopK:
d_in 256, d_sae 4096, 1024 rows, on the same batch, in turn, in one process; medians. Compiling goes
to stderr.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from statistics import median
from typing import Any

from benchmarks.contrastive_step import OBJECTIVE
from benchmarks.timing import seconds

FIGURES = ("compiled_step_speedup", "compiled_stock_step_speedup")
D_IN, D_SAE, ROWS, K = 256, 4096, 1024, 16
N_ROUNDS = 7


def main() -> None:
    """Print both figures."""
    for figure, losses in (
        ("compiled_step_speedup", OBJECTIVE),
        ("compiled_stock_step_speedup", None),
    ):
        plain, compiled = (_step(losses, is_compiled=each) for each in (False, True))
        plain()
        print(f"{figure}: compiling {seconds(compiled):.1f} s", file=sys.stderr)
        times = [(seconds(plain), seconds(compiled)) for _ in range(N_ROUNDS)]
        milliseconds = [1000 * median(of) for of in zip(*times, strict=True)]
        print(f"{figure}: {milliseconds[0]:.0f} and {milliseconds[1]:.0f} ms", file=sys.stderr)
        print(f"BENCH {figure} {milliseconds[0] / milliseconds[1]:.2f} ratio", flush=True)


def _step(losses: dict[str, Any] | None, *, is_compiled: bool) -> Callable[[], object]:
    """Make a step of our trainer, or of SAELens's where there are no terms."""
    import torch
    from sae_lens.training.sae_trainer import SAETrainer

    from csae_bench.config import RunConfig, TrainedSae
    from csae_bench.saes.building import training_sae
    from csae_bench.training.compiling import compile_steps
    from csae_bench.training.data import pair_stream
    from csae_bench.training.loop import ContrastiveSAETrainer
    from csae_bench.training.objective_schedule import ObjectiveScheduleSettings
    from csae_bench.training.settings import trainer_config

    torch.manual_seed(0)
    name = "topk" if losses is None else "contrastive_topk"
    sae = {"architecture": name, "d_sae": D_SAE, "k": K}
    config = RunConfig.model_validate(
        {
            "activations": {"kind": "generator", "d_in": D_IN, "pairs_in_buffer": ROWS},
            "sae": sae if losses is None else {**sae, "losses": losses},
            "training": {"batch_size": ROWS, "weighting": {"every": 1000}},
        }
    )
    assert isinstance(config.sae, TrainedSae)
    stream = pair_stream(config, None)
    made = training_sae(config.sae, d_in=D_IN, device="cpu", metadata={})
    if is_compiled:
        compile_steps(made)
    batch = next(stream)
    if losses is None:
        stock = SAETrainer(trainer_config(config, "cpu"), made, stream)
        return lambda: stock.step(batch)
    ours = ContrastiveSAETrainer(
        trainer_config(config, "cpu"),
        made,
        stream,
        schedule=ObjectiveScheduleSettings.of(config),
        progress=False,
    )
    ours.n_training_steps = 1  # the first one measures gradients
    ours.schedule.before_step(1)
    return lambda: ours.step(batch)


if __name__ == "__main__":
    main()
