"""Modularity against the constants of disentanglement_lib's tests."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from csae_bench.metrics.modularity import latent_modularity, modularity, modularity_of
from tests.unit.metrics.code_worlds import one_hot, random, scalar
from tests.unit.metrics.test_dci import DIAGONAL, importances


def value(matrix: NDArray[np.float64]) -> float | None:
    return modularity_of(importances(matrix)).value


def test_a_diagonal_with_an_empty_row_has_two_thirds() -> None:
    assert value(np.array([[1.0, 0], [0, 1], [0, 0]])) == pytest.approx(2 / 3)


def test_a_diagonal_redundant_codes_and_missed_factors_have_one() -> None:
    for matrix in (DIAGONAL, np.vstack([DIAGONAL, DIAGONAL]), DIAGONAL[:2]):
        assert value(matrix) == pytest.approx(1)


def test_one_code_for_two_factors_has_eight_ninths() -> None:
    assert value(np.hstack([DIAGONAL, DIAGONAL])) == pytest.approx(1 - 1 / 9)


def test_tiny_information_does_not_vanish() -> None:
    assert latent_modularity(DIAGONAL * 1e-200) == pytest.approx(1)


def test_no_information_has_no_score_and_says_why() -> None:
    score = modularity_of(importances(np.zeros((3, 3))))
    assert score.value is None
    assert score.reason == "no latent is informative about any factor"


def test_scalar_codes_of_a_factorial_grid_have_one() -> None:
    score = modularity(*scalar())
    assert score.value == pytest.approx(1)
    assert list(score.by_factor.values()) == pytest.approx([1, 1, 1])


@pytest.mark.parametrize("seed", range(3))
def test_an_oracle_sae_has_one(seed: int) -> None:
    assert modularity(*one_hot(seed)).value == pytest.approx(1, abs=1e-3)


@pytest.mark.parametrize("seed", range(3))
def test_latents_that_answer_to_two_factors_have_half_of_it(seed: int) -> None:
    factors = np.random.default_rng(seed).integers(0, 2, (4000, 3))
    codes = factors[:, [0, 1, 2]] + 2 * factors[:, [1, 2, 0]]
    assert modularity(codes, factors).value == pytest.approx(0.5, abs=0.01)


def test_dead_latents_change_nothing() -> None:
    codes, factors = random(0)
    more = np.hstack([codes, np.zeros((len(codes), 30))])
    assert modularity(more, factors).value == pytest.approx(modularity(codes, factors).value)


def test_one_factor_has_no_modularity() -> None:
    codes, factors = scalar()
    score = modularity(codes, factors[:, :1])
    assert score.value is None
    assert score.reason == "fewer than 2 factors have more than one value"
