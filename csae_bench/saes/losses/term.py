"""TermValue, and what every loss term has in common."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Concatenate, NamedTuple, ParamSpec

import torch
from jaxtyping import Float
from torch import Tensor

from csae_bench.saes.views import Views


class TermValue(NamedTuple):
    """A term's value, and how many pairs or latents it was computed on."""

    value: Float[Tensor, ""]
    """To minimise; exactly 0, without a gradient, where there was nothing to compare."""
    n_compared: int
    """Number of pairs, latents or mixtures that took part."""
    compared: str
    """Name of what is counted, which is missing where the count is 0."""


P = ParamSpec("P")


def precisely(
    term: Callable[Concatenate[Views, P], TermValue],
) -> Callable[Concatenate[Views, P], TermValue]:
    """Compute a term outside autocast; of a batch without pairs it is nothing."""

    @wraps(term)
    def without_autocast(views: Views, *args: P.args, **kwargs: P.kwargs) -> TermValue:
        if not views.n_pairs:
            return nothing(views, "pairs of the kinds that the term looks at")
        with torch.autocast(views.codes.device.type, enabled=False):
            return term(views, *args, **kwargs)

    return without_autocast


def first_latents(latent_fraction: float, views: Views) -> slice:
    """Return the first round(latent_fraction * d_sae) latents, at least one."""
    return slice(max(1, round(latent_fraction * views.codes.shape[1])))


def nothing(views: Views, counted: str) -> TermValue:
    """Return the value of a term that had nothing to compare."""
    return TermValue(views.codes.new_zeros((), dtype=torch.float32), 0, counted)
