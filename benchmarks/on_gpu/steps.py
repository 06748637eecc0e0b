"""A training step of the contrastive objective against SAELens's own step of its BatchTopK class.

On the same batch, in turn, in one process; medians. Ours is a `contrastive_batchtopk` with
`contrastive_step`'s objective; its step that measures gradients is timed by itself and counts once
in its period. Float32 and TF32 products, and bfloat16 autocast, which the recipe for Gemma-2-2B
has. The compiled step is compiled as SAELens's `compile_sae` does it, at TF32 products, where least
of the time goes into products that compiling cannot speed up.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import nullcontext
from functools import partial
from typing import Any

import torch
from torch._functorch import config as functorch_config

from benchmarks.contrastive_step import PERIOD
from benchmarks.on_gpu.card import matmul_precision
from benchmarks.on_gpu.measuring import (
    GpuReport,
    interleaved_medians,
    peak_memory,
    reset_peak_memory,
)
from benchmarks.on_gpu.sizes import ARCHITECTURE, STOCK, Size, make_sae, size

Step = Callable[[bool], Any]
"""A step, given whether it measures gradients."""


def run(report: GpuReport) -> None:
    """Time the steps at each width, compiled ones last: they may take long to compile."""
    of = size(report.is_small)
    for width in of.widths:
        for precision in ("fp32", "tf32", "autocast"):
            work = partial(_compare, report, of, width, precision)
            report.part(f"steps {width} {precision}", work)
    for width in of.widths:
        report.part(f"compiled steps {width}", partial(_compile, report, of, width))


def _compare(report: GpuReport, of: Size, width: str, precision: str) -> None:
    with nullcontext() if precision == "autocast" else matmul_precision(precision):
        steps = {
            name: _step(of, width, name, report.device, autocast=precision == "autocast")
            for name in (STOCK, ARCHITECTURE)
        }
        medians = _medians(steps, of, report.device)
    prefix = f"gpu_step_{width}" if precision == "fp32" else f"gpu_step_{width}_{precision}"
    report.detail(prefix, {name: round(1000 * s, 3) for name, s in medians.items()})
    ours = _mean_of_period(medians, ARCHITECTURE)
    report.figure(prefix, round(1000 * ours, 2), "ms")
    report.figure(f"{prefix}_ratio", round(ours / medians[STOCK], 3), "ratio")
    if precision == "fp32":
        peaks: dict[str, float] = {}
        for name, step in steps.items():
            reset_peak_memory(report.device)
            step(name != STOCK)
            peaks[name] = peak_memory(report.device)
        report.detail(f"{prefix}_peak_memory_gib_with_both_saes", peaks)


def _compile(report: GpuReport, of: Size, width: str) -> None:
    """Compile the forward pass of both; a step that was not compiled stands beside each."""
    # the step that measures gradients keeps the graph, which compiled code else does not allow
    functorch_config.donated_buffer = False
    for name in (STOCK, ARCHITECTURE):
        stance = torch.compiler.set_stance("default" if of.compiles else "force_eager")
        with matmul_precision("tf32"), stance:
            _compile_one(report, of, width, name)


def _compile_one(report: GpuReport, of: Size, width: str, name: str) -> None:
    torch.compiler.reset()
    plain = _step(of, width, name, report.device)
    compiled = _step(of, width, name, report.device, is_compiled=True)
    losses = [plain(False).loss.item()]
    started = time.perf_counter()
    losses.append(compiled(False).loss.item())
    first = time.perf_counter() - started
    works = {"plain": partial(plain, False), "compiled": partial(compiled, False)}
    medians = interleaved_medians(works, device=report.device, n_rounds=of.n_rounds)
    figure = "gpu_step" if name == ARCHITECTURE else "gpu_stock_step"
    speedup = medians["plain"] / medians["compiled"]
    report.figure(f"{figure}_{width}_compile_speedup", round(speedup, 3), "ratio")
    report.detail(
        f"compiled {name} {width}",
        {
            "milliseconds": {k: round(1000 * s, 3) for k, s in medians.items()},
            "seconds_of_first_step": round(first, 1),
            "first_losses_plain_and_compiled": losses,
        },
    )


def _medians(steps: dict[str, Step], of: Size, device: str) -> dict[str, float]:
    works = {name: partial(step, False) for name, step in steps.items()}
    works[f"{ARCHITECTURE}, measuring"] = partial(steps[ARCHITECTURE], True)
    return interleaved_medians(works, device=device, n_rounds=of.n_rounds)


def _mean_of_period(medians: dict[str, float], name: str) -> float:
    return ((PERIOD - 1) * medians[name] + medians[f"{name}, measuring"]) / PERIOD


def _step(
    of: Size,
    width: str,
    architecture: str,
    device: str,
    *,
    autocast: bool = False,
    is_compiled: bool = False,
) -> Step:
    """Make one step of SAELens's trainer or of ours, on one batch of generated activations."""
    from sae_lens.training.sae_trainer import SAETrainer

    from csae_bench.config import RunConfig
    from csae_bench.training.data import pair_stream
    from csae_bench.training.loop import ContrastiveSAETrainer
    from csae_bench.training.objective_schedule import ObjectiveScheduleSettings
    from csae_bench.training.settings import trainer_config

    config = RunConfig.model_validate(
        {
            "activations": {
                "kind": "generator",
                "d_in": of.d_in,
                "n_features": 2 * of.d_in,
                "pairs_in_buffer": of.batch_size // 2,
                "context_size": of.context_size,
                "batch_size_prompts": of.batch_size_prompts,
            },
            "sae": of.sae(width, architecture),
            "training": {
                "batch_size": of.batch_size,
                "n_tokens": 1000 * of.batch_size,
                "autocast": autocast,
                "weighting": {"every": PERIOD},
            },
        }
    )
    stream = pair_stream(config, None, device=device)
    batch = next(stream)
    sae = make_sae(config, of.d_in, device)
    if is_compiled:
        sae.training_forward_pass = torch.compile(sae.training_forward_pass)
    if architecture == STOCK:
        stock = SAETrainer(trainer_config(config, device), sae, stream)
        return lambda measuring: stock.step(batch)
    ours = ContrastiveSAETrainer(
        trainer_config(config, device),
        sae,
        stream,
        schedule=ObjectiveScheduleSettings.of(config),
        gradient_clip_norm=config.training.gradient_clip_norm,
    )

    def step(measuring: bool) -> Any:
        ours.n_training_steps = PERIOD if measuring else PERIOD + 1
        ours.schedule.before_step(ours.n_training_steps)
        return ours.step(batch)

    return step
