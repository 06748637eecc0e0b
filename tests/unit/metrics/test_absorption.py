"""Absorption on codes in which it was planted."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from csae_bench.metrics.absorption import absorption, best_cut
from csae_bench.metrics.data import Factors
from csae_bench.metrics.errors import MetricInputError

PARENTS = {"topic": "domain"}
ORACLE = tuple(range(12))


def _world(repeats: int = 100) -> tuple[Factors, NDArray[Any]]:
    """Three domains of three topics each; a latent for each domain, and one for each topic."""
    topic = np.tile(np.arange(9), repeats)
    factors = Factors(
        np.stack([topic // 3, topic], axis=1),
        ("domain", "topic"),
        (("science", "sport", "art"), tuple("abcdefghi")),
    )
    return factors, factors.one_hot(np.float64)


def test_an_oracle_code_absorbs_nothing() -> None:
    factors, codes = _world()
    absorbed = absorption(codes, factors, PARENTS, ORACLE)
    assert absorbed.rate.value == absorbed.excess.value == 0
    assert {one.parent_recall for one in absorbed.children} == {1}


@pytest.mark.parametrize("planted", [0.1, 0.5, 1.0])
def test_absorption_planted_at_a_rate_is_measured_as_that_rate(planted: float) -> None:
    factors, codes = _world()
    rows = np.flatnonzero(factors.values[:, 1] == 4)
    codes[rows[: int(planted * len(rows))], 1] = 0
    absorbed = absorption(codes, factors, PARENTS, ORACLE)
    rates = {one.child[1]: one.rate for one in absorbed.children}
    assert rates == {name: planted if name == "e" else 0 for name in "abcdefghi"}
    assert absorbed.rate.value == pytest.approx(planted / 9)
    (hit,) = (one for one in absorbed.children if one.rate)
    assert hit.parent == ("domain", "sport")
    assert hit.recall == pytest.approx(1 - planted)
    assert hit.parent_recall == pytest.approx(1 - planted / 3)
    assert hit.expected == pytest.approx(planted / 3)


def test_a_parent_that_is_silent_by_chance_has_a_rate_and_no_excess() -> None:
    factors, codes = _world(2000)
    rng = np.random.default_rng(0)
    codes[:, :3] *= rng.random((factors.n, 3)) < 0.7
    absorbed = absorption(codes, factors, PARENTS, ORACLE)
    # 2000 samples of each topic: a rate varies by .01
    assert absorbed.rate.value == pytest.approx(0.3, abs=0.02)
    assert absorbed.excess.value == pytest.approx(0, abs=0.02)


def test_the_excess_of_absorbed_children_does_not_cancel_with_that_of_their_siblings() -> None:
    factors, codes = _world()
    for topic in (0, 3, 6):  # one of each domain's three
        codes[factors.values[:, 1] == topic, topic // 3] = 0
    absorbed = absorption(codes, factors, PARENTS, ORACLE)
    assert absorbed.rate.value == pytest.approx(1 / 3)
    # 1 less the third of which the parent is silent; its siblings have -1/3 each
    assert absorbed.excess.value == pytest.approx((1 - 1 / 3) / 3)


def test_pooled_codes_are_silent_below_the_cut_that_tells_the_value() -> None:
    factors, codes = _world()
    rows = np.flatnonzero(factors.values[:, 1] == 4)
    codes[rows[:25], 1] = 0
    noise = np.random.default_rng(0).random(codes.shape) / 4
    assert absorption(codes + noise, factors, PARENTS, ORACLE).rate.value == pytest.approx(0.25 / 9)


def test_the_cut_of_a_latent_that_fires_with_its_value_alone_is_zero() -> None:
    has_value = np.array([True, True, False, False])
    assert best_cut(np.array([0.3, 2.0, 0.0, 0.0]), has_value) == 0
    assert best_cut(np.array([0.3, 2.0, 0.1, 0.2]), has_value) == 0.2
    assert best_cut(np.zeros(4), has_value) == 0


def test_a_synthetic_child_is_judged_where_it_is_active() -> None:
    parent = np.tile([0, 1, 1, 1], 50)
    child = np.tile([0, 0, 1, 1], 50)
    factors = Factors(np.stack([parent, child], axis=1), ("p", "c"), (("silent", "active"),) * 2)
    codes = np.stack([parent * (child == 0), child], axis=1) * 1.0
    absorbed = absorption(codes, factors, {"c": "p"}, (None, 0, None, 1))
    (only,) = absorbed.children
    assert (only.parent, only.child) == (("p", "active"), ("c", "active"))
    assert only.rate == 1
    assert only.parent_recall == pytest.approx(1 / 3)


def test_what_is_undefined_has_a_reason() -> None:
    factors, codes = _world()
    none = absorption(codes, factors, {}, ORACLE)
    assert none.rate.value is none.excess.value is None
    assert none.rate.reason == "no factor of this dataset is the parent of another"
    without = absorption(codes, factors, PARENTS, (0, None, 0, *ORACLE[3:]))
    reasons = {one.child[1]: one.reason for one in without.children}
    assert (
        reasons["d"]
        == "no latent is more informative about domain 'sport' than under permuted factors"
    )
    assert reasons["a"] == ""
    assert without.rate.value is not None
    assert without.rate.by_factor["domain"] is None
    assert without.rate.reason_by_factor["domain"] == "'domain' has no parent"
    shared = absorption(
        codes, factors, PARENTS, (3, 4, 5, 3, None, None, 4, None, None, 5, None, None)
    )
    assert shared.rate.value is None
    assert "latent 3 is the best for domain 'science' too" in str(shared.rate.reason)


def test_latents_for_other_values_are_an_error() -> None:
    factors, codes = _world()
    with pytest.raises(MetricInputError, match="3 latents for 12 values"):
        absorption(codes, factors, PARENTS, (0, 1, 2))
