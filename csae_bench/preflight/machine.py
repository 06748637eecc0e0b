"""Checks of the machine: its device and memory, common GPUs, the folder of the results."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

from csae_bench.errors import UsageError, reason_of
from csae_bench.hardware import disk
from csae_bench.hardware import memory as needs
from csae_bench.hardware.devices import pick_device
from csae_bench.hardware.gpus import GpuEstimate, gpu_estimates
from csae_bench.preflight.check import Findings
from csae_bench.preflight.evals import eval_shapes
from csae_bench.results.store import Store
from csae_bench.runs.resolving import ResolvedSae
from csae_bench.support.regular_files import impossible_path
from csae_bench.support.sizes import shown_bytes

_ELSEWHERE = "Name another folder with --results."


def device(sae: ResolvedSae, *, asked: str | None) -> Findings:
    wanted = sae.config.device
    try:
        yield "ok", pick_device(wanted)
    except UsageError as error:
        if asked is not None:
            yield "problem", f"--device {asked}: {error}"
        else:
            yield "unknown", f"{error} Not checkable here."


def memory(sae: ResolvedSae) -> Findings:
    try:
        device = pick_device(sae.config.device)
    except UsageError:
        device = None
    needed, shape = _needed(sae, device or sae.config.device)
    phase, parts = needed.largest
    detail = ", ".join(
        f"{name} {size / needs.GIB:.2g}" for name, size in parts.items() if size > 0.05 * needs.GIB
    )
    summary = f"about {needed.peak / needs.GIB:.1f} GiB needed ({_WHILE[phase]}: {detail})"
    if device is None:
        yield "unknown", f"{summary}; {sae.config.device} is not here to compare with"
        return
    available = needs.available_bytes(device)
    if available is None:
        yield "unknown", f"{summary}; free memory of {device} is not known"
    elif needed.peak <= available:
        yield "ok", f"{summary}, {available / needs.GIB:.1f} GiB free"
    else:
        advice = _memory_advice(sae, needed, available, shape)
        yield "problem", f"memory: {summary}, {available / needs.GIB:.1f} GiB free. {advice}"


_WHILE = {
    "loading": "while the model is loaded",
    "training": "in training",
    "checking": "when it is checked that the SAE is alive",
    "evaluation": "in an eval",
}


def gpus(sae: ResolvedSae) -> Findings:
    """Yield, for a configuration made for CUDA, which GPUs it fits, and how long training takes."""
    for estimate in estimates(sae):
        yield "ok" if estimate.fits else "unknown", str(estimate)


def needed_bytes(sae: ResolvedSae, device: str) -> float:
    """Return the peak memory of the run on a device, in bytes."""
    return _needed(sae, device)[0].peak


def estimates(sae: ResolvedSae) -> list[GpuEstimate]:
    """Return estimates for common GPUs; empty if it names another device, or trains nothing."""
    config = sae.config
    if not config.device.startswith("cuda") or not config.is_trained:
        return []
    return gpu_estimates(config, sae.model, _needed(sae, config.device)[0].peak)


def _needed(sae: ResolvedSae, device: str) -> tuple[needs.MemoryEstimate, needs.EvalShape]:
    """Return the memory of the run, with the size of the eval that needs most."""
    config = sae.config.model_copy(update={"device": device})
    estimates = [
        (
            needs.estimate(
                config,
                sae.model,
                eval_batch=shape.batch,
                eval_context=shape.context,
                eval_logits=shape.n_logits,
                more_weights=shape.more_weights,
            ),
            shape,
        )
        for shape in eval_shapes(sae)
    ]
    return max(estimates, key=lambda entry: sum(entry[0].evaluation.values()))


def _memory_advice(
    sae: ResolvedSae,
    needed: needs.MemoryEstimate,
    available: float,
    shape: needs.EvalShape,
) -> str:
    def is_too_much(parts: dict[str, float]) -> bool:
        return sum(parts.values()) > available

    advice: list[str] = []
    if is_too_much(needed.loading):
        half = " Set model_dtype=bfloat16." if sae.config.model_dtype == "float32" else ""
        advice.append(f"The language model does not fit: take a smaller one.{half}")
    elif sae.model is not None and is_too_much(needed.evaluation):
        batch = needs.largest_batch(
            sae.config,
            sae.model,
            available=available,
            eval_context=shape.context,
            more_weights=shape.more_weights,
        )
        if batch == 0:
            advice.append("Not even one prompt fits: take a smaller model or SAE.")
        else:
            advice.append(f"Set evals.core.batch_size_prompts={batch}.")
    if is_too_much(needed.checking) and not is_too_much(needed.loading):
        advice.append("Lower activations.context_size.")
    if is_too_much(needed.training):
        advice.append(
            "Lower training.batch_size, activations.pairs_in_buffer or "
            "activations.batch_size_prompts."
        )
    return " ".join(advice)


def results(sae: ResolvedSae, folder: Path) -> Findings:
    """Yield whether the results folder is writable, and whether the output fits on its disk."""
    try:
        place = _nearest_existing(folder)
        problem = _why_not_written(sae, folder, place)
    except (OSError, ValueError) as error:  # ValueError: a NUL in the name
        yield "problem", f"--results {_end(folder)}: {reason_of(error)}. {_ELSEWHERE}"
        return
    if problem is not None:
        yield "problem", f"--results {_end(folder)}: {problem}"
        return
    needed, free = disk.needed_bytes(sae), disk.free_bytes(place)
    advice = f"Free some. {_ELSEWHERE}"
    if (cached := _cached_on_the_same_disk(sae, folder, place)) > 0:
        needed["cached activations"] = cached
        advice = f"Free some, or lower activations.cache_gib. {_ELSEWHERE}"
    total = sum(needed.values())
    detail = ", ".join(
        f"{part} {shown_bytes(size)}" for part, size in needed.items() if size > 0.05 * disk.MIB
    )
    summary = f"about {shown_bytes(total)} needed ({detail}), {shown_bytes(free)} free on the disk"
    if total <= free:
        yield "ok", f"{folder}: {summary}"
    else:
        yield "problem", f"--results {folder}: {summary} of {place}. {advice}"


def _cached_on_the_same_disk(sae: ResolvedSae, folder: Path, place: Path) -> float:
    cache = Store(folder.absolute()).activation_cache
    try:
        is_same = _nearest_existing(cache).stat().st_dev == place.stat().st_dev
        return disk.cache_bytes(sae, cache) if is_same else 0.0
    except OSError:  # other processes may remove what is looked at
        return 0.0


def _nearest_existing(folder: Path) -> Path:
    place = folder.absolute()
    while not os.path.lexists(place):
        place = place.parent
    return place


def _why_not_written(sae: ResolvedSae, folder: Path, place: Path) -> str | None:
    longest = Store(folder.absolute()).eval_result("core", sae.release, sae.sae_id)
    # a second result of one SAE has 9 characters more, an unfinished file 34
    too_long = impossible_path(str(longest.with_name("." * 43 + longest.name)))
    if too_long is not None:
        return (
            f"a result's path {too_long}. Give the configuration a shorter name, or name a folder "
            "with a shorter path with --results."
        )
    if not place.is_dir():
        return f"{place} is {'a file' if place.exists() else 'a link to nothing'}. {_ELSEWHERE}"
    try:
        # not os.access, which tells root that /sys can be written
        os.rmdir(tempfile.mkdtemp(prefix=".csae-bench-", dir=place))
    except OSError as error:
        return f"{place} cannot be written to: {reason_of(error)}. {_ELSEWHERE}"
    return None


def _end(folder: Path) -> str:
    text = str(folder)
    return text if len(text) <= 200 else f"...{text[-200:]}"
