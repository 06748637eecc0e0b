"""What the evals of a preset cost, from what SAE-Bench measured of them."""

from __future__ import annotations

from csae_bench.evals import get_eval
from csae_bench.evals.presets import (
    MEASURED_ON,
    MEASURED_PARAMETERS,
    MEASURED_TFLOPS,
    Cost,
    Preset,
)
from csae_bench.hardware.gpus import GPUS
from csae_bench.hardware.products import tflops
from csae_bench.preflight.check import Findings
from csae_bench.runs.resolving import ResolvedSae
from csae_bench.support.progress import duration

CARD = next(gpu for gpu in GPUS if gpu.name == "H100")
"""The card of 80 GB that `doctor` names."""


def costs(sae: ResolvedSae, preset: str | None) -> Findings:
    """Yield what each eval of the preset costs: where it was measured, on a card of 80 GB, here.

    Times are scaled by the model's parameters and by the rate of matrix products, that of this
    machine measured now. Whatever does not grow with these is over- or underestimated.
    """
    if preset is None or sae.model is None:
        return
    known = {
        name: own
        for name in sae.config.evals
        if (own := get_eval(name).presets.get(preset)) is not None
    }
    measured = {name: own.cost for name, own in known.items() if own.cost is not None}
    for name, own in known.items():
        yield "ok", f"{name}: {_about(own)}"
    if not measured:
        return
    size = sae.model.n_parameters / MEASURED_PARAMETERS
    here = tflops(sae.config.device, sae.config.model_dtype)
    rates = {CARD.name: CARD.bfloat16_tflops, "this machine": here}
    total = Cost(
        setup_minutes=sum(cost.setup_minutes for cost in measured.values()),
        minutes=sum(cost.minutes for cost in measured.values()),
    )
    for name, cost in [*measured.items(), ("all of these", total)]:
        scaled = (
            f"{_shown(cost, size * MEASURED_TFLOPS / rate)} on {place}"
            for place, rate in rates.items()
        )
        yield "ok", f"{name}: {_shown(cost, 1)} on {MEASURED_ON}; about {', '.join(scaled)}"
    yield (
        "ok",
        f"scaled by parameters ({size:.2g} of Gemma-2-2B's) and by matrix products: "
        f"{MEASURED_TFLOPS:g}, {CARD.bfloat16_tflops:g} and, measured here, {here:.2g} TFLOP/s",
    )


def _about(own: Preset) -> str:
    unverified = ", ".join(own.unverified)
    return own.about + (f" Unverified: {unverified}." if unverified else "")


def _shown(cost: Cost, factor: float) -> str:
    each = duration(60 * cost.minutes * factor)
    if not cost.setup_minutes:
        return f"{each} an SAE"
    return f"{duration(60 * cost.setup_minutes * factor)} once and {each} an SAE"
