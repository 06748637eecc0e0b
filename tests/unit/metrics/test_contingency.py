"""Counts from the non-zeros alone, and the information in them, against scikit-learn."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from sklearn.metrics import mutual_info_score

from csae_bench.metrics.contingency import (
    Counter,
    contingency,
    factor_entropies,
    information,
    mutual_information,
    value_entropies,
    value_information,
)
from csae_bench.metrics.data import Codes, Factors, MetricInputError
from csae_bench.metrics.discretise import equal_width_bins, sparse_bins
from tests.unit.metrics.codes import dense_bins, firing_at


def example(seed: int, n: int = 600) -> tuple[Any, Factors]:
    rng = np.random.default_rng(seed)
    factors = rng.integers(0, [2, 3, 5, 1, 17], (n, 5))
    codes = firing_at(0.2, n, 15, rng)
    codes[:, 0], codes[:, 1] = 0, 3
    codes[:, 2:4] = factors[:, 1:3] + 1
    codes[:, 4] = rng.normal(size=n)
    return codes, Factors.of(factors)


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("binning", [sparse_bins, equal_width_bins])
def test_information_agrees_with_scikit_learn(seed: int, binning: Callable[..., Any]) -> None:
    codes, factors = example(seed)
    binned = binning(codes)
    table = contingency(binned, factors)
    dense = dense_bins(binned)
    expected = [[mutual_info_score(z, f) for f in factors.values.T] for z in dense.T]
    assert np.abs(mutual_information(table) - expected).max() < 1e-12
    one_against_rest = factors.one_hot().T
    expected = [[mutual_info_score(z, holds) for holds in one_against_rest] for z in dense.T]
    assert np.abs(value_information(table) - expected).max() < 1e-12
    expected = [mutual_info_score(f, f) for f in factors.values.T]
    assert np.abs(factor_entropies(table) - expected).max() < 1e-12
    expected = [mutual_info_score(holds, holds) for holds in one_against_rest]
    assert np.abs(value_entropies(table) - expected).max() < 1e-12


@pytest.mark.parametrize("binning", [sparse_bins, equal_width_bins])
def test_counts_are_those_of_the_dense_table(binning: Callable[..., Any]) -> None:
    codes, factors = example(0)
    binned = binning(codes)
    table = contingency(binned, factors)
    dense = dense_bins(binned)
    one_hot = factors.one_hot()
    for latent in range(binned.d_sae):
        rows = table.counts[table.row_ptr[latent] : table.row_ptr[latent + 1]]
        expected = [one_hot[dense[:, latent] == b].sum(0) for b in range(binned.n_bins[latent])]
        assert np.array_equal(rows, expected)


def test_a_latent_that_never_varies_tells_exactly_nothing() -> None:
    codes, factors = example(0)
    result = information(contingency(sparse_bins(codes), factors))
    assert not result.factors[:2].any()
    assert not result.values[:2].any()


def test_small_blocks_give_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    codes, factors = example(0)
    table = contingency(sparse_bins(codes), factors)
    whole = information(table)
    monkeypatch.setattr("csae_bench.metrics.contingency._BLOCK_CELLS", 1)
    for each, expected in zip(information(table), whole, strict=True):
        # sums in another order
        assert np.allclose(each, expected, rtol=0, atol=1e-13)


def test_a_factor_with_too_many_values_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    codes, factors = example(0)
    monkeypatch.setattr("csae_bench.metrics.contingency.MAX_CELLS", 1000)
    with pytest.raises(MetricInputError, match="group its values"):
        contingency(sparse_bins(codes), factors)


def test_codes_and_factors_must_be_of_the_same_samples() -> None:
    with pytest.raises(MetricInputError, match="3 samples and factors of 2"):
        contingency(sparse_bins(np.ones((3, 2))), Factors.of([0, 1]))


def test_equal_bins_and_factors_are_counted_once(monkeypatch: pytest.MonkeyPatch) -> None:
    from csae_bench import metrics

    counted: list[int] = []
    count = Counter.count

    def counting(self: Counter, one_hot: Any) -> Any:
        counted.append(id(self))
        return count(self, one_hot)

    rng = np.random.default_rng(0)
    codes = Codes.of(rng.random((60, 9)) * (rng.random((60, 9)) < 0.5))
    factors = Factors.of(rng.integers(0, 3, (60, 2)))
    monkeypatch.setattr(Counter, "count", counting)
    metrics.mig(codes, factors)
    metrics.value_mig(codes, factors)
    metrics.mig_sup(codes, factors)
    assert len(counted) == len(set(counted)) == 2
    metrics.permutation_null(codes, factors, n_permutations=3)
    assert len(counted) == 2 + 2 * 3
    before = len(counted)
    metrics.mig_intervals(codes, factors, np.arange(60), n_resamples=1000)
    assert counted.count(counted[0]) == counted.count(counted[1]) == 1 + 3
    assert len(counted) > before
