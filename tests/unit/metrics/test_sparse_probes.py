"""k-sparse probes and their held-out measures: known answers."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.linalg import hadamard
from sklearn.metrics import balanced_accuracy_score, roc_auc_score

from csae_bench.metrics import classification as module
from csae_bench.metrics.classification import MEASURES, Classification, classification
from csae_bench.metrics.data import Factors
from csae_bench.metrics.errors import MetricInputError
from csae_bench.metrics.sparse_probes import dense_probes, sparse_probes
from tests.unit.metrics.code_worlds import grid, one_hot, random, rare

FEW: dict[str, Any] = {"n_permutations": 20}


def _templates(n: int, n_templates: int = 6) -> NDArray[Any]:
    """Templates that have nothing to do with the factors."""
    return np.random.default_rng(99).permutation(n) % n_templates


def _half(n: int) -> NDArray[Any]:
    return _templates(n) < 3


def _scored(codes: Any, factors: Any, k: int, **settings: Any) -> Classification:
    factors = Factors.of(factors)
    result = sparse_probes(codes, factors, _half(factors.n), n_latents=(k,))[k]
    return classification(result, factors, _templates(factors.n), **(FEW | settings))


@pytest.mark.parametrize("seed", range(3))
def test_an_oracle_code_is_read_from_one_latent_among_thousands(seed: int) -> None:
    codes, factors = one_hot(seed)
    probes = _scored(np.hstack([codes, rare(seed, len(codes), 2000)]), factors, 1)
    # a lognormal magnitude below the probe's cut is taken for silence
    assert probes.scores["auroc"].value == pytest.approx(1)
    assert probes.scores["balanced_accuracy"].value > 0.9


def test_a_value_that_two_latents_share_needs_two() -> None:
    rng = np.random.default_rng(0)
    factors = grid(4)
    has_value = factors[:, 0] == 1
    first = rng.random(len(factors)) < 0.5
    codes = np.stack([has_value & first, has_value & ~first], axis=1) * 1.0
    one, two = (_scored(codes, has_value, k).scores for k in (1, 2))
    # half of the samples with the value are found, the rest are ties with those without: .75
    assert one["auroc"].value == pytest.approx(0.75, abs=0.02)
    assert two["auroc"].value == two["balanced_accuracy"].value == 1


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(3))
def test_random_codes_are_at_chance_and_inside_the_null(seed: int) -> None:
    for k in (1, 2, 5, 20):
        probes = _scored(*random(seed), k, n_permutations=100)
        for name in ("balanced_accuracy", "auroc"):
            # 12 values with 480 samples each: the mean varies by less than .01
            assert probes.scores[name].value == pytest.approx(0.5, abs=0.03)
            null = probes.nulls[name].score
            assert null is not None
            assert null.mean == pytest.approx(0.5, abs=0.005)
            assert null.p > 0.005


def test_a_dense_probe_reads_a_rotated_code_that_single_latents_do_not() -> None:
    factors = Factors.of(grid(2, 8, 8))
    codes = (factors.values - 0.5) @ hadamard(8) / np.sqrt(8)
    half, templates = _half(factors.n), _templates(factors.n)
    dense = classification(dense_probes(codes, factors, half), factors, templates, **FEW)
    assert dense.scores["balanced_accuracy"].value == 1
    sparse = sparse_probes(codes, factors, half, n_latents=(1, 8))
    by_name = {k: classification(each, factors, templates, **FEW) for k, each in sparse.items()}
    # one of eight equal parts: correlation 1 / sqrt(8)
    assert by_name[1].scores["auroc"].value < 0.75
    assert by_name[8].scores["auroc"].value == dense.scores["auroc"].value == 1


def test_measures_agree_with_sklearn() -> None:
    codes, factors = random(3)
    factors = Factors.of(factors)
    half = _half(factors.n)
    decisions = sparse_probes(codes, factors, half, n_latents=(5,))[5]
    result = classification(decisions, factors, _templates(factors.n), **FEW)
    one_hot_table = factors.one_hot()
    for value in range(one_hot_table.shape[1]):
        truth, said = one_hot_table[:, value], decisions.values[:, value]
        sides = [(truth[side], said[side]) for side in (half, ~half)]
        expected = {
            "auroc": np.mean([roc_auc_score(*side) for side in sides]),
            "balanced_accuracy": np.mean([balanced_accuracy_score(t, s > 0) for t, s in sides]),
            "accuracy": np.mean([(t == (s > 0)).mean() for t, s in sides]),
        }
        for name in MEASURES:
            assert result.by_value[name][value] == pytest.approx(expected[name], abs=1e-12)


def test_resampled_measures_are_those_of_the_repeated_samples() -> None:
    codes, factors = random(4)
    factors = Factors.of(factors)
    labels = _templates(factors.n)
    decisions = sparse_probes(codes, factors, _half(factors.n), n_latents=(2,))[2]
    side = module.side_of(decisions, factors, labels, True)
    draw = np.array([[2, 0, 1, 1, 1, 1]])
    result = module.resampled_measures(side, draw)
    rows = np.repeat(np.arange(len(side.clusters)), draw[0][side.clusters])
    truth, said = side.has_value[rows], side.ranks[rows]
    for value in range(truth.shape[1]):
        expected = roc_auc_score(truth[:, value], said[:, value])
        assert result["auroc"][0, value] == pytest.approx(expected, abs=1e-12)


def test_a_probe_is_scored_on_held_out_samples() -> None:
    # a latent for each sample: what is seen can be learned by heart
    factors = np.random.default_rng(0).integers(0, 2, (200, 3))
    probes = _scored(np.eye(200), factors, 20)
    assert probes.scores["auroc"].value == pytest.approx(0.5, abs=0.02)


def test_scale_of_all_latents_together_does_not_matter() -> None:
    codes, factors = random(1)
    plain = _scored(codes, factors, 2).scores["auroc"].value
    for scale in (1e-300, 1e300):
        assert _scored(codes * scale, factors, 2).scores["auroc"].value == pytest.approx(plain)


def test_the_interval_holds_the_score_and_widens_with_differing_templates() -> None:
    rng = np.random.default_rng(0)
    factors = np.tile([0, 1], 600)
    templates = np.arange(1200) // 2 % 6
    noise = np.array([0.1, 0.1, 0.1, 3, 3, 3])[[0, 3, 1, 4, 2, 5]][templates]
    for spread, wide in ((noise, True), (np.full(1200, 1.0), False)):
        codes = (factors + spread * rng.normal(size=1200))[:, None]
        table = Factors.of(factors)
        probes = sparse_probes(codes, table, templates < 3, n_latents=(1,))[1]
        result = classification(probes, table, templates, **FEW)
        interval = result.intervals["auroc"].score
        assert interval.low is not None
        assert interval.high is not None
        assert interval.low <= result.scores["auroc"].value <= interval.high
        assert (interval.high - interval.low > 0.15) == wide


def test_thousands_of_clusters_have_an_interval() -> None:
    codes, factors = one_hot(0)
    table = Factors.of(factors)
    clusters = np.arange(table.n)
    probes = sparse_probes(codes, table, _half(table.n), n_latents=(1,))[1]
    interval = classification(probes, table, clusters, **FEW).intervals["accuracy"].score
    assert interval.low is not None
    assert interval.high is not None
    assert 0.9 < interval.low <= interval.high <= 1


def test_two_values_of_a_factor_have_one_score() -> None:
    codes, factors = random(0)
    probes = _scored(codes, factors[:, 0] > 1, 2)
    for name in MEASURES:
        assert probes.by_value[name][0] == pytest.approx(probes.by_value[name][1])


def test_what_cannot_be_probed_has_a_reason() -> None:
    codes, factors = one_hot(0)
    alone = np.zeros(len(codes), int)
    alone[0] = 1
    probes = _scored(codes, {"plain": factors[:, 0], "alone": alone, "same": 0 * alone}, 1)
    for name in MEASURES:
        assert probes.scores[name].value is not None
        assert "in each half" in probes.scores[name].reason_by_factor["alone"]
        assert "one value" in probes.scores[name].reason_by_factor["same"]
        assert probes.nulls[name].by_factor["alone"] is None
        assert probes.intervals[name].by_factor["alone"].reason


def test_a_dead_sae_says_nothing_of_any_value() -> None:
    factors = grid(3)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        probes = _scored(np.zeros((len(factors), 7)), factors, 2)
    assert probes.scores["auroc"].value == probes.scores["balanced_accuracy"].value == 0.5


def test_more_latents_than_vary_are_all_of_them() -> None:
    codes, factors = one_hot(1)
    # other latents of the factor outweigh a few of the smallest magnitudes
    assert _scored(codes, factors, 500).scores["auroc"].value == pytest.approx(1, abs=1e-3)


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({"half": np.ones(4, bool)}, "some on either side"),
        ({"half": np.ones(3)}, "half is float64 of shape"),
        ({"n_latents": (0,)}, r"n_latents is \[0\]"),
    ],
)
@pytest.mark.usefixtures("unchecked_shapes")
def test_a_setting_out_of_range_is_an_error(change: dict[str, Any], expected: str) -> None:
    given: dict[str, Any] = {"half": np.array([True, False] * 2), "n_latents": (1,)} | change
    with pytest.raises(MetricInputError, match=expected):
        sparse_probes(np.eye(4), np.arange(4) % 2, given["half"], n_latents=given["n_latents"])
    with pytest.raises(MetricInputError, match="acts have the shape"):
        dense_probes(np.zeros((3, 2)), np.arange(4) % 2, np.array([True, False] * 2))
