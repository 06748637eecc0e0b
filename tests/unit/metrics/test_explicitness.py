"""Explicitness: held-out AUC of linear probes."""

from __future__ import annotations

import warnings

import numpy as np
import pytest
from scipy import sparse

from csae_bench.metrics.errors import MetricInputError
from csae_bench.metrics.explicitness import explicitness
from tests.unit.metrics.code_worlds import grid, one_hot, random, rare, scalar


@pytest.mark.parametrize("seed", range(3))
def test_an_oracle_sae_has_one_among_thousands_of_rare_latents(seed: int) -> None:
    codes, factors = one_hot(seed)
    codes = sparse.csr_array(np.hstack([codes, rare(seed, len(codes), 2000)]))
    assert explicitness(codes, factors, seed=seed).value == pytest.approx(1, abs=0.005)


@pytest.mark.parametrize("seed", range(3))
def test_random_codes_have_one_half(seed: int) -> None:
    assert explicitness(*random(seed), seed=seed).value == pytest.approx(0.5, abs=0.06)


def test_rotated_codes_are_as_explicit() -> None:
    factors = grid(2)
    hadamard = np.array([[1, 1, 1, 1], [1, -1, 1, -1], [1, 1, -1, -1], [1, -1, -1, 1]])
    centred = np.hstack([factors - 0.5, np.zeros((len(factors), 1))])
    assert explicitness(centred @ hadamard, factors).value == pytest.approx(1)


def test_a_value_between_others_is_not_linearly_readable() -> None:
    codes, factors = scalar(3)
    assert 0.6 < explicitness(codes, factors).value < 0.9


def test_scale_and_offset_do_not_matter() -> None:
    factors = grid(2, 3, 60)
    rng = np.random.default_rng(0)
    codes = factors @ rng.normal(size=(3, 6)) + rng.normal(size=(len(factors), 6))
    plain = explicitness(codes, factors).value
    assert plain is not None
    assert plain > 0.8
    for moved in (codes * 1e30, codes * 1e-30, codes + 1e6):
        # standardising them leaves different roundings, and coordinate descent ends elsewhere
        assert explicitness(moved, factors).value == pytest.approx(plain, abs=1e-3)


def test_dead_latents_change_nothing() -> None:
    codes, factors = random(0)
    more = np.hstack([codes, np.zeros((len(codes), 30))])
    assert explicitness(more, factors).value == explicitness(codes, factors).value


def test_values_are_told_apart_on_samples_that_were_not_seen() -> None:
    # as many latents as samples: what is seen can be learned by heart
    factors = np.random.default_rng(0).integers(0, 2, (200, 2))
    score = explicitness(np.eye(200), factors)
    assert score.value == pytest.approx(0.5, abs=0.01)


def test_clusters_are_not_parted() -> None:
    cluster = np.repeat(np.arange(40), 10)
    factor = np.random.default_rng(0).integers(0, 2, 40)[cluster]
    codes = np.eye(40)[cluster]
    assert explicitness(codes, factor).value > 0.9
    assert explicitness(codes, factor, clusters=cluster).value == pytest.approx(0.5, abs=0.01)


def test_what_cannot_be_scored_has_a_reason() -> None:
    codes, factors = scalar()
    assert explicitness([[1.0]], [[0]]).reason == "there is one sample, and none to hold out"
    dead = explicitness(np.zeros((len(codes), 3)), factors)
    assert dead.reason == "no latent varies over the training samples"
    mixed = explicitness(codes, np.stack([factors[:, 0], np.zeros(len(codes))], axis=1))
    assert mixed.value is not None
    assert mixed.by_factor["factor_1"] is None
    assert "one value" in mixed.reason_by_factor["factor_1"]
    assert "training and in test" in str(explicitness(np.eye(4), np.arange(4)).reason)


def test_nothing_is_warned_of() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        explicitness(*random(0))


@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        ({"train_share": 0.0}, "share"),
        ({"penalty": -1}, "penalty is -1; it must be above 0"),
        ({"clusters": np.zeros((3, 2))}, r"clusters have the shape \(3, 2\)"),
    ],
)
def test_a_setting_out_of_range_is_an_error(settings: dict[str, object], expected: str) -> None:
    with pytest.raises(MetricInputError, match=expected):
        explicitness(*scalar(), **settings)
