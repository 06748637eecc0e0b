"""DCI against the constants of disentanglement_lib's tests, and against its definition."""

from __future__ import annotations

import math

import numpy as np
import pytest
from numpy.typing import NDArray
from sklearn.metrics import mutual_info_score

from csae_bench.metrics.data import Factors
from csae_bench.metrics.dci import (
    dci,
    dci_completeness,
    dci_disentanglement,
    dci_from_probes,
    factor_completeness,
    latent_disentanglement,
)
from csae_bench.metrics.errors import MetricInputError
from csae_bench.metrics.importances import Importances, information_importances
from csae_bench.metrics.nulls import permutation_null
from tests.unit.metrics.code_worlds import grid, one_hot, random, rare, scalar

DIAGONAL = np.diag(np.full(5, 5.0))


def importances(matrix: NDArray[np.float64]) -> Importances:
    """A matrix as it comes from codes whose latents and factors all vary."""
    n_factors = matrix.shape[1]
    factors = Factors.of(np.tile([[0], [1]], n_factors))
    return Importances(matrix, np.arange(len(matrix)), np.arange(n_factors), factors, {})


def test_a_diagonal_is_disentangled_and_complete() -> None:
    score = dci(importances(DIAGONAL))
    assert score.disentanglement.value == pytest.approx(1)
    assert score.completeness.value == pytest.approx(1)


def test_one_code_for_two_factors_is_disentangled_to_699() -> None:
    score = dci(importances(np.hstack([DIAGONAL, DIAGONAL])))
    assert score.disentanglement.value == pytest.approx(1 - math.log(2) / math.log(10))
    assert score.disentanglement.value == pytest.approx(0.699, abs=5e-4)
    assert score.completeness.value == pytest.approx(1)


def test_redundant_codes_are_complete_to_one_minus_ln_2_over_ln_10() -> None:
    score = dci(importances(np.vstack([DIAGONAL, DIAGONAL])))
    assert score.disentanglement.value == pytest.approx(1)
    assert score.completeness.value == pytest.approx(1 - math.log(2) / math.log(10))


def test_empty_codes_and_missed_factors_cost_nothing() -> None:
    for matrix in (np.array([[1.0, 0], [0, 1], [0, 0]]), DIAGONAL[:2]):
        score = dci(importances(matrix))
        assert score.disentanglement.value == pytest.approx(1)
        assert score.completeness.value == pytest.approx(1)


def test_a_factor_that_is_missed_has_no_value_of_its_own() -> None:
    score = dci(importances(DIAGONAL[:2])).completeness
    assert score.by_factor["factor_4"] is None
    assert score.reason_by_factor["factor_4"]
    assert score.best_latents["factor_4"] is None
    assert score.best_latents["factor_1"] == 1


def test_importances_of_zero_have_no_score_and_say_why() -> None:
    for score in dci(importances(np.zeros((10, 10)))):
        assert score.value is None
        assert score.reason == "no latent is informative about any factor"


def test_the_scale_of_importances_does_not_matter() -> None:
    matrix = np.random.default_rng(0).random((7, 4))
    for scale in (1e-290, 1e290):
        np.testing.assert_allclose(
            latent_disentanglement(matrix * scale), latent_disentanglement(matrix), rtol=1e-12
        )


@pytest.mark.parametrize("seed", range(3))
def test_dci_agrees_with_a_slow_transcription(seed: int) -> None:
    rng = np.random.default_rng(seed)
    factors = np.stack([rng.integers(0, v, 400) for v in (2, 3, 5)], axis=1)
    codes = rng.integers(0, 4, (400, 9)) * (factors[:, [0, 1, 2] * 3] > 0)
    matrix = np.array([[mutual_info_score(z, f) for f in factors.T] for z in codes.T])
    assert dci_disentanglement(codes, factors).value == pytest.approx(
        _slow_disentanglement(matrix), rel=1e-9
    )
    assert dci_completeness(codes, factors).value == pytest.approx(
        _slow_disentanglement(matrix.T), rel=1e-9
    )


@pytest.mark.parametrize("seed", range(3))
def test_the_score_is_the_mean_of_its_factors_weighted_by_importance(seed: int) -> None:
    matrix = np.random.default_rng(seed).random((6, 4))
    weights = matrix.sum(0) / matrix.sum()
    for score in dci(importances(matrix)):
        values = np.array(list(score.by_factor.values()), float)
        assert score.value == pytest.approx(values @ weights)


def test_scalar_codes_of_a_factorial_grid_are_exactly_disentangled_and_complete() -> None:
    codes, factors = scalar()
    assert dci_disentanglement(codes, factors).value == pytest.approx(1)
    assert dci_completeness(codes, factors).value == pytest.approx(1)


@pytest.mark.parametrize("seed", range(3))
def test_an_oracle_sae_is_disentangled_but_not_complete(seed: int) -> None:
    codes, factors = one_hot(seed)
    score = dci(information_importances(codes, factors))
    assert score.disentanglement.value == pytest.approx(1, abs=0.05)  # quantile bins: chance
    assert score.completeness.value == pytest.approx(1 - math.log(4) / math.log(12), abs=0.05)


@pytest.mark.parametrize("seed", range(2))
def test_chance_adds_up_over_rare_latents_and_a_null_takes_it_out(seed: int) -> None:
    codes, factors = one_hot(seed)
    codes = np.hstack([codes, rare(seed, len(codes), 500)])
    result = information_importances(codes, factors)
    null = permutation_null(codes, factors, n_permutations=20, seed=seed).maximum
    entropy = math.log(4)
    minimum = {k: v.quantile_95 * entropy for k, v in null.by_factor.items() if v is not None}
    assert dci(result).disentanglement.value < 0.75
    assert dci(result.above(minimum)).disentanglement.value == pytest.approx(1, abs=0.01)


def test_dead_latents_and_constant_factors_change_nothing() -> None:
    codes, factors = random(0)
    more = np.hstack([codes, np.zeros((len(codes), 50)), np.full((len(codes), 1), 3.0)])
    table = {"a": factors[:, 0], "b": factors[:, 1], "constant": np.zeros(len(factors))}
    plain = {"a": factors[:, 0], "b": factors[:, 1]}
    for metric in (dci_disentanglement, dci_completeness):
        assert metric(more, table).value == pytest.approx(metric(codes, plain).value)
        assert metric(more, table).by_factor["constant"] is None


def test_the_best_latent_is_numbered_among_all() -> None:
    codes, factors = scalar()
    shifted = np.hstack([np.zeros((len(codes), 7)), codes])
    assert list(dci_completeness(shifted, factors).best_latents.values()) == [7, 8, 9]


@pytest.mark.parametrize("seed", range(2))
def test_probes_find_an_oracle_sae_disentangled_among_rare_latents(seed: int) -> None:
    codes, factors = one_hot(seed)
    codes = np.hstack([codes, rare(seed, len(codes), 300)])
    result = dci_from_probes(codes, factors)
    assert result.disentanglement.value > 0.9
    assert result.completeness.value > 0.5
    assert set(result.completeness.best_latents.values()) <= set(range(12))


def test_probes_of_what_does_not_vary_give_no_score() -> None:
    factors = grid(2, 2, 2)
    assert dci_from_probes(np.ones((8, 4)), factors).disentanglement.value is None
    assert dci_from_probes(np.eye(8), np.zeros((8, 2))).completeness.value is None


def test_a_penalty_that_is_none_is_an_error() -> None:
    with pytest.raises(MetricInputError, match="penalty is 0"):
        dci_from_probes(*scalar(), penalty=0)


def test_one_factor_has_no_disentanglement_and_one_latent_no_completeness() -> None:
    codes, factors = scalar()
    one_factor = dci_disentanglement(codes, factors[:, :1])
    one_latent = dci_completeness(codes[:, :1], factors)
    assert one_factor.reason == "fewer than 2 factors have more than one value"
    assert one_latent.reason == "fewer than 2 latents vary over the samples"


def test_completeness_of_one_factor_is_its_own() -> None:
    codes, factors = scalar()
    assert dci_completeness(codes, factors[:, :1]).value == pytest.approx(1)


def test_the_matrix_functions_give_zero_where_there_is_no_importance() -> None:
    matrix = np.array([[1.0, 0, 0], [0, 0, 0]])
    np.testing.assert_allclose(latent_disentanglement(matrix), [1, 0])
    np.testing.assert_allclose(factor_completeness(matrix), [1, 0, 0])


def _slow_disentanglement(matrix: NDArray[np.float64]) -> float:
    """Eastwood and Williams 2018, section 2: of the rows of an importance matrix."""
    n_latents, n_factors = matrix.shape
    value = 0.0
    for i in range(n_latents):
        total = sum(matrix[i])
        if total == 0:
            continue
        entropy = 0.0
        for j in range(n_factors):
            share = matrix[i, j] / total
            if share > 0:
                entropy -= share * math.log(share, n_factors)
        value += total / matrix.sum() * (1 - entropy)
    return value
