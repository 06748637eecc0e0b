"""Sums over the tokens used, in float64, of which core's corrected values are made.

They are a sufficient statistic of a batch; `+` joins batches.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, fields

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

CHUNK_ELEMENTS = 2**22
"""Number of logits that are in float64 at once: 32 MiB, far below SAE-Bench's own logits."""
KEPT_ELEMENTS = 2**23
"""Logits of a batch up to which their probabilities are kept for other SAEs: 128 MiB."""


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
    fired: Bool[Tensor, " d_sae"]
    """Whether a latent's code was not 0 at any of the tokens, negative ones included."""

    def __add__(self, other: ActivationSums) -> ActivationSums:
        added = {f.name: getattr(self, f.name) + getattr(other, f.name) for f in fields(self)}
        n_tokens = added["n_tokens"]
        # Chan et al. 1983: exact in the mean, where summing x^2 would cancel for a large one.
        shift = other.mean - self.mean
        weight = other.n_tokens / max(n_tokens, 1)
        added["mean"] = self.mean + shift * weight
        added["deviation"] += float(shift.square().sum()) * self.n_tokens * weight
        return ActivationSums(**added)


@dataclass(frozen=True)
class Clean:
    """Sums of a batch that are the same for every SAE."""

    n_tokens: int
    n_predictions: int
    kl_with_ablation: float
    ce_without_sae: float
    ce_with_ablation: float
    kept: list[tuple[Tensor, Tensor]] | None
    """Of each chunk, the probabilities without an SAE and their logarithms, [n, vocabulary]; None
    where they are too large."""


@torch.no_grad()
def clean_sums(
    clean: Float[Tensor, "batch context vocabulary"],
    with_ablation: Float[Tensor, "batch context vocabulary"],
    tokens: Int[Tensor, "batch context"],
    is_used: Bool[Tensor, "batch context"],
) -> Clean:
    """Sum KL(clean || ablated) and both cross-entropies, over the positions used."""
    kept: list[tuple[Tensor, Tensor]] | None = [] if clean.numel() <= KEPT_ELEMENTS else None
    n_tokens, n_predictions, sums = 0, 0, [0.0] * 3
    for chunk in _chunks(is_used, tokens, clean.shape[-1]):
        log_p, log_r = chunk.log_softmax(clean), chunk.log_softmax(with_ablation)
        p = log_p.exp()
        terms = (_kl(p, log_p, log_r), chunk.cross_entropy(log_p), chunk.cross_entropy(log_r))
        sums = [total + term for total, term in zip(sums, terms, strict=True)]
        n_tokens += len(chunk.rows)
        n_predictions += int(chunk.has_next.sum())
        if kept is not None:
            kept.append((p, log_p))
    return Clean(n_tokens, n_predictions, *sums, kept=kept)


@torch.no_grad()
def logit_sums(
    of_all: Clean,
    clean: Float[Tensor, "batch context vocabulary"],
    with_sae: Float[Tensor, "batch context vocabulary"],
    tokens: Int[Tensor, "batch context"],
    is_used: Bool[Tensor, "batch context"],
) -> LogitSums:
    """Return KL(clean || other) and cross-entropy of the next token, over the positions used.

    As in SAE-Bench a position is left out where its own token is special; a special token may be
    what is predicted.
    """
    kl = cross_entropy = 0.0
    for i, chunk in enumerate(_chunks(is_used, tokens, clean.shape[-1])):
        log_q = chunk.log_softmax(with_sae)
        if of_all.kept is None:
            log_p = chunk.log_softmax(clean)
            kl += _kl(log_p.exp(), log_p, log_q)
        else:
            kl += _kl(*of_all.kept[i], log_q)
        cross_entropy += chunk.cross_entropy(log_q)
    return LogitSums(
        of_all.n_tokens,
        of_all.n_predictions,
        kl_with_sae=kl,
        kl_with_ablation=of_all.kl_with_ablation,
        ce_without_sae=of_all.ce_without_sae,
        ce_with_sae=cross_entropy,
        ce_with_ablation=of_all.ce_with_ablation,
    )


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
    # not > 0, as SAE-Bench's densities have it: AbsTopK's codes may be negative
    is_active = codes != 0
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
        l0=int(is_active.sum(dim=-1)[is_used].sum()),
        l1=float(_precise(codes.abs().sum(dim=-1, dtype=_wide(codes))[is_used]).sum()),
        fired=is_active[is_used].any(dim=0).cpu(),
    )


def _precise(values: Tensor) -> Tensor:
    """Return `values` in float64, on the CPU where the device has no float64."""
    return (values.cpu() if values.device.type == "mps" else values).double()


@dataclass(frozen=True)
class _Chunk:
    """Positions used, as many as fit a chunk of logits."""

    rows: Int[Tensor, " n"]
    columns: Int[Tensor, " n"]
    has_next: Bool[Tensor, " n"]
    next_tokens: Int[Tensor, " n_predictions"]

    def log_softmax(
        self, logits: Float[Tensor, "batch context vocabulary"]
    ) -> Float[Tensor, "n vocabulary"]:
        return _precise(logits[self.rows, self.columns]).log_softmax(dim=-1)

    def cross_entropy(self, log_q: Float[Tensor, "n vocabulary"]) -> float:
        """Sum over the predictions."""
        next_tokens = self.next_tokens.to(log_q.device)
        return -float(log_q[self.has_next.to(log_q.device)].gather(1, next_tokens[:, None]).sum())


def _chunks(
    is_used: Bool[Tensor, "batch context"],
    tokens: Int[Tensor, "batch context"],
    d_vocabulary: int,
) -> Iterator[_Chunk]:
    n_rows = max(1, CHUNK_ELEMENTS // d_vocabulary)
    rows, columns = is_used.nonzero(as_tuple=True)
    for row, column in zip(rows.split(n_rows), columns.split(n_rows), strict=True):
        has_next = column < tokens.shape[1] - 1
        yield _Chunk(row, column, has_next, tokens[row[has_next], column[has_next] + 1])


def _kl(
    p: Float[Tensor, "n vocabulary"],
    log_p: Float[Tensor, "n vocabulary"],
    log_q: Float[Tensor, "n vocabulary"],
) -> float:
    difference = log_p - log_q
    total = float(p.flatten() @ difference.flatten())
    if total == total:
        return total
    # 0 * (-inf - x) is NaN, and such a token adds nothing
    return float(torch.where(p > 0, p * difference, 0.0).sum())


def _wide(codes: Tensor) -> torch.dtype:
    return torch.float32 if codes.device.type == "mps" else torch.float64
