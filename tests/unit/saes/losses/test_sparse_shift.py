"""sparse_shift against a slow reference, known answers, masks and the reach of its gradient."""

import math
from dataclasses import replace

import pytest
import torch
from torch import Tensor

from csae_bench.saes.losses import sparse_shift
from csae_bench.saes.losses.shifts import participation
from csae_bench.saes.views import Views
from tests.unit.saes.losses.builders import (
    gradient_is_right,
    gradients,
    random_views,
    readings_slowly,
    term_of,
    views_of,
)

# what keeps the ratio finite moves it by this much at sizes of 1
CLOSE = 1e-3


def sparse_shift_slowly(views: Views, on: str) -> float:
    norms = views.decoder_norms
    lengths = [1.0] * views.codes.shape[1] if norms is None else norms.tolist()
    each: list[float] = []
    for one, other in zip(*readings_slowly(views, on), strict=True):
        shift = [d * (b - a) for d, a, b in zip(lengths, one, other, strict=True)]
        l1 = sum(abs(u) for u in shift) + 1e-4
        l2 = math.sqrt(sum(u * u for u in shift) + 1e-8)
        each.append(math.log(l1 / l2))
    return sum(each) / len(each)


@pytest.mark.parametrize("on", ["codes", "pre_activations", "union"])
@pytest.mark.parametrize("seed", [0, 1])
def test_sparse_shift_equals_the_definition(seed: int, on: str) -> None:
    views = random_views(seed=seed)
    norms = torch.linspace(0.2, 3.0, views.codes.shape[1], dtype=torch.float64)
    for with_norms in (views, replace(views, decoder_norms=norms)):
        value = float(term_of("sparse_shift", on=on)(with_norms).value)
        assert value == pytest.approx(sparse_shift_slowly(with_norms, on), rel=1e-12)


def _shift(*changes: float, n_latents: int = 6) -> Views:
    """A pair whose code changes by this much, latent by latent."""
    anchor, changed = torch.zeros(1, n_latents), torch.zeros(1, n_latents)
    for latent, change in enumerate(changes):
        (changed if change > 0 else anchor)[0, latent] = abs(change)
    return views_of(anchor, changed)


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ((2.0,), 0.0),
        ((-1.0, 1.0), math.log(math.sqrt(2))),
        ((3.0, -3.0, 3.0, -3.0), math.log(2)),
        ((4.0, 3.0), math.log(7 / 5)),
    ],
    ids=["one latent", "one off and one on", "four alike", "4 and 3"],
)
def test_known_answers(changes: tuple[float, ...], expected: float) -> None:
    assert float(sparse_shift(_shift(*changes)).value) == pytest.approx(expected, abs=CLOSE)


def test_what_stays_does_not_count() -> None:
    changed = _shift(-1.0, 1.0)
    kept = torch.zeros(2, 6)
    kept[:, 3:] = 5.0
    assert torch.equal(
        sparse_shift(replace(changed, codes=changed.codes + kept)).value,
        sparse_shift(changed).value,
    )


def test_the_size_of_a_change_does_not_count() -> None:
    assert float(sparse_shift(_shift(-0.5, 0.5)).value) == pytest.approx(
        float(sparse_shift(_shift(-50.0, 50.0)).value), abs=CLOSE
    )


def test_a_latent_counts_in_units_of_the_activations() -> None:
    views = _shift(-1.0, 0.25)
    norms = torch.tensor([1.0, 4.0, 1.0, 1.0, 1.0, 1.0])
    assert float(sparse_shift(replace(views, decoder_norms=norms)).value) == pytest.approx(
        math.log(math.sqrt(2)), abs=CLOSE
    )


def test_pairs_without_a_change_count_as_zero_and_get_no_gradient() -> None:
    anchors, changed = torch.eye(4, 6), torch.eye(4, 6)
    anchors[0, 5] = 1.0
    changed[0, 4] = 1.0
    views = views_of(anchors, changed)
    term = sparse_shift(views)
    assert term.n_compared == 1
    assert float(term.value) == pytest.approx(math.log(math.sqrt(2)) / 4, abs=CLOSE)
    assert gradients(views, sparse_shift).codes[2:].abs().max() == 0


def test_without_any_change_it_is_zero_and_says_what_is_missing() -> None:
    term = sparse_shift(views_of(torch.eye(4), torch.eye(4)))
    assert (float(term.value), term.n_compared) == (0.0, 0)
    assert term.compared == "pairs whose codes differ"


def test_sparse_shift_has_the_right_gradient_in_units_of_the_activations() -> None:
    views = random_views(6, 8)
    norms = torch.linspace(0.5, 2.0, 8, dtype=torch.float64)
    term = term_of("sparse_shift", on="codes")
    assert gradient_is_right(replace(views, decoder_norms=norms), term)


def test_a_silent_latent_of_the_union_is_moved_towards_the_active_one() -> None:
    """The small one of two changes shrinks from both sides, the large one grows."""
    anchors = torch.tensor([[3.0, 0.5, 0.0]])
    changed = torch.tensor([[0.0, 0.0, 0.0]])
    pre = (anchors.clone(), torch.tensor([[-1.0, -1.0, -1.0]]))
    views = views_of(anchors, changed, pre_activations=pre)
    reached = gradients(views, sparse_shift)
    assert reached.codes[0, 1] > 0  # a step lowers the smaller code
    assert reached.pre_activations[1, 1] < 0  # and raises the silent one
    assert reached.codes[0, 0] < 0
    assert reached.pre_activations[1, 0] > 0
    assert reached.pre_activations[:, 2].abs().max() == 0


def test_a_step_along_the_gradient_lowers_the_participation() -> None:
    views = random_views(32, 20)
    gradient = gradients(views, term_of("sparse_shift", on="codes")).codes
    stepped = replace(views, codes=views.codes - 0.1 * gradient)
    before, after = (
        participation(each.codes[1::2] - each.codes[0::2]).mean() for each in (views, stepped)
    )
    assert after < before


@pytest.mark.parametrize(
    ("change", "expected"), [([5.0], 1.0), ([2.0, -2.0, 2.0], 3.0), ([4.0, 3.0], 49 / 25)]
)
def test_participation_counts_the_latents_that_make_a_change(
    change: list[float], expected: float
) -> None:
    shift = torch.zeros(2, 6)
    shift[0, : len(change)] = torch.tensor(change)
    counts: Tensor = participation(shift)
    assert counts.tolist() == pytest.approx([expected])  # the pair without a change is left out
