"""What an SAE of 16,384 latents costs: SAE-Bench's core eval, and the factor evals.

Core runs as `csae-bench run` runs it, at fewer batches than SAE-Bench's: the time of a batch of
each of its two phases is scaled to SAE-Bench's own numbers of batches, and what else it does is
added once. The SAE is a TopK one with random weights and bfloat16 as core makes it, the model is
random, the text the tinyworld's: none of which changes the work.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Generator
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING, Any
from unittest import mock

from benchmarks.on_gpu.factor_evals import time_factor_evals
from benchmarks.on_gpu.measuring import (
    GIB,
    GpuReport,
    peak_memory,
    reset_peak_memory,
    seconds_of,
    synchronise,
)
from benchmarks.on_gpu.sizes import Size, model_info, random_model, size

if TYPE_CHECKING:
    from sae_lens import SAE
    from transformer_lens import HookedTransformer

PUBLISHED = {
    "source": "SAE-Bench's README, 'Computational Requirements'",
    "gpu": "RTX 3090",
    "of": "SAEs of 16K latents on Gemma-2-2B",
    "core_minutes": 9,
    "all_evals_minutes_a_sae": 115,
    "all_evals_set_up_minutes": 177,
}
"""Approximate, as published; of all evals, of which core is one."""

PHASES: tuple[str, str] = (
    "get_downstream_reconstruction_metrics",
    "get_sparsity_and_variance_metrics",
)
"""Core's two loops over batches, by the names of SAE-Bench's functions."""


def run(report: GpuReport) -> None:
    """Time both, each after a short run that is not timed."""
    of = size(report.is_small)
    report.detail("published", PUBLISHED)
    made: dict[str, Any] = {}
    report.part("model", lambda: made.update(model=random_model(of, report.device)))
    report.part("sae", lambda: made.update(sae=_sae(of, report.device)))
    if len(made) == 2:
        report.part("core", lambda: _core(report, of, made["model"], made["sae"]))
        report.part("factor codes", lambda: _codes(report, of, made["model"], made["sae"]))
        report.part(
            "factor evals", lambda: time_factor_evals(report, of, made["model"], made["sae"])
        )
        report.part("minutes of an SAE", lambda: _minutes(report))


def _minutes(report: GpuReport) -> None:
    """Add up core and factor evals, next to what SAE-Bench publishes."""
    core, _ = report.figures["gpu_core_seconds"]
    factors, _ = report.figures["gpu_factor_evals_seconds"]
    minutes = round((core + factors) / 60, 2)
    report.figure("gpu_minutes_a_sae", minutes, "min")
    report.detail("minutes", {"core_and_factor_evals": minutes, "published": PUBLISHED})


def _sae(of: Size, device: str) -> SAE[Any]:
    import torch
    from sae_lens import TopKSAE, TopKSAEConfig
    from sae_lens.saes.sae import SAEMetadata

    sae = TopKSAE(
        TopKSAEConfig(
            d_in=model_info(of).d_model,
            d_sae=of.widths["16k"],
            k=of.k,
            device=device,
            metadata=SAEMetadata(model_name=of.model, hook_name=of.hook_name, prepend_bos=True),
        )
    )
    generator = torch.Generator(device).manual_seed(0)
    with torch.no_grad():
        sae.W_enc.normal_(std=sae.cfg.d_in**-0.5, generator=generator)
        sae.W_dec.copy_(sae.W_enc.T)
    return sae


def _core(report: GpuReport, of: Size, model: HookedTransformer, sae: SAE[Any]) -> None:
    _run_core(of, model, sae, (1, 1))
    reset_peak_memory(report.device)
    with _phases_timed(report.device) as seconds:
        total = seconds_of(lambda: _run_core(of, model, sae, of.core_batches), report.device)
    peak = peak_memory(report.device)
    a_batch = {name: seconds[name] / n for name, n in zip(PHASES, of.core_batches, strict=True)}
    once = total - sum(seconds.values())
    in_full = once + sum(
        a_batch[name] * n for name, n in zip(PHASES, of.core_batches_in_full, strict=True)
    )
    report.figure("gpu_core_seconds", round(in_full, 1), "s")
    report.figure("gpu_core_peak_memory", peak, "GiB")
    forecast = _forecast(of)
    report.figure("gpu_core_memory_forecast", round(sum(forecast.values()) / peak, 3), "ratio")
    report.detail(
        "core",
        {
            "assumption": "time grows with the batches of each phase; the rest is the same",
            "batches_timed": of.core_batches,
            "batches_scaled_to": of.core_batches_in_full,
            "prompts_in_a_batch": of.core_prompts,
            "context_size": of.context_size,
            "seconds_a_batch": a_batch,
            "seconds_once": once,
            "seconds_timed": total,
            "forecast_gib": {name: round(part, 3) for name, part in forecast.items()},
        },
    )


def _forecast(of: Size) -> dict[str, float]:
    """GiB of an evaluation by part, without the libraries, which lie in the host's memory."""
    from csae_bench.hardware import memory

    parts = memory.estimate(
        of.config("16k", n_steps=1),
        model_info(of),
        eval_batch=of.core_prompts,
        eval_context=of.context_size,
    ).evaluation
    return {name: n_bytes / GIB for name, n_bytes in parts.items() if name != "libraries"}


def _run_core(
    of: Size, model: HookedTransformer, sae: SAE[Any], n_batches: tuple[int, int]
) -> None:
    from csae_bench.corpora import open_corpus
    from csae_bench.upstream.core import CoreSettings, run_core

    settings = CoreSettings(
        dataset_name="tinyworld",
        model_name=of.model,
        hook_name=of.hook_name,
        context_size=of.context_size,
        batch_size_prompts=of.core_prompts,
        n_eval_reconstruction_batches=n_batches[0],
        n_eval_sparsity_variance_batches=n_batches[1],
    )
    run_core(sae, model, open_corpus("tinyworld", split="core"), settings)


@contextmanager
def _phases_timed(device: str) -> Generator[dict[str, float]]:
    """Add up the seconds of SAE-Bench's two loops within."""
    from sae_bench.evals.core import main as core_main

    seconds: dict[str, float] = dict.fromkeys(PHASES, 0.0)

    def timed(name: str, work: Callable[..., Any]) -> Callable[..., Any]:
        def run(*arguments: Any, **options: Any) -> Any:
            synchronise(device)
            started = time.perf_counter()
            result = work(*arguments, **options)
            synchronise(device)
            seconds[name] += time.perf_counter() - started
            return result

        return run

    with ExitStack() as stack:
        for name in PHASES:
            work = timed(name, getattr(core_main, name))
            stack.enter_context(mock.patch.object(core_main, name, work))
        yield seconds


def _codes(report: GpuReport, of: Size, model: HookedTransformer, sae: SAE[Any]) -> None:
    from csae_bench.factors.encoding import codes_of_prompts
    from csae_bench.factors.opening import AUTO, chosen_factors, open_factors

    whole = open_factors(chosen_factors(AUTO, of.model))
    n = min(of.n_factor_prompts, whole.n)
    dataset = replace(
        whole,
        factors=whole.factors[:n],
        templates=whole.templates[:n],
        prompts=whole.prompts[:n],
        marks=None if whole.marks is None else whole.marks[:n],
        readouts={},  # which are of whole datasets, and are not asked here
    )

    def encode() -> Any:
        return codes_of_prompts(sae, model, dataset, of.hook_name)

    reset_peak_memory(report.device)
    first = seconds_of(encode, report.device)
    again = seconds_of(encode, report.device)
    report.figure("gpu_factor_codes_seconds", round(again, 2), "s")
    report.detail(
        "factor codes",
        {
            "factors": dataset.name,
            "n_prompts": dataset.n,
            "pooling": dataset.pooling,
            "seconds_at_first": first,
            "seconds": again,
            "peak_memory_gib": peak_memory(report.device),
        },
    )
