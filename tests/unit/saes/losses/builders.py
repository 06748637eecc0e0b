"""Batches of pairs for the loss terms, and what their slow references have in common."""

import math
from collections.abc import Callable
from dataclasses import replace
from typing import Any, NamedTuple

import torch
from torch import Tensor

from csae_bench.config.loss_terms import LOSS_TERMS
from csae_bench.saes import losses
from csae_bench.saes.losses import TermValue
from csae_bench.saes.pair_ids import PairIds
from csae_bench.saes.views import LatentStatistics, Mixture, Views

Term = Callable[[Views], TermValue]

N_VALUES = 4
"""Values of the factors in which minimal pairs differ."""

SMALL: dict[str, dict[str, Any]] = {
    "columns": {"min_firings": 2},
    "barlow": {"min_firings": 2},
    "cross_view": {"min_latents": 1},
    "push_up": {"min_latents": 1},
    "temporal": {"latent_fraction": 1.0},
}
"""Settings with which the few latents of a small batch suffice."""


def term_of(name: str, **settings: Any) -> Term:
    """The term as a function of the views alone, with settings that suit small batches."""
    function = getattr(losses, name)
    return lambda views: function(views, **{**SMALL.get(name, {}), **settings})


ALL_TERMS = sorted(LOSS_TERMS)


def all_apart(n_pairs: int) -> PairIds:
    return PairIds(torch.arange(n_pairs))


def every_kind(n_pairs: int) -> PairIds:
    """Pairs of one text, then a quarter of minimal pairs, each with an anchor of the first ones."""
    n_alike = n_pairs - n_pairs // 4
    number = torch.arange(n_pairs)
    of_minimal = number >= n_alike
    values = torch.stack([number % N_VALUES, (number + 1) % N_VALUES], dim=1)
    return PairIds(
        number,
        kinds={"same_sequence": slice(0, n_alike), "minimal": slice(n_alike, n_pairs)},
        values=values.where(of_minimal[:, None], -1),
        minimal=(number + n_alike).where(number < n_pairs - n_alike, -1),
    )


def interleave(anchors: Tensor, positives: Tensor) -> Tensor:
    return torch.stack([anchors, positives], dim=1).flatten(0, 1)


def swap_views(views: Views) -> Views:
    """Anchors as positives and the other way round."""

    def swapped(rows: Tensor) -> Tensor:
        return interleave(rows[1::2], rows[0::2])

    values = views.pairs.values
    pairs = views.pairs if values is None else replace(views.pairs, values=values.flip(1))
    return replace(
        views,
        codes=swapped(views.codes),
        pre_activations=swapped(views.pre_activations),
        pairs=pairs,
    )


def statistics_of(codes: Tensor) -> LatentStatistics:
    """Of one batch, as the fields of LatentStatistics define them."""
    active = codes > 0
    smallest = codes.masked_fill(~active, math.inf).amin(1)
    smallest = smallest[smallest.isfinite()]
    return LatentStatistics(
        rate=active.to(codes.dtype).mean(0),
        both=(active[0::2] & active[1::2]).to(codes.dtype).mean(0),
        mean=codes.mean(0),
        variance=codes.var(0, unbiased=False),
        threshold=smallest.mean() if len(smallest) else codes.new_zeros(()),
    )


def unit_statistics(n_latents: int, dtype: torch.dtype = torch.float32) -> LatentStatistics:
    """Statistics that leave every value as it is and call every latent fully invariant."""
    half = torch.full((n_latents,), 0.5, dtype=dtype)
    zero, one = torch.zeros(n_latents, dtype=dtype), torch.ones(n_latents, dtype=dtype)
    return LatentStatistics(half, half.clone(), zero, one, torch.ones((), dtype=dtype))


def views_of(
    anchors: Tensor,
    positives: Tensor,
    pairs: PairIds | None = None,
    *,
    pre_activations: tuple[Tensor, Tensor] | None = None,
    statistics: LatentStatistics | None = None,
    mixture: Mixture | None = None,
) -> Views:
    """Views of these codes; pre-activations are the codes and all pairs apart unless given."""
    codes = interleave(anchors, positives)
    return Views(
        codes=codes,
        pre_activations=codes if pre_activations is None else interleave(*pre_activations),
        pairs=all_apart(len(anchors)) if pairs is None else pairs,
        statistics=statistics_of(codes.detach()) if statistics is None else statistics,
        mixture=mixture,
        generator=torch.Generator().manual_seed(0),
    )


def random_views(
    n_pairs: int = 24,
    n_latents: int = 20,
    seed: int = 0,
    *,
    pairs: PairIds | None = None,
    shared: float = 1.0,
) -> Views:
    """Sparse codes in float64, alike within pairs, some of them mixed; statistics of other batches.

    With `shared` 0 the two views have nothing in common. The rows of each pair differ in one of
    four values, whose profiles are those of this batch.
    """
    generator = torch.Generator().manual_seed(seed)

    def draw(rows: int) -> Tensor:
        return torch.randn(rows, n_latents, generator=generator, dtype=torch.float64)

    def batch(n: int) -> tuple[Tensor, Tensor]:
        common = shared * draw(n).repeat_interleave(2, dim=0)
        pre = common + 0.6 * draw(2 * n)
        # Above 0.3: positive and inactive occurs, as with TopK.
        return pre * (pre > 0.3), pre

    codes, pre = batch(n_pairs)
    statistics = statistics_of(batch(256)[0])
    n_mixed = max(1, 2 * n_pairs // 3)
    mixed_codes, mixed_pre = batch(n_mixed)
    mixture = Mixture(
        anchors=torch.randperm(n_pairs, generator=generator)[:n_mixed].sort().values,
        codes=mixed_codes[0::2],
        pre_activations=mixed_pre[0::2],
        exchanged=torch.rand(n_mixed, n_latents, generator=generator) < 0.4,
    )
    old = torch.randint(0, N_VALUES, (n_pairs,), generator=generator)
    step = torch.randint(1, N_VALUES, (n_pairs,), generator=generator)
    values = torch.stack([old, (old + step) % N_VALUES], dim=1)
    return Views(
        codes=codes,
        pre_activations=pre,
        pairs=replace(all_apart(n_pairs) if pairs is None else pairs, values=values),
        statistics=statistics,
        mixture=mixture,
        profiles=profiles_slowly(codes, values),
        generator=torch.Generator().manual_seed(seed),
    )


def profiles_slowly(codes: Tensor, values: Tensor, n_values: int = N_VALUES) -> Tensor:
    """The mean of [u]_+ where a value comes on and of [-u]_+ where it goes off; decoder norms 1."""
    profiles = torch.zeros(n_values, codes.shape[1], dtype=codes.dtype)
    for value in range(n_values):
        seen: list[Tensor] = []
        for i, (old, new) in enumerate(values.tolist()):
            shift = codes[2 * i + 1] - codes[2 * i]
            if value == new:
                seen.append(shift.relu())
            elif value == old:
                seen.append((-shift).relu())
        if seen:
            profiles[value] = torch.stack(seen).mean(0)
    return profiles


def some_alike(n_pairs: int, seed: int = 0) -> PairIds:
    """Ids of which some are shared, by sequence or by group."""
    generator = torch.Generator().manual_seed(seed)
    sequence, group = torch.randint(0, n_pairs // 2, (2, n_pairs), generator=generator)
    return PairIds(sequence, group)


def are_alike(pairs: PairIds, i: int, j: int) -> bool:
    same_sequence = bool(pairs.sequence[i] == pairs.sequence[j])
    return same_sequence or (pairs.group is not None and bool(pairs.group[i] == pairs.group[j]))


def as_functions_of(views: Views, term: Term) -> tuple[Callable[..., Tensor], tuple[Tensor, ...]]:
    """The term's value as a function of the pre-activations, with which latents are active held
    fixed, and the leaves to call it with.
    """
    active = views.codes > 0
    mixture = views.mixture

    def value(pre: Tensor, mixed_pre: Tensor | None = None) -> Tensor:
        changed = replace(views, codes=pre * active, pre_activations=pre)
        if mixture is not None and mixed_pre is not None:
            mixed = replace(
                mixture, codes=mixed_pre * (mixture.codes > 0), pre_activations=mixed_pre
            )
            changed = replace(changed, mixture=mixed)
        # Sampling has to draw the same latents in every evaluation.
        changed = replace(changed, generator=torch.Generator().manual_seed(0))
        return term(changed).value

    leaves = [views.pre_activations.clone().requires_grad_()]
    if mixture is not None:
        leaves.append(mixture.pre_activations.clone().requires_grad_())
    return value, tuple(leaves)


def gradient_is_right(views: Views, term: Term) -> bool:
    """Whether autograd agrees with finite differences, in float64."""
    value, leaves = as_functions_of(views, term)
    return torch.autograd.gradcheck(value, leaves)


class Gradients(NamedTuple):
    """Of a term, with respect to codes and pre-activations as separate tensors."""

    codes: Tensor
    pre_activations: Tensor


def gradients(views: Views, term: Term) -> Gradients:
    """Both are zero where the term does not look."""
    codes = views.codes.clone().requires_grad_()
    pre = views.pre_activations.clone().requires_grad_()
    term(replace(views, codes=codes, pre_activations=pre)).value.backward()
    return Gradients(
        torch.zeros_like(codes) if codes.grad is None else codes.grad,
        torch.zeros_like(pre) if pre.grad is None else pre.grad,
    )


def cosine_slowly(one: list[float], other: list[float]) -> float:
    product = sum(a * b for a, b in zip(one, other, strict=True))
    lengths = math.sqrt(sum(a * a for a in one)) * math.sqrt(sum(b * b for b in other))
    return product / lengths if lengths else 0.0


def cross_entropy_slowly(
    similarity: list[list[float]], may_be_negative: Callable[[int, int], bool]
) -> float:
    """Symmetric cross-entropy of finding the diagonal, averaged over what has a negative."""
    collected: list[float] = []
    for i in range(len(similarity)):
        negatives = [j for j in range(len(similarity)) if j != i and may_be_negative(i, j)]
        if not negatives:
            continue
        own = math.exp(similarity[i][i])
        along = own + sum(math.exp(similarity[i][j]) for j in negatives)
        back = own + sum(math.exp(similarity[j][i]) for j in negatives)
        collected.append(-(math.log(own / along) + math.log(own / back)) / 2)
    return sum(collected) / len(collected)


def invariance_slowly(statistics: LatentStatistics) -> list[float]:
    """w = clip((p / q - q) / (1 - q), 0, 1), and 0 where q <= 1e-3."""
    weights: list[float] = []
    for q, p in zip(statistics.rate.tolist(), statistics.both.tolist(), strict=True):
        weights.append(0.0 if q <= 1e-3 else min(1.0, max(0.0, (p / q - q) / (1 - q))))
    return weights


def readings_slowly(views: Views, on: str) -> tuple[list[list[float]], list[list[float]]]:
    """What is compared of anchors and positives, latent by latent."""
    codes, pre = views.codes.tolist(), views.pre_activations.tolist()
    sides: tuple[list[list[float]], list[list[float]]] = ([], [])
    for i in range(len(views.pairs)):
        for side in (0, 1):
            row: list[float] = []
            for f in range(len(codes[0])):
                is_code = on in {"codes", "union"}
                row.append(codes[2 * i + side][f] if is_code else max(0.0, pre[2 * i + side][f]))
            sides[side].append(row)
    return sides
