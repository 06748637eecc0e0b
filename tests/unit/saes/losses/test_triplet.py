"""triplet against a slow reference, known answers and masks."""

import math
from dataclasses import replace

import pytest
import torch

from csae_bench.saes.losses import triplet
from csae_bench.saes.pair_ids import PairIds
from csae_bench.saes.views import Views
from tests.unit.saes.losses.builders import (
    are_alike,
    cosine_slowly,
    gradient_is_right,
    gradients,
    random_views,
    readings_slowly,
    some_alike,
    swap_views,
    term_of,
    views_of,
)


def triplet_slowly(views: Views, margin: float, on: str = "codes") -> float:
    anchors, positives = readings_slowly(views, on)
    collected: list[float] = []
    for i in range(len(views.pairs)):
        negatives = [j for j in range(len(views.pairs)) if not are_alike(views.pairs, i, j)]
        if not negatives:
            continue
        own = cosine_slowly(anchors[i], positives[i])
        hardest = max(cosine_slowly(anchors[i], positives[j]) for j in negatives)
        hardest_back = max(cosine_slowly(anchors[j], positives[i]) for j in negatives)
        collected.append(
            (max(0.0, margin + hardest - own) + max(0.0, margin + hardest_back - own)) / 2
        )
    return sum(collected) / len(collected)


@pytest.mark.parametrize("on", ["codes", "pre_activations", "union"])
@pytest.mark.parametrize("margin", [0.05, 0.2, 1.0])
@pytest.mark.parametrize("seed", [0, 1])
def test_triplet_equals_the_definition(seed: int, margin: float, on: str) -> None:
    views = random_views(seed=seed, pairs=some_alike(24, seed))
    value = term_of("triplet", margin=margin, on=on)(views).value
    assert float(value) == pytest.approx(triplet_slowly(views, margin, on), rel=1e-12)


@pytest.mark.parametrize("on", ["codes", "pre_activations"])
def test_triplet_has_the_right_gradient(on: str) -> None:
    views = random_views(6, 8, pairs=PairIds(torch.tensor([0, 0, 1, 2, 3, 3])))
    assert gradient_is_right(views, term_of("triplet", margin=0.6, on=on))


def test_triplet_of_identical_views_that_differ_between_pairs_is_zero() -> None:
    assert triplet(views_of(torch.eye(8), torch.eye(8))).value == 0


def test_triplet_of_equal_rows_is_the_margin() -> None:
    same = torch.ones(8, 5)
    assert float(triplet(views_of(same, same), margin=0.3).value) == pytest.approx(0.3, rel=1e-6)


def test_triplet_of_pairs_that_are_exchanged_is_its_maximum() -> None:
    anchors = torch.tensor([[1.0, 0.0], [-1.0, 0.0]])
    value = triplet(views_of(anchors, -anchors), margin=0.2).value
    assert float(value) == pytest.approx(2.2, rel=1e-6)


@pytest.mark.parametrize(
    "pairs",
    [
        PairIds(torch.tensor([0, 0, 1, 2])),
        PairIds(torch.arange(4), group=torch.tensor([0, 0, 1, 2])),
    ],
    ids=["sequence", "group"],
)
def test_triplet_takes_no_negative_from_pairs_that_share_an_id(pairs: PairIds) -> None:
    values: list[float] = []
    for angle in (0.0, math.pi / 2):
        anchors, positives = torch.eye(4, 6), torch.eye(4, 6)
        anchors[0, 4] = 1.0
        positives[1, 4], positives[1, 5] = math.cos(angle), math.sin(angle)
        values.append(float(triplet(views_of(anchors, positives, pairs), margin=0.9).value))
        unmasked = triplet(views_of(anchors, positives), margin=0.9).value
        assert float(unmasked) >= values[-1]
    assert values[0] == values[1]


def test_triplet_is_symmetric_in_the_views() -> None:
    views = random_views(pairs=some_alike(24))
    assert float(triplet(views).value) == pytest.approx(
        float(triplet(swap_views(views)).value), rel=1e-12
    )


def test_triplet_ignores_the_scale_of_each_row() -> None:
    views = random_views()
    scale = torch.linspace(0.1, 30, 48, dtype=torch.float64)[:, None]
    scaled = replace(views, codes=views.codes * scale)
    assert float(triplet(views).value) == pytest.approx(float(triplet(scaled).value), rel=1e-9)


def test_only_the_hardest_negative_gets_a_gradient() -> None:
    anchors, positives = torch.eye(3, 6), torch.eye(3, 6)
    anchors[0, 4] = 1.0
    # Both are negatives within the margin of anchor 0, positive 1 is the nearer one.
    positives[1, 4], positives[2, 4] = 0.9, 0.7
    gradient = gradients(views_of(anchors, positives), term_of("triplet", margin=0.4)).codes
    assert gradient[2 * 1 + 1].abs().sum() > 0
    assert gradient[2 * 2 + 1].abs().sum() == 0


@pytest.mark.parametrize("n_pairs", [1, 5])
def test_triplet_without_any_negative_is_zero_and_has_no_gradient(n_pairs: int) -> None:
    views = random_views(n_pairs, 8, pairs=PairIds(torch.zeros(n_pairs, dtype=torch.int64)))
    term = triplet(views)
    assert (term.value.item(), term.n_compared) == (0.0, 0)
    assert term.compared == "pairs with a negative"
    assert gradients(views, triplet).codes.abs().max() == 0
