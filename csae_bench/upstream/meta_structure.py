"""SAE-Bench's meta-structure eval on any decoder, seeded, without effect on the SAE or the process.

SAE-Bench seeds it under `__main__` alone, so that a call draws wherever the global generators
happen to be; it converts the caller's SAE in place, and reads `cfg.to_dict()`, which not every SAE
has. Its value depends on the rows' norms, and is 0, the best one, where all rows are equal.
"""

from __future__ import annotations

import contextlib
import io
import math
from collections.abc import Generator, Mapping
from dataclasses import asdict, dataclass
from typing import Any, cast

import torch
from jaxtyping import Float
from sae_bench.evals.meta_structure import main as meta_structure_main
from sae_bench.evals.meta_structure.eval_config import MetaStructureEvalConfig
from torch import Tensor, nn

from csae_bench.activations.shared import SharedPasses
from csae_bench.errors import EvalError, SaeError
from csae_bench.saes import attributes
from csae_bench.saes.attributes import AnySae
from csae_bench.upstream.isolation import isolated
from csae_bench.upstream.unlearning_isolation import seeded

NAME = "meta_structure_decoder_variance"
_SHARE = "decoder_fraction_variance_explained"
_RANDOM, _ABOVE = "random_directions", "above_random"

_UNIT_NORM = 1e-5
"""Deviation of a norm from 1 that SAE-Bench takes for rounding in float32."""

NO_CONTROL = f"evals.{NAME}.n_control is 0"


@dataclass(frozen=True, kw_only=True)
class MetaStructureOutcome:
    """SAE-Bench's values, untouched, and the corrected ones."""

    metrics: dict[str, dict[str, float]]
    eval_config: dict[str, Any]
    """SAE-Bench's MetaStructureEvalConfig."""
    corrected: dict[str, float | None]
    reasons: dict[str, str]
    """Corrected value -> why it is null."""
    data: dict[str, Any]
    """Counts and norms of the decoder's rows."""
    warnings: list[str]


def run_meta_structure(
    sae: AnySae,
    settings: Mapping[str, Any],
    *,
    device: str,
    n_control: int,
    shared: SharedPasses | None = None,
    progress: bool = False,
) -> MetaStructureOutcome:
    """Train SAE-Bench's meta-SAE on the decoder's rows, which are not changed.

    Args:
        settings: fields of SAE-Bench's MetaStructureEvalConfig.
        n_control: draws of random directions that are measured alike.
        shared: holds what random directions give, for other SAEs of this width.

    Raises:
        SaeError: the SAE has no decoder, or one with a value that is not finite.
        EvalError: the meta-SAE's training diverged.
    """
    config = MetaStructureEvalConfig(**settings)
    decoder = _decoder(sae)
    directions = _directions(decoder)
    kept = SharedPasses(max_bytes=0) if shared is None else shared
    with _alone(progress=progress) as warnings:
        measured = _measured(decoder, config, device)
        reason = _why_undefined(directions)
        if reason is not None:
            value = None
        elif directions is decoder:
            value = measured[_SHARE]
        else:
            value = _measured(directions, config, device)[_SHARE]
        of_random = None
        if value is not None and n_control:
            draws = (_of_random(directions, config, device, i, kept) for i in range(n_control))
            of_random = sum(draws) / n_control
    corrected = {
        _SHARE: value,
        _RANDOM: of_random,
        _ABOVE: None if value is None or of_random is None else value - of_random,
    }
    why = reason or NO_CONTROL
    return MetaStructureOutcome(
        metrics={"meta_structure": measured},
        eval_config=asdict(config),
        corrected=corrected,
        reasons={name: why for name, of in corrected.items() if of is None},
        data={**_rows(decoder), "meta_width": _meta_width(len(decoder), config)},
        warnings=[*warnings, *_warnings(decoder, directions, reason)],
    )


def _decoder(sae: AnySae) -> Float[Tensor, "d_sae d_in"]:
    decoder = attributes.matrix(sae, "W_dec", needed_by=f"SAE-Bench's {NAME}").detach()
    n_wrong = int((~decoder.isfinite().all(dim=1)).sum())
    if n_wrong:
        raise SaeError(
            f"The SAE ({attributes.kind(sae)}) has a NaN or an infinite value in {n_wrong} of "
            f"the {len(decoder)} rows of W_dec; {NAME} needs finite ones."
        )
    return decoder


def _directions(decoder: Float[Tensor, "d_sae d_in"]) -> Float[Tensor, "n_rows d_in"]:
    """Return the rows at norm 1 without those that are zero; the decoder itself if it is so."""
    norms = decoder.float().norm(dim=1)
    if bool(((norms - 1).abs() <= _UNIT_NORM).all()):
        return decoder
    is_there = norms > 0
    return decoder[is_there].float() / norms[is_there, None]


def _why_undefined(directions: Float[Tensor, "n_rows d_in"]) -> str | None:
    if len(directions) == 0:
        return "all rows of the decoder are zero"
    if torch.allclose(directions, directions[:1], atol=_UNIT_NORM):
        return "all rows of the decoder that are not zero have one direction, and nothing varies"
    return None


def _measured(
    decoder: Float[Tensor, "n_rows d_in"], config: MetaStructureEvalConfig, device: str
) -> dict[str, float]:
    """Return the values of SAE-Bench's own function, from its seed."""
    with seeded(config.random_seed), torch.enable_grad():
        output = meta_structure_main.run_eval_single_sae(
            "", "", cast(Any, _Decoder(decoder)), config, device
        )
    values = asdict(output.eval_result_metrics.meta_structure)
    wrong = [name for name, value in values.items() if not math.isfinite(value)]
    if wrong:
        raise EvalError(
            f"{NAME}: the meta-SAE's training diverged: {', '.join(wrong)} is not finite under "
            f"dtype={config.dtype}, learning_rate={config.learning_rate:g}. Lower the rate, or "
            "set dtype=float32."
        )
    return values


def _of_random(
    directions: Float[Tensor, "n_rows d_in"],
    config: MetaStructureEvalConfig,
    device: str,
    draw: int,
    kept: SharedPasses,
) -> float:
    """Return what a draw of as many random directions gives."""
    shape = tuple(directions.shape)
    generator = torch.Generator().manual_seed(config.random_seed + draw)

    def measure() -> float:
        rows = torch.randn(shape, generator=generator)
        return _measured(rows / rows.norm(dim=1, keepdim=True), config, device)[_SHARE]

    key = (NAME, "random directions", shape, tuple(asdict(config).items()), device, draw)
    return kept.get_or_make(key, measure)


def _meta_width(n_rows: int, config: MetaStructureEvalConfig) -> int:
    return max(math.ceil(n_rows * config.width_ratio), config.k)


def _rows(decoder: Float[Tensor, "d_sae d_in"]) -> dict[str, Any]:
    norms = decoder.float().norm(dim=1)
    return {
        "n_rows": len(decoder),
        "n_zero_rows": int((norms == 0).sum()),
        "lowest_norm": float(norms.min()),
        "highest_norm": float(norms.max()),
    }


def _warnings(
    decoder: Float[Tensor, "d_sae d_in"],
    directions: Float[Tensor, "n_rows d_in"],
    reason: str | None,
) -> list[str]:
    if reason is not None:
        return [f"{reason}: SAE-Bench's values say nothing of it"]
    if directions is decoder:
        return []
    rows = _rows(decoder)
    return [
        "SAE-Bench's value depends on the norms of the decoder's rows, which are "
        f"{rows['lowest_norm']:.3g} to {rows['highest_norm']:.3g} here, {rows['n_zero_rows']} of "
        f"{rows['n_rows']} zero; the corrected one is of their directions"
    ]


@contextlib.contextmanager
def _alone(*, progress: bool) -> Generator[list[str]]:
    """Isolate SAE-Bench's code within the context; its bar is shown if there is progress."""
    with contextlib.ExitStack() as stack:
        warnings = stack.enter_context(isolated())
        if not progress:
            stack.enter_context(contextlib.redirect_stderr(io.StringIO()))
        yield warnings


class _NoConfig:
    """Stands for an SAE's configuration, which SAE-Bench only copies into its result."""

    def to_dict(self) -> dict[str, Any]:
        return {}


class _Decoder(nn.Module):
    """What SAE-Bench reads of an SAE: a copy of its decoder."""

    W_dec: Tensor

    def __init__(self, decoder: Float[Tensor, "n_rows d_in"]) -> None:
        super().__init__()
        self.register_buffer("W_dec", decoder.clone())
        self.cfg = _NoConfig()
