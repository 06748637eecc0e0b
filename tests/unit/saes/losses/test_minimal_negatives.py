"""Minimal pairs as hard negatives of `rows` and `triplet`, against slow references."""

import math
from dataclasses import replace
from typing import Any

import pytest
import torch

from csae_bench.saes.losses import rows, triplet
from csae_bench.saes.pair_ids import PairIds
from csae_bench.saes.views import Changed, Views
from tests.unit.saes.losses.builders import (
    are_alike,
    cosine_slowly,
    random_views,
    readings_slowly,
    some_alike,
    term_of,
    views_of,
)

both = pytest.mark.parametrize("name", ["rows", "triplet"])


def with_minimal(views: Views, seed: int = 0, every: int = 2) -> Views:
    """Every second pair has a minimal pair: its anchor's code with some noise."""
    generator = torch.Generator().manual_seed(seed)
    pairs = torch.arange(0, views.n_pairs, every)
    pre = views.pre_activations[2 * pairs]
    pre = pre + 0.7 * torch.randn(pre.shape, generator=generator, dtype=pre.dtype)
    return replace(views, changed=Changed(pairs, pre * (pre > 0.3), pre))


def hard_slowly(views: Views, i: int, on: str) -> tuple[float, float] | None:
    """Cosines of pair i's rows with its minimal pair, if it has one."""
    changed = views.changed
    assert changed is not None
    if i not in changed.pairs.tolist():
        return None
    anchors, positives = readings_slowly(views, on)
    place = changed.pairs.tolist().index(i)
    row = (changed.pre_activations if on == "pre_activations" else changed.codes)[place].relu()
    return cosine_slowly(anchors[i], row.tolist()), cosine_slowly(positives[i], row.tolist())


def slowly(name: str, views: Views, on: str) -> float:
    anchors, positives = readings_slowly(views, on)
    n, each = len(anchors), list[float]()
    for i in range(n):
        others = [j for j in range(n) if not are_alike(views.pairs, i, j)]
        own = cosine_slowly(anchors[i], positives[i])
        sides = (
            [cosine_slowly(anchors[i], positives[j]) for j in others],
            [cosine_slowly(anchors[j], positives[i]) for j in others],
        )
        for side, hard in zip(sides, hard_slowly(views, i, on) or (), strict=False):
            side.append(hard)
        if not sides[0]:
            continue
        if name == "triplet":
            each.append(sum(max(0.0, 0.2 + max(side) - own) for side in sides) / 2)
        else:
            each.append(
                sum(
                    math.log(1 + sum(math.exp((one - own) / 0.2) for one in side)) for side in sides
                )
                / 2
            )
    return sum(each) / len(each)


@both
@pytest.mark.parametrize("on", ["codes", "pre_activations", "union"])
def test_a_minimal_pair_is_one_more_negative_of_both_rows(name: str, on: str) -> None:
    views = with_minimal(random_views(pairs=some_alike(24)))
    value = float(term_of(name, on=on, minimal_negatives=True)(views).value)
    assert value == pytest.approx(slowly(name, views, on), rel=1e-9)


@both
def test_the_gradient_is_right_in_all_three_rows(name: str) -> None:
    views = with_minimal(random_views(6, 8, pairs=PairIds(torch.tensor([0, 0, 1, 2, 3, 3]))))
    changed = views.changed
    assert changed is not None
    active, changed_active = views.codes > 0, changed.codes > 0

    def value(pre: torch.Tensor, of_changed: torch.Tensor) -> torch.Tensor:
        codes = of_changed * changed_active
        moved = replace(
            views,
            codes=pre * active,
            changed=replace(changed, codes=codes, pre_activations=of_changed),
        )
        settings: dict[str, Any] = {"margin": 0.6} if name == "triplet" else {}
        return term_of(name, minimal_negatives=True, **settings)(moved).value

    leaves = (
        views.pre_activations.clone().requires_grad_(),
        changed.pre_activations.clone().requires_grad_(),
    )
    assert torch.autograd.gradcheck(value, leaves)


@both
def test_without_minimal_pairs_the_value_is_the_same(name: str) -> None:
    views = random_views(pairs=some_alike(24))
    plain = term_of(name)(views).value
    empty = Changed(torch.arange(0), views.codes[:0], views.pre_activations[:0])
    for each in (views, replace(views, changed=empty)):
        assert torch.allclose(term_of(name, minimal_negatives=True)(each).value, plain, rtol=1e-12)


@both
def test_they_count_only_where_they_are_asked_for(name: str) -> None:
    views = random_views()
    assert torch.equal(term_of(name)(with_minimal(views)).value, term_of(name)(views).value)


def test_a_pair_whose_only_negative_is_its_minimal_pair_takes_part() -> None:
    views = views_of(torch.eye(1, 4), torch.eye(1, 4))
    code = torch.tensor([[0.0, 1.0, 0.0, 0.0]])
    views = replace(views, changed=Changed(torch.arange(1), code, code))
    term = rows(views, minimal_negatives=True)
    assert term.n_compared == 1
    assert float(term.value) == pytest.approx(math.log(1 + math.exp(-5)), rel=1e-5)
    assert triplet(views, minimal_negatives=True).n_compared == 1


def test_a_head_and_a_learned_temperature_apply_to_minimal_pairs_as_well() -> None:
    views = with_minimal(random_views(n_latents=20))
    head = torch.nn.Linear(20, 6, bias=False, dtype=torch.float64)
    by_hand = replace(
        views,
        codes=(views.codes @ head.weight.T).detach(),
        pre_activations=(views.codes @ head.weight.T).detach(),
        profiles=None,
        changed=None
        if views.changed is None
        else replace(views.changed, codes=(views.changed.codes @ head.weight.T).detach(),
                     pre_activations=(views.changed.codes @ head.weight.T).detach()),
    )  # fmt: skip
    warm = replace(views, head=head, learned_temperature=torch.tensor(0.5, dtype=torch.float64))
    value = rows(warm, temperature="learned", minimal_negatives=True).value
    expected = rows(by_hand, temperature=0.5, minimal_negatives=True).value
    assert float(value.detach()) == pytest.approx(float(expected), rel=1e-9)
