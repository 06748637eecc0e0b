"""Points of a training step at which the CPU waits for the device.

`torch.cuda.set_sync_debug_mode` warns of each; they are counted by the line of csae-bench or
SAELens that causes them, for batches and steps apart, and for SAELens's own step. The bundled model
is trained on: which lines wait does not depend on its size. Without a GPU none is counted.
"""

from __future__ import annotations

import traceback
import warnings
from collections import Counter
from collections.abc import Generator
from contextlib import contextmanager
from functools import partial
from typing import Any

from benchmarks.on_gpu.measuring import GpuReport
from benchmarks.on_gpu.sizes import ARCHITECTURE, SMALL, STOCK, Size, make_sae

N_WARM_UP, N_COUNTED = 3, 8
PACKAGES = ("csae_bench", "sae_lens", "transformer_lens")


def run(report: GpuReport) -> None:
    """Count the points of our step and of SAELens's."""
    of = SMALL
    report.part("our step", partial(_count, report, of, ARCHITECTURE))
    report.part("stock step", partial(_count, report, of, STOCK))


def _count(report: GpuReport, of: Size, architecture: str) -> None:
    from sae_lens.training.sae_trainer import SAETrainer

    from csae_bench import models
    from csae_bench.config import RunConfig
    from csae_bench.training.data import pair_stream
    from csae_bench.training.loop import ContrastiveSAETrainer
    from csae_bench.training.objective_schedule import ObjectiveScheduleSettings
    from csae_bench.training.settings import trainer_config

    settings = of.config("16k", n_steps=100).model_dump()
    config = RunConfig.model_validate({**settings, "sae": of.sae("16k", architecture)})
    device = report.device
    stream = pair_stream(config, models.load(of.model, device=device), device=device)
    sae = make_sae(config, stream.d_in, device)
    trainer: SAETrainer[Any, Any]
    if architecture == STOCK:
        trainer = SAETrainer(trainer_config(config, device), sae, stream)
    else:
        schedule = ObjectiveScheduleSettings.of(config)
        trainer = ContrastiveSAETrainer(
            trainer_config(config, device), sae, stream, schedule=schedule
        )
    drawing: Counter[str] = Counter()
    stepping: Counter[str] = Counter()
    for number in range(N_WARM_UP + N_COUNTED):
        is_counted = number >= N_WARM_UP
        if isinstance(trainer, ContrastiveSAETrainer):
            trainer.schedule.before_step(trainer.n_training_steps)
        with _waits_counted(drawing if is_counted else Counter(), device):
            batch = next(stream)
        with _waits_counted(stepping if is_counted else Counter(), device):
            trainer.step(batch)
        trainer.n_training_steps += 1
    figure = "gpu_waits" if architecture == ARCHITECTURE else "gpu_stock_waits"
    report.figure(f"{figure}_a_step", round(stepping.total() / N_COUNTED, 2), "waits")
    report.figure(f"{figure}_a_batch", round(drawing.total() / N_COUNTED, 2), "waits")
    report.detail(
        f"waits of {architecture}",
        {
            "counted_in_steps": N_COUNTED,
            "step": dict(stepping.most_common()),
            "batch": dict(drawing.most_common()),
        },
    )


@contextmanager
def _waits_counted(waits: Counter[str], device: str) -> Generator[None]:
    """Count, by the lines that cause them, the waits for the device within."""
    if not device.startswith("cuda"):
        yield
        return
    import torch

    def see(message: Warning | str, *rest: Any) -> None:
        del rest
        if "called a synchronizing" in str(message):
            waits[_cause()] += 1

    with warnings.catch_warnings():
        warnings.simplefilter("always")
        warnings.showwarning = see
        torch.cuda.set_sync_debug_mode("warn")
        try:
            yield
        finally:
            torch.cuda.set_sync_debug_mode("default")


def _cause() -> str:
    """Return the innermost lines of each of PACKAGES on the stack, innermost first."""
    lines: dict[str, str] = {}
    for frame in reversed(traceback.extract_stack()):
        for package in PACKAGES:
            _, separator, rest = frame.filename.rpartition(f"/{package}/")
            if separator and package not in lines:
                lines[package] = f"{package}/{rest}:{frame.lineno} {frame.name}: {frame.line}"
    return " < ".join(lines.values()) or "elsewhere"
