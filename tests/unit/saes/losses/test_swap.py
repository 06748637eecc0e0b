"""swap against a slow reference, known answers and masks; and the profiles that it turns to."""

from dataclasses import replace

import pytest
import torch

from csae_bench.errors import TrainingError
from csae_bench.saes.losses import swap
from csae_bench.saes.pair_ids import PairIds
from csae_bench.saes.profiles import DECAY, ValueProfiles
from csae_bench.saes.views import Views
from tests.unit.saes.losses.builders import (
    N_VALUES,
    cosine_slowly,
    gradient_is_right,
    gradients,
    profiles_slowly,
    random_views,
    readings_slowly,
    term_of,
    views_of,
)


def swap_slowly(views: Views, on: str) -> float:
    assert views.profiles is not None
    assert views.pairs.values is not None
    profiles = views.profiles.tolist()
    each: list[float] = []
    readings = zip(*readings_slowly(views, on), views.pairs.values.tolist(), strict=True)
    for one, other, (old, new) in readings:
        if old < 0 or new < 0:
            continue
        squares = [[p * p for p in profiles[value]] for value in (old, new)]
        lengths = [sum(p * p for p in square) ** 0.5 for square in squares]
        if not all(lengths):
            continue
        goal = [n / lengths[1] - o / lengths[0] for o, n in zip(*squares, strict=True)]
        shift = [b - a for a, b in zip(one, other, strict=True)]
        each.append(1 - cosine_slowly(shift, goal))
    return sum(each) / len(each)


@pytest.mark.parametrize("on", ["codes", "pre_activations", "union"])
@pytest.mark.parametrize("seed", [0, 1])
def test_swap_equals_the_definition(seed: int, on: str) -> None:
    views = random_views(seed=seed)
    value = float(term_of("swap", on=on)(views).value)
    assert value == pytest.approx(swap_slowly(views, on), rel=1e-9)


def _one_off_one_on(changes: list[float], values: tuple[int, int] = (0, 1)) -> Views:
    """Latent 0 is value 0's, latent 1 value 1's; the code changes by this much."""
    shift = torch.tensor([changes])
    return replace(
        views_of((-shift).relu(), shift.relu()),
        pairs=PairIds(torch.arange(1), values=torch.tensor([values])),
        profiles=torch.eye(2, shift.shape[1]),
    )


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ([-1.0, 1.0, 0.0], 0.0),
        ([1.0, -1.0, 0.0], 2.0),
        ([0.0, 0.0, 1.0], 1.0),
        ([0.0, 2.0, 0.0], 1 - 0.5**0.5),
    ],
    ids=["the two values' latents", "the wrong way round", "another latent", "one of the two"],
)
def test_known_answers(changes: list[float], expected: float) -> None:
    assert float(swap(_one_off_one_on(changes)).value) == pytest.approx(expected, abs=1e-6)


@pytest.mark.parametrize("values", [(-1, -1), (0, -1), (2, 0)], ids=str)
def test_pairs_whose_values_or_profiles_are_not_known_are_left_out(values: tuple[int, int]) -> None:
    views = _one_off_one_on([-1.0, 1.0, 0.0], values)
    term = swap(replace(views, profiles=torch.eye(3, 3).index_fill(0, torch.tensor([2]), 0)))
    assert (float(term.value), term.n_compared) == (0.0, 0)
    assert term.compared == "pairs of which the changed values are known"


def test_swap_has_the_right_gradient_where_some_values_are_not_known() -> None:
    views = random_views(6, 8)
    values = views.pairs.values
    assert values is not None
    some = values.masked_fill(torch.arange(6)[:, None] < 2, -1)
    views = replace(views, pairs=replace(views.pairs, values=some))
    term = term_of("swap", on="codes")
    assert term(views).n_compared == 4
    assert gradient_is_right(views, term)
    assert gradients(views, term).codes[:4].abs().max() == 0


def test_profiles_are_those_of_the_first_batch_and_then_a_debiased_running_mean() -> None:
    profiles = ValueProfiles(N_VALUES, 20, "cpu").double()
    first, second = random_views(seed=1), random_views(seed=2)
    for views in (first, second):
        profiles.update(views)
    each = [views.profiles for views in (first, second)]
    assert each[0] is not None and each[1] is not None  # noqa: PT018
    expected = (DECAY * each[0] + each[1]) / (1 + DECAY)
    assert torch.allclose(profiles.latest(), expected, rtol=1e-6)


def test_a_value_that_a_batch_lacks_keeps_its_profile() -> None:
    views = _one_off_one_on([-1.0, 1.0, 0.0])
    profiles = ValueProfiles(3, 3, "cpu")
    profiles.update(views)
    before = profiles.latest()
    profiles.update(_one_off_one_on([0.0, 0.5, 0.0], (2, 1)))
    assert torch.equal(profiles.latest()[0], before[0])
    assert profiles.latest()[2].abs().max() == 0
    assert profiles.latest()[1, 1] < before[1, 1]


def test_profiles_of_values_slowly_and_fast_agree() -> None:
    views = random_views(seed=3)
    values = views.pairs.values
    assert values is not None
    profiles = ValueProfiles(N_VALUES, 20, "cpu").double()
    profiles.update(views)
    assert torch.allclose(profiles.latest(), profiles_slowly(views.codes, values), rtol=1e-6)


def test_more_values_than_profiles_is_an_error_that_names_the_setting() -> None:
    with pytest.raises(TrainingError, match=r"swap\.n_values is 2; .* at least 6"):
        ValueProfiles(2, 3, "cpu").update(_one_off_one_on([-1.0, 1.0, 0.0], (5, 1)))
