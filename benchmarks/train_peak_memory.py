"""Peak memory of training at the original experiment's true size, on generated activations.

d_in 2304, d_sae 2304 and 16384, batch 2048, 20 steps: losses must be finite and fall. The figure
is the peak resident memory of this process, libraries included, after both.
"""

from __future__ import annotations

import json
import os
import sys
import tempfile
import time
from pathlib import Path

from csae_bench.config import ResolvedConfig, RunConfig
from csae_bench.hardware.peak_memory import peak_memory_gib

FIGURES = ("train_peak_memory_16k",)
N_STEPS = 20
BATCH = 2048


def main() -> None:
    """Print `BENCH train_peak_memory_16k <GiB> GiB`."""
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")  # read when torch is imported
    for d_sae in (2304, 16384):
        _train(d_sae)
    print(f"BENCH train_peak_memory_16k {peak_memory_gib('cpu'):.2f} GiB")


def _train(d_sae: int) -> None:
    from csae_bench.training.train import train

    config = RunConfig.model_validate(
        {
            "activations": {"kind": "generator", "d_in": 2304},
            "sae": {
                "architecture": "contrastive_topk",
                "d_sae": d_sae,
                "k": 40,
                "losses": {"rows": {"weight": 0.1}},
            },
            "training": {
                "n_tokens": N_STEPS * BATCH,
                "batch_size": BATCH,
                "log_every": 5,
                "checkpoint_every": N_STEPS,
            },
        }
    )
    resolved = ResolvedConfig(name="bench", path=Path("bench.yaml"), config=config, origins={})
    started = time.perf_counter()
    with tempfile.TemporaryDirectory() as folder:
        outcome = train(resolved, None, Path(folder), progress=False)
        lines = (Path(folder) / "training_log.jsonl").read_text().splitlines()
    losses: list[float | None] = [json.loads(line)["loss"] for line in lines]
    print(
        f"d_sae {d_sae}: losses {losses}, peak {outcome.peak_memory_gib} GiB, "
        f"{time.perf_counter() - started:.0f} s",
        file=sys.stderr,
    )
    first, last = losses[0], losses[-1]
    if outcome.executed_steps != N_STEPS or None in losses:
        raise SystemExit(f"d_sae {d_sae}: not {N_STEPS} steps with finite losses: {losses}")
    if first is None or last is None or last >= first:
        raise SystemExit(f"d_sae {d_sae}: the loss did not fall: {losses}")


if __name__ == "__main__":
    main()
