"""rows against a slow reference, known answers and masks; what all terms share is in
test_all_terms.py.
"""

import math
from dataclasses import replace

import pytest
import torch
from torch import Tensor, nn

from csae_bench.saes.losses import rows
from csae_bench.saes.pair_ids import PairIds
from csae_bench.saes.views import Views
from tests.unit.saes.losses.builders import (
    all_apart,
    are_alike,
    cosine_slowly,
    cross_entropy_slowly,
    gradient_is_right,
    gradients,
    invariance_slowly,
    random_views,
    readings_slowly,
    some_alike,
    swap_views,
    term_of,
    views_of,
)

TEMPERATURE = 0.2


def rows_slowly(
    views: Views, temperature: float, on: str = "codes", weights: list[float] | None = None
) -> float:
    anchors, positives = readings_slowly(views, on)
    if weights is not None:
        anchors, positives = (
            [[w * value for w, value in zip(weights, row, strict=True)] for row in side]
            for side in (anchors, positives)
        )
    similarity = [
        [cosine_slowly(anchor, positive) / temperature for positive in positives]
        for anchor in anchors
    ]
    return cross_entropy_slowly(similarity, lambda i, j: not are_alike(views.pairs, i, j))


@pytest.mark.parametrize("with_ids", [False, True])
@pytest.mark.parametrize("temperature", [0.05, 0.2, 1.0])
@pytest.mark.parametrize("seed", [0, 1])
def test_rows_equals_the_definition(seed: int, temperature: float, with_ids: bool) -> None:
    views = random_views(seed=seed, pairs=some_alike(24, seed) if with_ids else None)
    value = rows(views, temperature=temperature).value
    assert float(value) == pytest.approx(rows_slowly(views, temperature), rel=1e-12)


@pytest.mark.parametrize("on", ["codes", "pre_activations", "union"])
@pytest.mark.parametrize("weighted", [False, True])
def test_rows_equals_the_definition_in_every_reading(on: str, weighted: bool) -> None:
    views = random_views(seed=2)
    weights = invariance_slowly(views.statistics) if weighted else None
    value = term_of("rows", on=on, invariance_weighted=weighted)(views).value
    assert float(value) == pytest.approx(rows_slowly(views, TEMPERATURE, on, weights), rel=1e-12)


@pytest.mark.parametrize("on", ["codes", "pre_activations"])
@pytest.mark.parametrize("weighted", [False, True])
def test_rows_has_the_right_gradient(on: str, weighted: bool) -> None:
    views = random_views(6, 8, pairs=PairIds(torch.tensor([0, 0, 1, 2, 3, 3])))
    assert gradient_is_right(views, term_of("rows", on=on, invariance_weighted=weighted))


def test_rows_on_a_fraction_of_the_latents_is_rows_of_the_first_ones_alone() -> None:
    views = random_views(n_latents=20)
    views = replace(views, profiles=None)
    block = replace(views, codes=views.codes[:, :5], pre_activations=views.pre_activations[:, :5])
    value = rows(views, latent_fraction=0.25).value
    assert torch.equal(value, rows(block).value)
    assert gradients(views, term_of("rows", latent_fraction=0.25)).codes[:, 5:].abs().sum() == 0


def test_a_fraction_below_one_latent_is_one_latent() -> None:
    views = random_views(n_latents=20)
    assert torch.equal(
        rows(views, latent_fraction=1e-6).value, rows(views, latent_fraction=0.05).value
    )


def with_one_similarity(angle: float) -> tuple[Tensor, Tensor]:
    """Four pairs in which the angle moves cos(anchor 0, positive 1) and no other cosine."""
    anchors, positives = torch.eye(4, 6), torch.eye(4, 6)
    anchors[0, 4] = 1.0
    positives[1, 4], positives[1, 5] = math.cos(angle), math.sin(angle)
    return anchors, positives


@pytest.mark.parametrize(
    "pairs",
    [
        PairIds(torch.tensor([0, 0, 1, 2])),
        PairIds(torch.arange(4), group=torch.tensor([0, 0, 1, 2])),
    ],
    ids=["sequence", "group"],
)
def test_rows_ignores_the_similarity_of_pairs_that_share_an_id(pairs: PairIds) -> None:
    near = rows(views_of(*with_one_similarity(0.0), pairs)).value
    far = rows(views_of(*with_one_similarity(math.pi / 2), pairs)).value
    assert torch.equal(near, far)


def test_rows_counts_that_similarity_where_the_pairs_share_no_id() -> None:
    near = rows(views_of(*with_one_similarity(0.0))).value
    far = rows(views_of(*with_one_similarity(math.pi / 2))).value
    assert near > 2 * far


def test_rows_of_identical_views_that_differ_between_pairs_is_the_minimum() -> None:
    value = rows(views_of(torch.eye(16), torch.eye(16)), temperature=TEMPERATURE).value
    assert float(value) == pytest.approx(math.log(1 + 15 * math.exp(-1 / TEMPERATURE)), rel=1e-5)


def test_rows_of_shuffled_pairs_is_log_n() -> None:
    anchors, positives = torch.randn(2, 64, 4096, generator=torch.Generator().manual_seed(0))
    value = rows(views_of(anchors, positives), temperature=TEMPERATURE).value
    # Cosines have a standard deviation of 1/64: 0.08 after the temperature, 0.01 in their mean.
    assert float(value) == pytest.approx(math.log(64), abs=0.04)


def test_rows_is_symmetric_in_the_views() -> None:
    views = random_views(pairs=some_alike(24))
    assert float(rows(views).value) == pytest.approx(
        float(rows(swap_views(views)).value), rel=1e-12
    )


def test_rows_ignores_the_scale_of_each_row() -> None:
    views = random_views()
    scale = torch.linspace(0.1, 30, 48, dtype=torch.float64)[:, None]
    scaled = replace(views, codes=views.codes * scale)
    assert float(rows(views).value) == pytest.approx(float(rows(scaled).value), rel=1e-9)


def test_a_row_of_zeros_is_unrelated_to_every_row_and_gets_no_gradient() -> None:
    views = random_views(4, 8)
    views.codes[2] = 0
    gradient = gradients(views, rows).codes
    assert rows(views).value.isfinite()
    assert torch.equal(gradient[2], torch.zeros(8, dtype=torch.float64))
    assert gradient.abs().sum() > 0


@pytest.mark.parametrize("fill", [0.0, 1.0])
def test_rows_of_equal_rows_is_log_n(fill: float) -> None:
    same = torch.full((8, 5), fill)
    assert float(rows(views_of(same, same)).value) == pytest.approx(math.log(8), rel=1e-5)


@pytest.mark.parametrize("n_pairs", [1, 5])
def test_rows_without_any_negative_is_zero_and_has_no_gradient(n_pairs: int) -> None:
    views = random_views(n_pairs, 8, pairs=PairIds(torch.zeros(n_pairs, dtype=torch.int64)))
    term = rows(views)
    assert (term.value.item(), term.n_compared) == (0.0, 0)
    assert term.compared == "pairs with a negative"
    assert gradients(views, rows).codes.abs().max() == 0


def test_a_pair_without_a_negative_is_left_out_of_the_mean() -> None:
    # Pair 2 shares its sequence with pair 0 and its group with pair 1.
    views = random_views(3, 8, pairs=PairIds(torch.tensor([0, 1, 0]), torch.tensor([0, 1, 1])))
    term = rows(views)
    without = rows(
        replace(
            views,
            codes=views.codes[:4],
            pre_activations=views.pre_activations[:4],
            pairs=all_apart(2),
        )
    )
    assert float(term.value) == pytest.approx(float(without.value), rel=1e-12)
    assert term.n_compared == without.n_compared == 2


@pytest.mark.parametrize("broken", [math.nan, math.inf])
def test_rows_is_nan_where_a_pair_without_a_negative_is_not_finite(broken: float) -> None:
    views = random_views(4, 8, pairs=PairIds(torch.zeros(4, dtype=torch.int64)))
    views.codes[4, 3] = broken
    assert rows(views).value.isnan()


def test_a_head_lies_between_the_codes_and_their_cosines() -> None:
    views = random_views(n_latents=20)
    head = nn.Linear(20, 6, bias=False, dtype=torch.float64)
    projected = (views.codes @ head.weight.T).detach()
    by_hand = replace(views, codes=projected, pre_activations=projected, profiles=None)
    value = rows(replace(views, head=head)).value
    assert value.item() == pytest.approx(float(rows(by_hand).value), rel=1e-12)
    value.backward()
    assert head.weight.grad is not None
    assert head.weight.grad.abs().sum() > 0


def test_a_head_is_computed_in_float32_inside_autocast() -> None:
    views = random_views(n_latents=20)
    narrow = replace(views, codes=views.codes.bfloat16(), head=nn.Linear(20, 6))
    with torch.autocast("cpu", dtype=torch.bfloat16):
        inside = rows(narrow).value
    assert torch.equal(inside, rows(narrow).value)


def test_a_learned_temperature_is_used_and_gets_a_gradient() -> None:
    temperature = torch.tensor(0.3, dtype=torch.float64, requires_grad=True)
    views = replace(random_views(), learned_temperature=temperature)
    value = rows(views, temperature="learned").value
    assert value.item() == pytest.approx(float(rows(views, temperature=0.3).value), rel=1e-12)
    assert torch.autograd.gradcheck(
        lambda t: rows(replace(views, learned_temperature=t), temperature="learned").value,
        (temperature,),
    )
