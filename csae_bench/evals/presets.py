"""Presets: settings of evals that go together under a name of `--preset`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

QUICK, PUBLISHED = "quick", "published"

PRESETS: Mapping[str, str] = {
    QUICK: "minutes on two CPU cores: subsets, each eval three times to show its own noise",
    PUBLISHED: "the settings of SAE-Bench's published results",
}
"""Name -> one line on it."""

EVAL_SEEDS: Mapping[str, int] = {QUICK: 3, PUBLISHED: 1}
"""How often a preset repeats each eval, unless `--eval-seeds` says otherwise."""


@dataclass(frozen=True, kw_only=True)
class Cost:
    """Wall time of an eval where SAE-Bench measured it.

    On `MEASURED_ON`, medians over the SAEs of `sae_bench_eval_timing_results.json` in SAE-Bench's
    repository (January 2025); of ravel the table of the paper (arXiv:2503.09532).
    """

    setup_minutes: float
    """Spent once for a model, on what no SAE takes part in."""
    minutes: float
    """Spent on each SAE."""


MEASURED_ON = "an RTX 3090, Gemma-2-2B, d_sae 16,384"
MEASURED_TFLOPS = 71.0
"""Peak of that card's dense matrix products in bfloat16, summed in float32 (NVIDIA)."""
MEASURED_PARAMETERS = 2.6e9
"""Of that model."""


@dataclass(frozen=True, kw_only=True)
class Preset:
    """Settings of one eval under a preset; they go over a configuration's and under `--set`."""

    settings: Mapping[str, Any] = field(default_factory=dict[str, Any])
    about: str
    """What was left out, or where the values stand; a sentence."""
    unverified: tuple[str, ...] = ()
    """Settings whose published value could not be seen; they have SAE-Bench's default."""
    cost: Cost | None = None
    """None: it was not measured."""
