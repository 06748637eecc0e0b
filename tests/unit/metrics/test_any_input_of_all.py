"""Whatever goes into DCI, SAP, modularity, explicitness, correlations or the summary comes out in
range, or None with a reason, or is refused."""

from __future__ import annotations

import json
import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from csae_bench.metrics.correlation import factor_correlations, mean_correlation_coefficient
from csae_bench.metrics.dci import dci_completeness, dci_disentanglement, dci_from_probes
from csae_bench.metrics.errors import MetricInputError
from csae_bench.metrics.explicitness import explicitness
from csae_bench.metrics.modularity import modularity
from csae_bench.metrics.redundancy import redundancy
from csae_bench.metrics.sap import sap
from csae_bench.metrics.summary import all_metrics

BY_FACTOR: dict[str, Callable[[Any, Any], Any]] = {
    "dci_disentanglement": dci_disentanglement,
    "dci_completeness": dci_completeness,
    "dci_disentanglement of probes": lambda *given: dci_from_probes(*given).disentanglement,
    "dci_completeness of probes": lambda *given: dci_from_probes(*given).completeness,
    "sap": sap,
    "modularity": modularity,
    "explicitness": explicitness,
    "factor_correlations": factor_correlations,
}

VALUES = st.one_of(
    st.sampled_from([0.0, 0.0, 0.0, 1.0, -1.0, 1e30, -1e-30, 1e308, 5e-324, 3.0]),
    st.floats(allow_nan=False, allow_infinity=False),
)


@st.composite
def samples(draw: st.DrawFn) -> tuple[Any, Any]:
    n, d_sae, n_factors = (draw(st.integers(1, high)) for high in (14, 5, 3))
    codes = draw(arrays.arrays(np.float64, (n, d_sae), elements=VALUES))
    factors = draw(arrays.arrays(np.int64, (n, n_factors), elements=st.integers(0, 3)))
    return codes, factors


@pytest.mark.parametrize("name", BY_FACTOR)
@given(codes_and_factors=samples())
@settings(max_examples=100, deadline=None)
@example(codes_and_factors=(np.array([[1e308], [-1e308]] * 4), np.array([[0], [1]] * 4)))
@example(codes_and_factors=(np.array([[5e-324], [1e308]] * 4), np.array([[0], [1]] * 4)))
@example(codes_and_factors=(np.array([[1.0], [-1e-30], [-1e-30], [1e308]]), np.zeros((4, 1))))
@example(codes_and_factors=(np.zeros((1, 1)), np.zeros((1, 1), int)))
def test_scores_are_in_range_or_none_with_a_reason(
    name: str, codes_and_factors: tuple[Any, Any]
) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        score = BY_FACTOR[name](*codes_and_factors)
    assert (score.value is None) == (score.reason is not None)
    assert score.value is None or 0 <= score.value <= 1 + 1e-9
    for factor, value in score.by_factor.items():
        assert (value is None) == (factor in score.reason_by_factor)
        assert value is None or 0 <= value <= 1 + 1e-9


@given(codes_and_factors=samples())
@settings(max_examples=100, deadline=None)
def test_scores_of_latents_alone_are_in_range_or_none_with_a_reason(
    codes_and_factors: tuple[Any, Any],
) -> None:
    codes, factors = codes_and_factors
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        redundant = redundancy(codes, min_firings=1)
        matched = mean_correlation_coefficient(codes, factors)
    for score in (redundant, matched):
        assert (score.value is None) == (score.reason is not None)
        assert score.value is None or 0 <= score.value <= 1 + 1e-9
    rank = redundant.effective_rank
    assert rank is None or 1 - 1e-9 <= rank <= codes.shape[1] + 1e-9


@given(codes_and_factors=samples())
@settings(max_examples=20, deadline=None)
def test_the_summary_is_always_json(codes_and_factors: tuple[Any, Any]) -> None:
    as_json = all_metrics(*codes_and_factors, n_permutations=2).to_json()
    assert json.loads(json.dumps(as_json, allow_nan=False)) == as_json
    undefined = {name for name, value in as_json["metrics"].items() if value is None}
    assert undefined == {name for name in as_json["reasons"] if "." not in name}


@pytest.mark.parametrize("name", [*BY_FACTOR, "summary"])
@pytest.mark.parametrize(
    ("codes", "factors"),
    [
        (np.array([[np.nan], [1]]), [[0], [1]]),
        (np.array([[np.inf], [1]]), [[0], [1]]),
        (np.ones((2, 2)), [[0], [1], [2]]),
        (np.ones((0, 2)), np.ones((0, 1))),
        (np.ones((2, 0)), [[0], [1]]),
        (np.ones(2), [[0], [1]]),
        (np.ones((2, 2)), np.ones((2, 0))),
        (np.ones((2, 2)), [[0.0], [np.nan]]),
    ],
)
def test_malformed_input_is_refused(name: str, codes: Any, factors: Any) -> None:
    with pytest.raises(MetricInputError):
        BY_FACTOR.get(name, all_metrics)(codes, factors)
