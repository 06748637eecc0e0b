"""Core's quantities by their correct formulas, in float64, from sums over the tokens used.

Two steps: `logit_sums` and `activation_sums` make a sufficient statistic of a batch, `+` joins
batches, and `reconstruction_values` and `activation_values` make numbers of it. An undefined
value is None, with a reason.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, fields
from typing import NamedTuple

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

CHUNK_ELEMENTS = 2**22
"""Number of logits that are in float64 at once: 32 MiB, far below SAE-Bench's own logits."""

NO_TOKENS = "no token was used"


class CorrectedValues(NamedTuple):
    """Numbers by name, and why a number is missing."""

    values: dict[str, float | int | None]
    reasons: dict[str, str]


@dataclass(frozen=True)
class LogitSums:
    """The language model's outputs on the activations, summed over tokens; KL and CE in nats."""

    n_tokens: int
    """Positions used: those whose own token is not special."""
    n_predictions: int
    """Positions used that have a next token to predict."""
    kl_with_sae: float
    kl_with_ablation: float
    ce_without_sae: float
    ce_with_sae: float
    ce_with_ablation: float

    def __add__(self, other: LogitSums) -> LogitSums:
        return LogitSums(*(getattr(self, f.name) + getattr(other, f.name) for f in fields(self)))


@dataclass(frozen=True)
class ActivationSums:
    """Activations x, codes z and reconstructions y, summed over the tokens used."""

    n_tokens: int
    mean: Float[Tensor, " d_in"]
    """Mean of x, in float64."""
    deviation: float
    """Sum of |x - mean|^2."""
    residual: float
    """Sum of |x - y|^2."""
    norm_in: float
    norm_out: float
    squared_norm_out: float
    dot: float
    """Sum of x . y."""
    norm_ratio: float
    """Sum of |y| / |x| where x is not 0."""
    n_zero_in: int
    cossim: float
    """Sum of cos(x, y) where neither is 0."""
    n_cossim_undefined: int
    l0: int
    l1: float

    def __add__(self, other: ActivationSums) -> ActivationSums:
        added = {f.name: getattr(self, f.name) + getattr(other, f.name) for f in fields(self)}
        n_tokens = added["n_tokens"]
        # Chan et al. 1983: exact in the mean, where summing x^2 would cancel for a large one.
        shift = other.mean - self.mean
        weight = other.n_tokens / max(n_tokens, 1)
        added["mean"] = self.mean + shift * weight
        added["deviation"] += float(shift.square().sum()) * self.n_tokens * weight
        return ActivationSums(**added)


@torch.no_grad()
def logit_sums(
    clean: Float[Tensor, "batch context vocabulary"],
    with_sae: Float[Tensor, "batch context vocabulary"],
    with_ablation: Float[Tensor, "batch context vocabulary"],
    tokens: Int[Tensor, "batch context"],
    is_used: Bool[Tensor, "batch context"],
) -> LogitSums:
    """Return KL(clean || other) and cross-entropy of the next token, over the positions used.

    As in SAE-Bench a position is left out where its own token is special; a special token may be
    what is predicted.
    """
    sums = [0.0] * 5
    n_tokens = n_predictions = 0
    for rows, columns in _chunks(is_used, clean.shape[-1]):
        log_p = _log_softmax(clean[rows, columns])
        log_q = _log_softmax(with_sae[rows, columns])
        log_r = _log_softmax(with_ablation[rows, columns])
        has_next = columns < tokens.shape[1] - 1
        next_tokens = tokens[rows[has_next], columns[has_next] + 1].to(log_p.device)[:, None]
        has_next = has_next.to(log_p.device)
        terms = [_kl(log_p, log_q), _kl(log_p, log_r)]
        terms += [-x[has_next].gather(1, next_tokens).sum() for x in (log_p, log_q, log_r)]
        sums = [total + float(term) for total, term in zip(sums, terms, strict=True)]
        n_tokens += len(rows)
        n_predictions += len(next_tokens)
    return LogitSums(n_tokens, n_predictions, *sums)


@torch.no_grad()
def activation_sums(
    acts: Float[Tensor, "batch context d_in"],
    codes: Float[Tensor, "batch context d_sae"],
    reconstructions: Float[Tensor, "batch context d_in"],
    is_used: Bool[Tensor, "batch context"],
) -> ActivationSums:
    """Sum over the positions used."""
    x, y = _precise(acts[is_used]), _precise(reconstructions[is_used])
    norm_in, norm_out = x.norm(dim=-1), y.norm(dim=-1)
    dot = (x * y).sum(dim=-1)
    is_zero_in = norm_in == 0
    is_undefined = is_zero_in | (norm_out == 0)
    product = norm_in * norm_out
    mean = x.mean(dim=0) if len(x) else x.new_zeros(x.shape[-1])
    return ActivationSums(
        n_tokens=len(x),
        mean=mean,
        deviation=float((x - mean).square().sum()),
        residual=float((x - y).square().sum()),
        norm_in=float(norm_in.sum()),
        norm_out=float(norm_out.sum()),
        squared_norm_out=float(norm_out.square().sum()),
        dot=float(dot.sum()),
        norm_ratio=float((norm_out / norm_in)[~is_zero_in].sum()),
        n_zero_in=int(is_zero_in.sum()),
        cossim=float((dot / product)[~is_undefined].sum()),
        n_cossim_undefined=int(is_undefined.sum()),
        # Reduced over latents first: a masked copy of the codes would double the memory.
        l0=int((codes != 0).sum(dim=-1)[is_used].sum()),
        l1=float(_precise(codes.abs().sum(dim=-1, dtype=_wide(codes))[is_used]).sum()),
    )


def reconstruction_values(sums: LogitSums) -> CorrectedValues:
    """Return KL divergence and cross-entropy, in nats per token, and their normalised scores.

    A score is 1 where the SAE changes nothing and 0 where it is as bad as ablation; it is
    undefined where ablation changes nothing.
    """
    results = _Results()
    results.token_counts("reconstruction", sums.n_tokens)
    kl_sae = results.mean("kl_div_with_sae", sums.kl_with_sae, sums.n_tokens)
    kl_ablation = results.mean("kl_div_with_ablation", sums.kl_with_ablation, sums.n_tokens)
    ce_clean = results.mean("ce_loss_without_sae", sums.ce_without_sae, sums.n_predictions)
    ce_sae = results.mean("ce_loss_with_sae", sums.ce_with_sae, sums.n_predictions)
    ce_ablation = results.mean("ce_loss_with_ablation", sums.ce_with_ablation, sums.n_predictions)
    no_effect = "ablating the activation changes nothing, so there is no scale to score on"
    results.ratio("kl_div_score", kl_ablation - kl_sae, kl_ablation, no_effect)
    results.ratio("ce_loss_score", ce_ablation - ce_sae, ce_ablation - ce_clean, no_effect)
    return results.freeze()


def activation_values(sums: ActivationSums) -> CorrectedValues:
    """Return the reconstruction quality, shrinkage and sparsity.

    `explained_variance` is 1 - E|x - y|^2 / E|x - mean|^2 with one mean over all tokens,
    `relative_reconstruction_bias` is E|y|^2 / E[x . y] (Rajamanoharan et al. 2024,
    arXiv:2404.16014, eq. 10). `cossim` is undefined as soon as one token's reconstruction is 0;
    `cossim_where_defined` is the mean over the others.
    """
    n = sums.n_tokens
    n_defined = n - sums.n_cossim_undefined
    results = _Results()
    results.token_counts("sparsity_variance", n)
    results.ratio(
        "explained_variance",
        sums.deviation - sums.residual,
        sums.deviation,
        "the activations do not vary" if n else NO_TOKENS,
    )
    results.mean("mse", sums.residual, n)
    results.mean("l2_norm_in", sums.norm_in, n)
    results.mean("l2_norm_out", sums.norm_out, n)
    all_zero = "every activation is 0" if n else NO_TOKENS
    results.ratio("l2_ratio", sums.norm_ratio, n - sums.n_zero_in, all_zero)
    results.ratio(
        "relative_reconstruction_bias",
        sums.squared_norm_out,
        sums.dot,
        "the reconstructions do not correlate with the activations (E[x . y] = 0)"
        if n
        else NO_TOKENS,
    )
    undefined = f"undefined for {sums.n_cossim_undefined} of {n} tokens, where a vector is 0"
    where_defined = undefined if n else NO_TOKENS
    if sums.n_cossim_undefined:
        results.missing("cossim", undefined)
    else:
        results.ratio("cossim", sums.cossim, n, NO_TOKENS)
    results.ratio("cossim_where_defined", sums.cossim, n_defined, where_defined)
    results.count("n_tokens_cossim_undefined", sums.n_cossim_undefined)
    results.mean("l0", sums.l0, n)
    results.mean("l1", sums.l1, n)
    return results.freeze()


def _precise(values: Tensor) -> Tensor:
    """Return `values` in float64, on the CPU where the device has no float64."""
    return (values.cpu() if values.device.type == "mps" else values).double()


def missing(names: Sequence[str], reason: str) -> CorrectedValues:
    """Return these values as undefined."""
    return CorrectedValues(dict.fromkeys(names), dict.fromkeys(names, reason))


class _Results:
    """Collects values that may be undefined."""

    def __init__(self) -> None:
        self._values: dict[str, float | int | None] = {}
        self._reasons: dict[str, str] = {}

    def count(self, name: str, value: int) -> None:
        self._values[name] = value

    def token_counts(self, phase: str, value: int) -> None:
        # Under SAE-Bench's name, since it corrects it, and under one that says what it is.
        self.count(f"total_tokens_eval_{phase}", value)
        self.count(f"n_tokens_{phase}", value)

    def missing(self, name: str, reason: str) -> None:
        self._values[name] = None
        self._reasons[name] = reason

    def mean(self, name: str, total: float | int, n: int) -> float:
        self.ratio(name, total, n, NO_TOKENS)
        return total / n if n else math.nan

    def ratio(
        self, name: str, numerator: float | int, denominator: float | int, if_zero: str
    ) -> None:
        if denominator == 0:
            self.missing(name, if_zero)
            return
        value = numerator / denominator
        if math.isfinite(value):
            self._values[name] = value
        else:
            self.missing(name, f"not a finite number ({value})")

    def freeze(self) -> CorrectedValues:
        return CorrectedValues(self._values, self._reasons)


def _chunks(
    is_used: Bool[Tensor, "batch context"], d_vocabulary: int
) -> Iterator[tuple[Int[Tensor, " n"], Int[Tensor, " n"]]]:
    """Yield indices of the positions used, as many at a time as fit a chunk of logits."""
    n_rows = max(1, CHUNK_ELEMENTS // d_vocabulary)
    rows, columns = is_used.nonzero(as_tuple=True)
    yield from zip(rows.split(n_rows), columns.split(n_rows), strict=True)


def _log_softmax(logits: Float[Tensor, "n vocabulary"]) -> Float[Tensor, "n vocabulary"]:
    return _precise(logits).log_softmax(dim=-1)


def _kl(
    log_p: Float[Tensor, "n vocabulary"], log_q: Float[Tensor, "n vocabulary"]
) -> Float[Tensor, ""]:
    p = log_p.exp()
    # 0 * (-inf - x) is NaN, and such a token adds nothing.
    return torch.where(p > 0, p * (log_p - log_q), 0.0).sum()


def _wide(codes: Tensor) -> torch.dtype:
    return torch.float32 if codes.device.type == "mps" else torch.float64
