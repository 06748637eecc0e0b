"""temporal against a slow reference, known answers and masks."""

import math

import pytest
import torch

from csae_bench.saes.losses import temporal
from csae_bench.saes.pair_ids import PairIds
from csae_bench.saes.views import Views
from tests.unit.saes.losses.builders import (
    are_alike,
    cross_entropy_slowly,
    gradient_is_right,
    gradients,
    random_views,
    readings_slowly,
    some_alike,
    term_of,
    views_of,
)


def temporal_slowly(views: Views, n_latents: int, on: str) -> float:
    anchors, positives = readings_slowly(views, on)
    products = [
        [sum(a * b for a, b in zip(one[:n_latents], other[:n_latents], strict=True))
         for other in positives]
        for one in anchors
    ]  # fmt: skip
    return cross_entropy_slowly(products, lambda i, j: not are_alike(views.pairs, i, j))


@pytest.mark.parametrize("on", ["codes", "pre_activations", "union"])
@pytest.mark.parametrize(("fraction", "n_latents"), [(0.2, 4), (1.0, 20)])
def test_temporal_equals_the_definition(fraction: float, n_latents: int, on: str) -> None:
    views = random_views(pairs=some_alike(24))
    value = float(term_of("temporal", latent_fraction=fraction, on=on)(views).value)
    assert value == pytest.approx(temporal_slowly(views, n_latents, on), rel=1e-12)


def test_codes_that_do_not_tell_pairs_apart_give_the_log_of_the_number_of_pairs() -> None:
    same = torch.ones(8, 5)
    assert float(temporal(views_of(same, same)).value) == pytest.approx(math.log(8), rel=1e-6)


@pytest.mark.parametrize("size", [1.0, 3.0])
def test_no_temperature_divides_the_inner_products(size: float) -> None:
    codes = size * torch.eye(2, dtype=torch.float64)
    value = float(temporal(views_of(codes, codes), latent_fraction=1.0).value)
    assert value == pytest.approx(math.log(1 + math.exp(-(size**2))), rel=1e-6)


def test_only_the_first_latents_get_a_gradient() -> None:
    gradient = gradients(random_views(n_latents=20), temporal).codes
    assert gradient[:, :4].abs().sum() > 0
    assert gradient[:, 4:].abs().sum() == 0


def test_temporal_has_the_right_gradient_with_masked_pairs() -> None:
    views = random_views(6, 8, pairs=PairIds(torch.tensor([0, 0, 1, 2, 3, 3])))
    assert gradient_is_right(views, term_of("temporal"))


def test_temporal_without_any_negative_is_zero() -> None:
    views = random_views(5, 8, pairs=PairIds(torch.zeros(5, dtype=torch.int64)))
    term = temporal(views)
    assert (term.value.item(), term.n_compared) == (0.0, 0)
