"""Checks of the machine: its device and memory, common cards, the folder of the results."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

from csae_bench import memory as needs
from csae_bench.cards import OnCard, on_cards
from csae_bench.devices import pick_device
from csae_bench.errors import UsageError
from csae_bench.preflight.check import Findings
from csae_bench.preflight.evals import largest_prompts
from csae_bench.subjects import Subject


def device(subject: Subject, *, asked: str | None) -> Findings:
    wanted = subject.config.device
    try:
        yield "ok", pick_device(wanted)
    except UsageError as error:
        if asked is not None:
            yield "problem", f"--device {asked}: {error}"
        else:
            yield "unknown", f"{error} Not checkable here."


def memory(subject: Subject) -> Findings:
    needed, context = _needed(subject)
    parts = needed.training if sum(needed.training.values()) == needed.peak else needed.evaluation
    detail = ", ".join(
        f"{name} {size / needs.GIB:.2g}" for name, size in parts.items() if size > 0.05 * needs.GIB
    )
    summary = f"about {needed.peak / needs.GIB:.1f} GiB needed ({detail})"
    try:
        device = pick_device(subject.config.device)
    except UsageError:
        yield "unknown", f"{summary}; {subject.config.device} is not here to compare with"
        return
    available = needs.available_bytes(device)
    if available is None:
        yield "unknown", f"{summary}; free memory of {device} is not known"
    elif needed.peak <= available:
        yield "ok", f"{summary}, {available / needs.GIB:.1f} GiB free"
    else:
        advice = _memory_advice(subject, needed, available, context)
        yield "problem", f"memory: {summary}, {available / needs.GIB:.1f} GiB free. {advice}"


def cards(subject: Subject) -> Findings:
    """For a configuration made for CUDA: which cards it fits, and how long its training takes."""
    for found in estimates(subject):
        yield "ok" if found.fits else "unknown", str(found)


def estimates(subject: Subject) -> list[OnCard]:
    """The same as data; empty for a configuration that names another device, or trains nothing."""
    config = subject.config
    if not config.device.startswith("cuda") or not config.is_trained:
        return []
    return on_cards(config, subject.model, _needed(subject)[0].peak)


def _needed(subject: Subject) -> tuple[needs.Estimate, int]:
    """Memory of the run, with the tokens of a prompt of the eval that needs most."""
    batch, context = largest_prompts(subject)
    needed = needs.estimate(subject.config, subject.model, eval_batch=batch, eval_context=context)
    return needed, context


def _memory_advice(subject: Subject, needed: needs.Estimate, available: float, context: int) -> str:
    advice: list[str] = []
    if subject.model is not None and sum(needed.evaluation.values()) > available:
        batch = needs.largest_batch(
            subject.config, subject.model, available=available, eval_context=context
        )
        if batch == 0:
            advice.append("Not even one prompt fits: take a smaller model or SAE.")
        else:
            advice.append(f"Set evals.core.batch_size_prompts={batch}.")
    if sum(needed.training.values()) > available:
        advice.append(
            "Lower training.batch_size, activations.pairs_in_buffer or "
            "activations.batch_size_prompts."
        )
    return " ".join(advice)


def results(folder: Path) -> Findings:
    place = folder.absolute()
    while not place.exists():
        place = place.parent
    if not place.is_dir() or not os.access(place, os.W_OK):
        yield "problem", f"--results {folder}: {place} cannot be written to."
        return
    free = shutil.disk_usage(place).free
    yield "ok", f"{folder}, {free / needs.GIB:.0f} GiB free on the disk"
