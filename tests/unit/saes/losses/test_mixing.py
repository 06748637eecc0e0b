"""The term mixing against a slow reference and known answers; how mixtures are made is in
../test_mixing.py.
"""

import math
from dataclasses import replace

import pytest
import torch
from torch import Tensor

from csae_bench.saes.losses import mixing
from csae_bench.saes.views import Mixture, Views
from tests.unit.saes.losses.builders import (
    all_apart,
    cosine_slowly,
    gradient_is_right,
    gradients,
    random_views,
    unit_statistics,
    views_of,
)


def mixing_slowly(views: Views, margin: float) -> float:
    mixture = views.mixture
    assert mixture is not None
    collected: list[float] = []
    for m, pair in enumerate(mixture.anchors.tolist()):
        anchor = views.pre_activations[2 * pair].tolist()
        positive = views.pre_activations[2 * pair + 1].tolist()
        mixed = mixture.pre_activations[m].tolist()
        exchanged, rest = [], []
        for f in range(len(anchor)):
            if mixture.exchanged[m, f]:
                exchanged.append(f)
            elif views.codes[2 * pair, f] > 0 or mixture.codes[m, f] > 0:
                rest.append(f)

        def cosine(one: list[float], other: list[float], latents: list[int]) -> float:
            return cosine_slowly([one[f] for f in latents], [other[f] for f in latents])

        hinge = margin + cosine(anchor, mixed, exchanged) - cosine(anchor, positive, exchanged)
        collected.append(max(0.0, hinge) + 1 - cosine(anchor, mixed, rest))
    return sum(collected) / len(collected)


@pytest.mark.parametrize("margin", [0.1, 0.5, 2.0])
@pytest.mark.parametrize("seed", [0, 1, 2])
def test_mixing_equals_the_definition(seed: int, margin: float) -> None:
    views = random_views(seed=seed)
    assert float(mixing(views, margin=margin).value) == pytest.approx(
        mixing_slowly(views, margin), rel=1e-12
    )


def test_mixing_has_the_right_gradient_in_the_views_and_in_the_mixture() -> None:
    assert gradient_is_right(random_views(6, 12), lambda views: mixing(views, margin=1.0))


def mixed_views(anchor: Tensor, positive: Tensor, mixed: Tensor, exchanged: Tensor) -> Views:
    """One pair whose anchor was mixed."""
    return views_of(
        anchor[None],
        positive[None],
        all_apart(1),
        statistics=unit_statistics(len(anchor)),
        mixture=Mixture(torch.tensor([0]), mixed[None], mixed[None], exchanged[None]),
    )


ANCHOR = torch.tensor([1.0, 2.0, 3.0, 0.0, 0.0, 0.0])
SWAPPED = torch.tensor([0.0, 0.0, 3.0, 2.0, 1.0, 0.0])
EXCHANGED = torch.tensor([True, True, False, True, True, False])


def test_a_mixture_that_answers_to_its_origins_is_the_minimum() -> None:
    term = mixing(mixed_views(ANCHOR, ANCHOR, SWAPPED, EXCHANGED), margin=0.5)
    assert float(term.value) == pytest.approx(0.0, abs=1e-6)
    assert term.n_compared == 1


def test_a_mixture_in_which_nothing_changed_costs_the_margin() -> None:
    value = mixing(mixed_views(ANCHOR, ANCHOR, ANCHOR, EXCHANGED), margin=0.5).value
    assert float(value) == pytest.approx(0.5, rel=1e-6)


def test_a_mixture_that_loses_the_rest_costs_one() -> None:
    mixed = torch.tensor([0.0, 0.0, 0.0, 2.0, 1.0, 3.0])
    value = mixing(mixed_views(ANCHOR, ANCHOR, mixed, EXCHANGED), margin=0.5).value
    assert float(value) == pytest.approx(1.0, rel=1e-6)


def test_the_worst_mixture_costs_four_and_the_margin() -> None:
    anchor = torch.tensor([1.0, 1.0])
    exchanged = torch.tensor([True, False])
    worst = mixed_views(anchor, torch.tensor([-1.0, 1.0]), torch.tensor([1.0, -1.0]), exchanged)
    assert float(mixing(worst, margin=0.5).value) == pytest.approx(4.5, rel=1e-6)


def test_a_latent_that_is_silent_in_anchor_and_mixture_takes_no_part() -> None:
    views = random_views(8, 12)
    mixture = views.mixture
    assert mixture is not None
    pre = mixture.pre_activations.clone()
    silent = (mixture.codes <= 0) & (views.codes[0::2][mixture.anchors] <= 0) & ~mixture.exchanged
    assert silent.any()
    pre[silent] -= 5
    changed = replace(views, mixture=replace(mixture, pre_activations=pre))
    assert torch.equal(mixing(views).value, mixing(changed).value)


def test_gradients_reach_latents_of_the_anchor_that_are_silent() -> None:
    views = random_views()
    gradient = gradients(views, mixing).pre_activations
    below = (views.codes <= 0) & (views.pre_activations < 0)
    assert gradient[below].abs().sum() > 0


def test_pairs_that_were_not_mixed_get_no_gradient() -> None:
    views = random_views()
    assert views.mixture is not None
    gradient = gradients(views, mixing).pre_activations.view(24, 2, -1)
    mixed = torch.zeros(24, dtype=torch.bool)
    mixed[views.mixture.anchors] = True
    assert gradient[~mixed].abs().sum() == 0
    assert (gradient[mixed].abs().sum((1, 2)) > 0).all()


@pytest.mark.parametrize("broken", [math.nan, math.inf])
@pytest.mark.parametrize("where", ["anchor", "positive", "mixture"])
def test_a_value_that_is_not_finite_comes_out_as_nan(where: str, broken: float) -> None:
    views = random_views()
    mixture = views.mixture
    assert mixture is not None
    latent = int(mixture.exchanged[0].nonzero()[0])
    if where == "mixture":
        rest = int(
            (~mixture.exchanged[0] & (views.codes[2 * mixture.anchors[0]] <= 0)).nonzero()[0]
        )
        mixture.codes[0, rest] = mixture.pre_activations[0, rest] = broken
    else:
        row = 2 * int(mixture.anchors[0]) + (where == "positive")
        views.codes[row, latent] = views.pre_activations[row, latent] = broken
    assert mixing(views).value.isnan()


@pytest.mark.parametrize("is_empty", [False, True])
def test_mixing_without_a_mixture_is_zero(is_empty: bool) -> None:
    views = random_views(8, 12)
    none = torch.zeros(0, 12, dtype=torch.float64)
    empty = Mixture(torch.zeros(0, dtype=torch.int64), none, none, none > 0)
    term = mixing(replace(views, mixture=empty if is_empty else None))
    assert (float(term.value), term.n_compared) == (0.0, 0)
    assert term.compared == "mixtures whose norm is that of real activations"
