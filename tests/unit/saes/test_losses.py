"""The loss terms against slow references, known answers and broken input."""

import math

import pytest
import torch
from torch import Tensor

from csae_bench.saes.losses import rows
from csae_bench.saes.pair_ids import PairIds

TEMPERATURE = 0.2


def views(n_pairs: int, n_latents: int, seed: int = 0) -> tuple[Tensor, Tensor]:
    """Sparse codes in float64 whose views have something in common."""
    generator = torch.Generator().manual_seed(seed)

    def draw() -> Tensor:
        return torch.randn(n_pairs, n_latents, generator=generator, dtype=torch.float64)

    shared = draw()
    return (shared + 0.5 * draw()).relu(), (shared + 0.5 * draw()).relu()


def all_apart(n_pairs: int) -> PairIds:
    return PairIds(torch.arange(n_pairs))


def rows_slowly(anchors: Tensor, positives: Tensor, pairs: PairIds, temperature: float) -> float:
    def similarity(x: Tensor, y: Tensor) -> float:
        return float(x @ y / (x.norm() * y.norm())) / temperature

    def alike(i: int, j: int) -> bool:
        same_sequence = bool(pairs.sequence[i] == pairs.sequence[j])
        return same_sequence or (pairs.group is not None and bool(pairs.group[i] == pairs.group[j]))

    losses = []
    for i in range(len(pairs)):
        matched = math.exp(similarity(anchors[i], positives[i]))
        negatives = [j for j in range(len(pairs)) if not alike(i, j)]
        if not negatives:
            continue
        to_positives = matched + sum(
            math.exp(similarity(anchors[i], positives[j])) for j in negatives
        )
        to_anchors = matched + sum(
            math.exp(similarity(positives[i], anchors[j])) for j in negatives
        )
        losses.append(-math.log(matched / to_positives) / 2 - math.log(matched / to_anchors) / 2)
    return sum(losses) / len(losses)


@pytest.mark.parametrize("with_groups", [False, True])
@pytest.mark.parametrize("temperature", [0.05, 0.2, 1.0])
def test_rows_equals_the_definition(temperature: float, with_groups: bool) -> None:
    anchors, positives = views(24, 40)
    generator = torch.Generator().manual_seed(1)
    sequence, group = torch.randint(0, 9, (2, 24), generator=generator)
    pairs = PairIds(sequence, group if with_groups else None)
    value = rows(anchors, positives, pairs, temperature=temperature)
    assert float(value) == pytest.approx(
        rows_slowly(anchors, positives, pairs, temperature), rel=1e-12
    )


def test_rows_has_the_right_gradient() -> None:
    anchors, positives = views(6, 5)
    pairs = PairIds(torch.tensor([0, 0, 1, 2, 3, 3]), torch.tensor([0, 1, 2, 2, 3, 4]))
    # Away from 0, where cosine has no derivative.
    anchors, positives = (anchors + 0.1).requires_grad_(), (positives + 0.1).requires_grad_()
    assert torch.autograd.gradcheck(
        lambda a, p: rows(a, p, pairs, temperature=TEMPERATURE), (anchors, positives)
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
    near = rows(*with_one_similarity(0.0), pairs, temperature=TEMPERATURE)
    far = rows(*with_one_similarity(math.pi / 2), pairs, temperature=TEMPERATURE)
    assert torch.equal(near, far)


def test_rows_counts_that_similarity_where_the_pairs_share_no_id() -> None:
    near = rows(*with_one_similarity(0.0), all_apart(4), temperature=TEMPERATURE)
    far = rows(*with_one_similarity(math.pi / 2), all_apart(4), temperature=TEMPERATURE)
    assert near > 2 * far


def test_rows_of_identical_views_that_differ_between_pairs_is_the_minimum() -> None:
    codes = torch.eye(16)
    value = rows(codes, codes, all_apart(16), temperature=TEMPERATURE)
    assert float(value) == pytest.approx(math.log(1 + 15 * math.exp(-1 / TEMPERATURE)), rel=1e-5)


def test_rows_of_shuffled_pairs_is_log_n() -> None:
    generator = torch.Generator().manual_seed(0)
    anchors, positives = torch.randn(2, 64, 4096, generator=generator)
    value = rows(anchors, positives, all_apart(64), temperature=TEMPERATURE)
    # Cosines have a standard deviation of 1/64: 0.08 after the temperature, 0.01 in their mean.
    assert float(value) == pytest.approx(math.log(64), abs=0.04)


def test_rows_is_symmetric_in_the_views() -> None:
    anchors, positives = views(12, 20)
    pairs = all_apart(12)
    there = rows(anchors, positives, pairs, temperature=TEMPERATURE)
    back = rows(positives, anchors, pairs, temperature=TEMPERATURE)
    assert float(there) == pytest.approx(float(back), rel=1e-12)


def test_rows_ignores_the_scale_of_each_row() -> None:
    anchors, positives = views(12, 20)
    scale = torch.linspace(0.1, 30, 12, dtype=torch.float64)[:, None]
    pairs = all_apart(12)
    plain = rows(anchors, positives, pairs, temperature=TEMPERATURE)
    scaled = rows(anchors * scale, positives / scale, pairs, temperature=TEMPERATURE)
    assert float(plain) == pytest.approx(float(scaled), rel=1e-9)


def test_a_row_of_zeros_is_unrelated_to_every_row_and_gets_no_gradient() -> None:
    anchors, positives = (view.clone() for view in views(4, 8))
    anchors[1] = 0
    anchors.requires_grad_()
    value = rows(anchors, positives, all_apart(4), temperature=TEMPERATURE)
    value.backward()
    assert value.isfinite()
    assert anchors.grad is not None
    assert torch.equal(anchors.grad[1], torch.zeros(8, dtype=torch.float64))
    assert anchors.grad[0].abs().sum() > 0


def test_rows_of_zeros_alone_is_log_n() -> None:
    zeros = torch.zeros(8, 5)
    value = rows(zeros, zeros, all_apart(8), temperature=TEMPERATURE)
    assert float(value) == pytest.approx(math.log(8), rel=1e-6)


def test_rows_of_equal_rows_is_log_n() -> None:
    ones = torch.ones(8, 5)
    value = rows(ones, ones, all_apart(8), temperature=TEMPERATURE)
    assert float(value) == pytest.approx(math.log(8), rel=1e-5)


@pytest.mark.parametrize("n_pairs", [1, 5])
def test_rows_without_any_negative_is_zero_and_has_no_gradient(n_pairs: int) -> None:
    anchors, positives = (view.requires_grad_() for view in views(n_pairs, 8))
    one_sequence = PairIds(torch.zeros(n_pairs, dtype=torch.int64))
    value = rows(anchors, positives, one_sequence, temperature=TEMPERATURE)
    value.backward()
    assert value.item() == pytest.approx(0.0, abs=1e-12)
    for view in (anchors, positives):
        assert view.grad is not None
        assert view.grad.abs().max() < 1e-12


def test_a_pair_without_a_negative_is_left_out_of_the_mean() -> None:
    anchors, positives = views(3, 8)
    # Pair 2 shares its sequence with pair 0 and its group with pair 1.
    pairs = PairIds(torch.tensor([0, 1, 0]), torch.tensor([0, 1, 1]))
    value = rows(anchors, positives, pairs, temperature=TEMPERATURE)
    without = rows(anchors[:2], positives[:2], all_apart(2), temperature=TEMPERATURE)
    assert float(value) == pytest.approx(float(without), rel=1e-12)


@pytest.mark.parametrize("broken", [math.nan, math.inf])
@pytest.mark.parametrize("ids", [[0, 1, 2, 3], [0, 0, 0, 0]])
def test_rows_is_nan_where_a_code_is_not_finite(broken: float, ids: list[int]) -> None:
    anchors, positives = (view.clone() for view in views(4, 8))
    anchors[2, 3] = broken
    assert rows(anchors, positives, PairIds(torch.tensor(ids)), temperature=TEMPERATURE).isnan()


def test_rows_is_computed_in_float32_inside_autocast() -> None:
    anchors, positives = (view.bfloat16() for view in views(32, 64))
    pairs = all_apart(32)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        inside = rows(anchors, positives, pairs, temperature=TEMPERATURE)
    outside = rows(anchors.float(), positives.float(), pairs, temperature=TEMPERATURE)
    assert inside.dtype == torch.float32
    assert torch.equal(inside, outside)
