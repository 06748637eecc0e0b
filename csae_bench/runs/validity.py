"""Judges whether an SAE is alive, before it is scored."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

from csae_bench import models
from csae_bench.config import RunConfig, kind_of
from csae_bench.results.keys import digest
from csae_bench.results.schema import Cell, Failure, RunRecord
from csae_bench.results.validity import VitalSigns, is_worse_than_ablation, reasons_invalid
from csae_bench.runs.job import SaeRef
from csae_bench.runs.resolving import ResolvedSae
from csae_bench.runs.session import Session
from csae_bench.support import progress
from csae_bench.upstream import versions

if TYPE_CHECKING:
    from transformer_lens import HookedTransformer


def validity(
    resolved_sae: ResolvedSae,
    sae: SaeRef,
    session: Session,
    earlier: RunRecord | None,
    *,
    force: bool,
) -> Cell:
    """Return the cell of the SAE's vital signs, `ok` or `invalid`.

    Args:
        earlier: record of an earlier run, whose cell holds while nothing has changed.
    """
    config = resolved_sae.config
    key = digest(
        {
            "weights": sae.weights_hash,
            "model": models.weights_fingerprint(config.model) if resolved_sae.model else None,
            "activations": config.activations.model_dump(mode="json"),
            "versions": versions(),
        }
    )
    known = earlier.cells.get("validity") if earlier else None
    if known is not None and known.key == key and not force:
        return known
    model = session.model(config.model, config.model_dtype) if resolved_sae.model else None
    return judged(sae, config, model, session, key=key)


def judged(
    sae: SaeRef,
    config: RunConfig,
    model: HookedTransformer | None,
    session: Session,
    *,
    key: str | None,
) -> Cell:
    """Return the cell of an SAE's vital signs, measured now.

    Args:
        config: says on which text or activations.
    """
    from csae_bench.runs.vital_signs import vital_signs
    from csae_bench.support.float32_products import float32_products

    progress.begin("checking that the SAE is alive")
    started = time.perf_counter()
    with float32_products(session.device, config.model_dtype):
        signs = vital_signs(
            session.sae(sae),
            config=config,
            model=model,
            hook_name=sae.hook_name,
            shared=session.shared,
        )
    is_control = kind_of(config.sae.architecture) == "control"
    return validity_cell(signs, key, is_control, time.perf_counter() - started)


def validity_cell(signs: VitalSigns, key: str | None, is_control: bool, seconds: float) -> Cell:
    """Return the cell of vital signs; a control may be worse than ablation."""
    reasons = reasons_invalid(signs, is_control=is_control)
    warnings = (
        ("cross-entropy is worse than with the activation ablated, as a control's may be",)
        if is_control and is_worse_than_ablation(signs)
        else ()
    )
    return Cell(
        status="invalid" if reasons else "ok",
        reasons=tuple(Failure(kind="invalid", message=reason) for reason in reasons),
        warnings=warnings,
        key=key,
        wall_seconds=round(seconds, 3),
        summary={name: value for name, value in vars(signs).items() if _is_number(value)},
    )


def _is_number(value: Any) -> bool:
    return isinstance(value, float) and value == value and abs(value) != float("inf")
