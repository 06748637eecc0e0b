"""Absorption: a parent's latent that is silent where a child's latent fires.

A latent for starting letters that fires on all words but those that have a latent of their own;
Chanin et al. 2024, arXiv:2409.14507. Here parents and children are factors of a known hierarchy.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Bool, Float
from numpy.typing import NDArray

from csae_bench.metrics.data import Codes, Factors
from csae_bench.metrics.errors import MetricInputError
from csae_bench.metrics.inputs import CodesLike, FactorsLike, same_samples
from csae_bench.metrics.score import Score, score_fields

NO_HIERARCHY = "no factor of this dataset is the parent of another"


@dataclass(frozen=True, kw_only=True)
class ChildAbsorption:
    """Absorption of one value of a child factor."""

    parent: tuple[str, str]
    """Parent factor and value that contain the child's value."""
    child: tuple[str, str]
    parent_latent: int | None
    child_latent: int | None
    n: int
    """Samples with the child's value."""
    rate: float | None
    """Share of these in which the child's latent fires and the parent's is silent, 0 to 1."""
    expected: float | None
    """The rate expected if the parent's latent were silent as often as over all samples with the
    parent's value, independently of the child's latent."""
    recall: float | None
    """Share of the samples with the child's value in which the parent's latent fires."""
    parent_recall: float | None
    """The same share over all samples with the parent's value."""
    reason: str = ""
    """Reason for `rate` being None."""


@dataclass(frozen=True, kw_only=True)
class Absorption:
    """Absorption rates and their excess over what the parent's recall explains, by child factor."""

    rate: Score
    """0 to 1: mean over a child factor's values, then over factors."""
    excess: Score
    """`rate` minus `expected` where that is above 0, else 0; the same means, 0 to 1.

    Signed, the children of a value would cancel: where one is absorbed, the parent's latent is
    silent there more often than over all its samples, and with the others less. Noise alone gives
    half the mean magnitude of a child's error.
    """
    children: tuple[ChildAbsorption, ...]


def absorption(
    codes: CodesLike,
    factors: FactorsLike,
    parents: Mapping[str, str],
    latents: Sequence[int | None],
) -> Absorption:
    """Measure how often the latent of a child's value fires and that of its parent's does not.

    A latent fires where its code is above the cut that tells its value best (see `best_cut`): of
    codes that were pooled over a text few are 0. A value of a child that occurs with several
    values of its parent, as the silence of a synthetic feature does, lies in none and is left out.

    Args:
        codes: [n, d_sae], dense or sparse; see `Codes.of`.
        factors: labels [n, n_factors]; see `Factors.of`.
        parents: child factor -> parent factor.
        latents: of each value of each factor, in order; None where none is known. See
            `Monosemanticity.value_latents`.

    Raises:
        MetricInputError: malformed or mismatched input.
    """
    codes, factors = same_samples(codes, factors)
    if len(latents) != int(factors.value_ptr[-1]):
        raise MetricInputError(
            f"there are {len(latents)} latents for {int(factors.value_ptr[-1])} values; give one, "
            "or None, for each."
        )
    fires = _Firing(codes, factors, latents)
    children = tuple(
        _of_child(fires, factors, latents, pair)
        for child, parent in parents.items()
        for pair in _edges(factors, child, parent)
    )
    return Absorption(
        rate=_score(factors, children, parents, lambda one: one.rate),
        excess=_score(
            factors,
            children,
            parents,
            lambda one: None if one.rate is None else max(one.rate - (one.expected or 0.0), 0.0),
        ),
        children=children,
    )


def best_cut(values: Float[NDArray[Any], " n"], has_value: Bool[NDArray[Any], " n"]) -> float:
    """Return the code above which a sample is best classified as having a value.

    Among 0 and the codes themselves the one of the largest balanced accuracy (Youden's J); of
    equals the smallest, so that a latent that fires with its value alone has the cut 0.
    """
    levels, which = np.unique(np.append(values, 0.0), return_inverse=True)
    which = which[:-1]
    counts = [np.bincount(which[mask], minlength=len(levels)) for mask in (has_value, ~has_value)]
    above = [1 - np.cumsum(each) / max(each.sum(), 1) for each in counts]
    gain = np.round(above[0] - above[1], 12)
    gain[levels < 0] = -np.inf
    return float(levels[gain.argmax()])


class _Firing:
    """Samples in which the latent of a value fires, by its value's cut."""

    def __init__(self, codes: Codes, factors: Factors, latents: Sequence[int | None]) -> None:
        self._codes, self._latents = codes, latents
        self.has_value = factors.one_hot(np.bool_)
        self._known: dict[int, NDArray[np.bool_]] = {}

    def __call__(self, value: int) -> NDArray[np.bool_]:
        if value not in self._known:
            latent = self._latents[value]
            assert latent is not None
            column = self._codes.csc[:, [latent]].toarray()[:, 0]
            self._known[value] = column > best_cut(column, self.has_value[:, value])
        return self._known[value]


def _edges(factors: Factors, child: str, parent: str) -> list[tuple[int, int]]:
    """(child's value, parent's value), numbered among all values."""
    k, m = factors.names.index(child), factors.names.index(parent)
    pairs = np.unique(factors.values[:, [k, m]], axis=0)
    values, counts = np.unique(pairs[:, 0], return_counts=True)
    return [
        (int(factors.value_ptr[k] + value), int(factors.value_ptr[m] + of_parent))
        for value, of_parent in pairs
        if counts[values == value][0] == 1
    ]


def _of_child(
    fires: _Firing, factors: Factors, latents: Sequence[int | None], pair: tuple[int, int]
) -> ChildAbsorption:
    child, parent = pair
    of_child, of_parent = fires.has_value[:, child], fires.has_value[:, parent]
    names = [
        (name, value)
        for name, values in zip(factors.names, factors.value_names, strict=True)
        for value in values
    ]
    why = _why_not(latents[child], latents[parent], names[child], names[parent])
    rate = expected = recall = parent_recall = None
    if not why:
        parent_fires, child_fires = fires(parent), fires(child)
        rate = float((child_fires & ~parent_fires)[of_child].mean())
        recall = float(parent_fires[of_child].mean())
        parent_recall = float(parent_fires[of_parent].mean())
        expected = (1 - parent_recall) * float(child_fires[of_child].mean())
    return ChildAbsorption(
        parent=names[parent],
        child=names[child],
        parent_latent=latents[parent],
        child_latent=latents[child],
        n=int(of_child.sum()),
        rate=rate,
        expected=expected,
        recall=recall,
        parent_recall=parent_recall,
        reason=why,
    )


def _why_not(
    child_latent: int | None,
    parent_latent: int | None,
    child: tuple[str, str],
    parent: tuple[str, str],
) -> str:
    for latent, (factor, value) in ((parent_latent, parent), (child_latent, child)):
        if latent is None:
            return (
                f"no latent is more informative about {factor} '{value}' than under permuted "
                "factors"
            )
    if child_latent == parent_latent:
        return f"latent {child_latent} is the best for {parent[0]} '{parent[1]}' too"
    return ""


def _score(
    factors: Factors,
    absorbed: Sequence[ChildAbsorption],
    parents: Mapping[str, str],
    part: Any,
) -> Score:
    by_factor = np.full(factors.n_factors, np.nan)
    why = {name: f"'{name}' has no parent" for name in factors.names} if parents else {}
    for k, name in enumerate(factors.names):
        children = [one for one in absorbed if one.child[0] == name]
        parts = [value for one in children if (value := part(one)) is not None]
        if parts:
            by_factor[k] = np.mean(parts)
        elif name in parents:
            reasons = dict.fromkeys(one.reason for one in children)
            why[name] = "; ".join(reasons) or f"no value of '{name}' lies in one of its parent"
    fields = score_fields(factors, by_factor, why or dict.fromkeys(factors.names, NO_HIERARCHY))
    if fields["value"] is None:
        whys = [why[name] for name in parents] or [NO_HIERARCHY]
        fields["reason"] = "; ".join(dict.fromkeys(whys))
    return Score(**fields, settings={"cut": "youden"})
