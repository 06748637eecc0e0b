"""What holds for every term of the table, so for one that is added to it as well."""

import inspect
import math
from dataclasses import replace
from typing import Any

import pytest
import torch

from csae_bench.config.loss_terms import LOSS_TERMS, TermSettings
from csae_bench.saes import losses
from csae_bench.saes.losses import TermValue
from csae_bench.saes.pair_ids import PairIds
from csae_bench.saes.views import LatentStatistics, Mixture, Views
from tests.unit.saes.losses.builders import (
    ALL_TERMS,
    Term,
    as_functions_of,
    gradient_is_right,
    gradients,
    random_views,
    statistics_of,
    swap_views,
    term_of,
    views_of,
)

SIDED = {"mixing"}
"""Terms that treat anchors and positives differently, by their docstrings."""

every_term = pytest.mark.parametrize("name", ALL_TERMS)
readings = pytest.mark.parametrize(
    "name", [name for name in ALL_TERMS if "on" in LOSS_TERMS[name].model_fields]
)


def nothing_to_compare(views: Views) -> Views:
    """One sequence, no latent that fires, nothing mixed."""
    silent = -views.pre_activations.abs()
    return replace(
        views,
        codes=torch.zeros_like(views.codes),
        pre_activations=silent,
        pairs=PairIds(torch.zeros(views.n_pairs, dtype=torch.int64)),
        profiles=None,
        statistics=statistics_of(torch.zeros_like(views.codes)),
        mixture=None,
    )


READING = {
    name: settings.model_fields["on"].default
    for name, settings in LOSS_TERMS.items()
    if "on" in settings.model_fields
}
"""What each term that can choose compares by default."""


@every_term
@pytest.mark.parametrize("seed", range(3))
def test_a_term_has_the_right_gradient(name: str, seed: int) -> None:
    straight_through = name in READING and READING[name] == "union"
    settings = {"on": "codes"} if straight_through else {}
    assert gradient_is_right(random_views(7, 6, seed), term_of(name, **settings))


@pytest.mark.parametrize("name", sorted(READING))
def test_the_union_passes_the_gradient_of_a_silent_code_to_its_pre_activation(name: str) -> None:
    views = random_views(9, 8)
    of_codes = gradients(views, term_of(name, on="codes")).codes
    of_union = gradients(views, term_of(name, on="union"))
    active = views.codes > 0
    either = (active[0::2] | active[1::2]).repeat_interleave(2, dim=0)
    assert torch.equal(of_union.codes, of_codes)
    assert torch.equal(of_union.pre_activations, of_codes * (either & ~active))
    assert of_union.pre_activations.abs().sum() > 0


@every_term
def test_a_term_is_at_least_zero_and_says_on_what_it_stands(name: str) -> None:
    for seed in range(5):
        result = term_of(name)(random_views(seed=seed))
        assert isinstance(result, TermValue)
        assert result.value.shape == ()
        assert result.value >= 0
        assert result.n_compared > 0


@every_term
def test_a_term_is_lower_for_pairs_than_for_shuffled_pairs(name: str) -> None:
    views = random_views(64, 20)
    partners = torch.arange(128)
    partners[1::2] = partners[1::2].roll(2)
    shuffled = replace(
        views, codes=views.codes[partners], pre_activations=views.pre_activations[partners]
    )
    assert term_of(name)(views).value < term_of(name)(shuffled).value


@every_term
def test_a_term_ignores_the_order_of_the_latents(name: str) -> None:
    views = random_views()
    order = torch.randperm(20, generator=torch.Generator().manual_seed(1))
    mixture = views.mixture
    assert mixture is not None
    ordered = replace(
        views,
        codes=views.codes[:, order],
        pre_activations=views.pre_activations[:, order],
        statistics=LatentStatistics(
            *(each[order] if each.ndim else each for each in views.statistics)
        ),
        mixture=Mixture(
            mixture.anchors,
            mixture.codes[:, order],
            mixture.pre_activations[:, order],
            mixture.exchanged[:, order],
        ),
        profiles=None if views.profiles is None else views.profiles[:, order],
    )
    term = term_of(name)
    assert float(term(views).value) == pytest.approx(float(term(ordered).value), rel=1e-9)


@pytest.mark.parametrize("name", sorted(set(ALL_TERMS) - SIDED))
def test_a_term_is_symmetric_in_the_views(name: str) -> None:
    views, term = random_views(), term_of(name)
    assert float(term(views).value) == pytest.approx(
        float(term(swap_views(views)).value), rel=1e-12
    )


def narrow(views: Views, dtype: torch.dtype) -> Views:
    mixture = views.mixture
    assert mixture is not None
    return replace(
        views,
        codes=views.codes.to(dtype),
        pre_activations=views.pre_activations.to(dtype),
        statistics=LatentStatistics(*(each.float() for each in views.statistics)),
        mixture=replace(
            mixture,
            codes=mixture.codes.to(dtype),
            pre_activations=mixture.pre_activations.to(dtype),
        ),
    )


@every_term
def test_a_term_is_float32_inside_autocast_and_the_same_as_outside(name: str) -> None:
    term, views = term_of(name), narrow(random_views(32, 64), torch.bfloat16)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        inside = term(views).value
    outside = term(views).value
    # bfloat16 values are float32 values: only the arithmetic may differ, and must not
    widened = term(narrow(narrow(random_views(32, 64), torch.bfloat16), torch.float32)).value
    assert inside.dtype == outside.dtype == torch.float32
    assert torch.equal(inside, outside)
    assert torch.equal(inside, widened)


@every_term
def test_a_term_in_float32_agrees_with_float64(name: str) -> None:
    term, views = term_of(name), random_views(32, 64)
    assert float(term(narrow(views, torch.float32)).value) == pytest.approx(
        float(term(views).value), rel=1e-5
    )


@every_term
def test_a_term_without_anything_to_compare_is_exactly_zero_and_says_what_is_missing(
    name: str,
) -> None:
    result = getattr(losses, name)(nothing_to_compare(random_views()))
    assert (float(result.value), result.n_compared) == (0.0, 0)
    assert result.compared.split()[0] in {"pairs", "latents", "mixtures"}


@every_term
@pytest.mark.parametrize("n_pairs", [1, 2, 9])
def test_a_term_of_one_sequence_is_finite(name: str, n_pairs: int) -> None:
    one_sequence = PairIds(torch.zeros(n_pairs, dtype=torch.int64))
    views = random_views(n_pairs, 12, pairs=one_sequence)
    assert getattr(losses, name)(views).value.isfinite()
    assert all(each.isfinite().all() for each in _safe_gradients(views, term_of(name)))


@every_term
@pytest.mark.parametrize("fill", [0.0, 1.0])
def test_a_term_of_equal_rows_is_finite_and_so_is_its_gradient(name: str, fill: float) -> None:
    same = torch.full((12, 10), fill)
    mixed = torch.full((12, 10), fill)
    exchanged = torch.zeros(12, 10, dtype=torch.bool)
    exchanged[:, :4] = True
    views = views_of(same, same, mixture=Mixture(torch.arange(12), mixed, mixed, exchanged))
    assert term_of(name)(views).value.isfinite()
    assert all(each.isfinite().all() for each in _safe_gradients(views, term_of(name)))


@readings
@pytest.mark.parametrize("on", ["codes", "pre_activations", "union"])
@pytest.mark.parametrize("broken", [math.nan, math.inf])
@pytest.mark.parametrize("was_active", [False, True])
def test_a_value_that_is_not_finite_comes_out_as_nan(
    name: str, on: str, broken: float, was_active: bool
) -> None:
    views = random_views()
    codes, pre = views.codes.clone(), views.pre_activations.clone()
    row, latent = ((codes > 0) == was_active).nonzero()[7].tolist()
    codes[row, latent] = pre[row, latent] = broken
    wrong = replace(views, codes=codes, pre_activations=pre)
    assert term_of(name, on=on)(wrong).value.isnan()


@readings
@pytest.mark.parametrize(
    ("on", "reaches"),
    [
        ("codes", {"active"}),
        ("pre_activations", {"active", "inactive above 0"}),
        ("union", {"active", "inactive above 0", "inactive below 0"}),
    ],
)
def test_gradients_reach_inactive_latents_as_the_reading_says(
    name: str, on: str, reaches: set[str]
) -> None:
    views = random_views()
    value, leaves = as_functions_of(views, term_of(name, on=on))
    value(*leaves).backward()
    gradient, pre = leaves[0].grad, views.pre_activations
    assert gradient is not None
    active = views.codes > 0
    kinds = {
        "active": active,
        "inactive above 0": ~active & (pre > 0),
        "inactive below 0": ~active & (pre < 0),
    }
    assert {kind for kind, of in kinds.items() if gradient[of].abs().sum() > 0} == reaches


@readings
def test_the_union_gives_no_gradient_to_latents_that_are_silent_in_both_views(name: str) -> None:
    views = random_views()
    value, leaves = as_functions_of(views, term_of(name, on="union"))
    value(*leaves).backward()
    active = views.codes > 0
    neither = (~active[0::2] & ~active[1::2]).repeat_interleave(2, dim=0)
    assert leaves[0].grad is not None
    assert leaves[0].grad[neither].abs().sum() == 0


@every_term
def test_no_gradient_flows_into_the_statistics(name: str) -> None:
    views = random_views()
    statistics = LatentStatistics(*(each.clone() for each in views.statistics))
    before = [each.clone() for each in statistics]
    gradients(replace(views, statistics=statistics), term_of(name))
    for each, was in zip(statistics, before, strict=True):
        assert not each.requires_grad
        assert torch.equal(each, was)


NOT_THE_FUNCTIONS = {
    "rows": {"projection", "projection_width"},
    "mixing": {"targeting", "temperature", "share"},
    "swap": {"n_values"},
}
"""What heads.py and mixing.py take of a term's settings."""


@every_term
def test_the_function_of_a_term_takes_its_own_settings_with_the_defaults_of_the_table(
    name: str,
) -> None:
    settings = LOSS_TERMS[name]()
    general = set(TermSettings.model_fields) | NOT_THE_FUNCTIONS.get(name, set())
    parameters = inspect.signature(getattr(losses, name)).parameters.values()
    taken: dict[str, Any] = {
        each.name: each.default for each in parameters if each.kind is each.KEYWORD_ONLY
    }
    assert taken == settings.model_dump(exclude=general)


def _safe_gradients(views: Views, term: Term) -> list[torch.Tensor]:
    """Gradients of the value where it has any."""
    value, leaves = as_functions_of(views, term)
    result = value(*leaves)
    if result.requires_grad:
        result.backward()
    return [torch.zeros(()) if leaf.grad is None else leaf.grad for leaf in leaves]
