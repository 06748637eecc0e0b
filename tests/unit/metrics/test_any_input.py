"""Whatever comes in: a value in range, None with a reason, or a clear error. Never a NaN."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from scipy import sparse

from csae_bench.metrics.data import MetricInputError
from csae_bench.metrics.factor_vae import factor_vae, factor_vae_population
from csae_bench.metrics.intervals import mig_intervals
from csae_bench.metrics.mig import mig, mig_sup, value_mig
from csae_bench.metrics.nulls import permutation_null
from csae_bench.metrics.splits import held_out_mig, held_out_value_mig, split_clusters

METRICS: dict[str, Callable[..., Any]] = {
    "mig": mig,
    "value_mig": value_mig,
    "mig_sup": mig_sup,
    "factor_vae": partial(factor_vae, n_train=50, n_eval=50, batch_size=8),
    "factor_vae unfiltered": partial(factor_vae, n_train=50, n_eval=50, delta=None),
    "factor_vae_population": partial(factor_vae_population, n_permutations=5),
}
NUMBERS = st.one_of(
    st.sampled_from([0.0, 0.0, 0.0, 1.0, 2.0, -1.0, 0.1, 1e30, -1e30, 1e-30, 1e300, 5e-324]),
    st.floats(-1e308, 1e308, allow_subnormal=True),
)
BAD = st.sampled_from([math.nan, math.inf, -math.inf])


@st.composite
def codes_and_factors(draw: st.DrawFn) -> tuple[Any, Any]:
    n, d_sae, n_factors = draw(st.integers(1, 30)), draw(st.integers(1, 6)), draw(st.integers(1, 4))
    codes = draw(hnp.arrays(np.float64, (n, d_sae), elements=NUMBERS))
    if draw(st.booleans()):
        codes[:, draw(st.integers(0, d_sae - 1))] = draw(NUMBERS)
    factors = draw(hnp.arrays(np.int64, (n, n_factors), elements=st.integers(-1, 3)))
    return (sparse.csr_array(codes) if draw(st.booleans()) else codes), factors


def assert_in_range(result: Any) -> None:
    values = [result.value, *result.by_factor.values()]
    for value in values:
        assert value is None or 0 <= value <= 1
    assert (result.value is None) == (result.reason is not None)
    missing = {name for name, value in result.by_factor.items() if value is None}
    assert missing == set(result.reason_by_factor)
    assert_no_nan(dataclasses.asdict(result))


def assert_no_nan(value: Any) -> None:
    if isinstance(value, dict):
        for each in value.values():
            assert_no_nan(each)
    elif isinstance(value, float):
        assert math.isfinite(value)
    else:
        assert value is None or isinstance(value, bool | int | str)


@pytest.mark.parametrize("name", METRICS)
@settings(max_examples=60, deadline=None)
@given(data=codes_and_factors())
def test_any_codes_and_factors_give_a_value_in_range_or_a_reason(
    name: str, data: tuple[Any, Any]
) -> None:
    assert_in_range(METRICS[name](*data))


@settings(max_examples=60, deadline=None)
@given(data=codes_and_factors())
def test_any_codes_and_factors_give_nulls_and_held_out_scores(data: tuple[Any, Any]) -> None:
    codes, factors = data
    assert_no_nan(dataclasses.asdict(permutation_null(codes, factors, n_permutations=3)))
    if len(factors) > 1:
        mask = split_clusters(np.arange(len(factors)))
        for held_out in (held_out_mig, held_out_value_mig):
            result = held_out(codes, factors, mask)
            assert result.value is None or -1 <= result.value <= 1
            assert (result.value is None) == (result.reason is not None)
            assert_no_nan(dataclasses.asdict(result))


@pytest.mark.slow
@settings(max_examples=5, deadline=None)
@given(data=codes_and_factors())
def test_any_codes_and_factors_give_intervals(data: tuple[Any, Any]) -> None:
    codes, factors = data
    for each in mig_intervals(codes, factors, np.arange(len(factors)) % 5).values():
        assert_no_nan(dataclasses.asdict(each))
        for interval in (each.score, *each.by_factor.values()):
            assert (interval.low is None) == (interval.reason is not None)


@pytest.mark.parametrize("name", METRICS)
@settings(max_examples=20, deadline=None)
@given(data=codes_and_factors(), bad=BAD, place=st.integers(0, 10**6))
def test_what_is_not_finite_is_refused(
    name: str, data: tuple[Any, Any], bad: float, place: int
) -> None:
    codes, factors = data
    codes = codes.toarray() if sparse.issparse(codes) else codes
    codes[np.unravel_index(place % codes.size, codes.shape)] = bad
    with pytest.raises(MetricInputError, match="not finite"):
        METRICS[name](codes, factors)


@pytest.mark.parametrize("name", METRICS)
@pytest.mark.parametrize(
    ("codes", "factors"),
    [
        (np.ones((3, 2)), np.zeros((2, 1), int)),
        (np.ones((0, 2)), np.zeros((0, 1), int)),
        (np.ones((3, 0)), np.zeros((3, 1), int)),
        (np.ones((3, 2)), np.zeros((3, 0), int)),
        (np.ones(3), np.zeros((3, 1), int)),
        (np.ones((3, 2)), np.array([0, np.nan, 1])),
        (np.ones((3, 2)), {"a": [0, 1, 2], "b": [0, 1]}),
    ],
)
def test_malformed_input_is_a_clear_error(name: str, codes: Any, factors: Any) -> None:
    with pytest.raises(MetricInputError, match=r"\w+ .*[;.]"):
        METRICS[name](codes, factors)


@pytest.mark.parametrize("name", METRICS)
def test_one_sample_has_no_score(name: str) -> None:
    result = METRICS[name](np.array([[1.0, 0.0]]), [[0, 1]])
    assert result.value is None
    assert result.reason
