"""Near-duplicates among latents, and effective rank."""

from __future__ import annotations

import tracemalloc

import numpy as np
import pytest
from scipy import sparse
from threadpoolctl import threadpool_limits

from csae_bench.metrics.errors import MetricInputError
from csae_bench.metrics.redundancy import redundancy
from tests.unit.metrics.code_worlds import rare


def test_unrelated_latents_are_no_duplicates() -> None:
    redundant = redundancy(rare(0, 4000, 50))
    assert redundant.value == 0
    assert redundant.similarity.max() < 0.4  # the largest of 1225 pairs of 80 firings each


def test_scaled_and_inverted_copies_are_duplicates_and_named() -> None:
    codes = rare(0, 2000, 10)
    redundant = redundancy(np.hstack([codes, 5 * codes[:, :2], 3 - codes[:, 2:3]]))
    assert redundant.value == pytest.approx(6 / 13)
    assert list(redundant.nearest[[0, 1, 2, 10, 11, 12]]) == [10, 11, 12, 0, 1, 2]
    assert redundancy(np.hstack([codes, codes]), threshold=1.0).value == 1


def test_a_noisy_copy_is_a_duplicate_below_its_correlation() -> None:
    rng = np.random.default_rng(0)
    codes = rng.normal(size=(4000, 5))
    noisy = np.hstack([codes, codes[:, :1] + 0.5 * rng.normal(size=(4000, 1))])
    assert redundancy(noisy, threshold=0.85).value == pytest.approx(2 / 6)
    assert redundancy(noisy, threshold=0.95).value == 0


def test_latents_that_hardly_fire_are_not_judged() -> None:
    codes = np.hstack([rare(0, 1000, 6, rate=0.2), np.zeros((1000, 2))])
    codes[0, 6:] = 1
    redundant = redundancy(codes)
    assert list(redundant.latents) == [0, 1, 2, 3, 4, 5]
    assert redundant.value == 0
    assert redundancy(codes, min_firings=1).value == pytest.approx(2 / 8)


def test_effective_rank_is_the_number_of_independent_latents() -> None:
    codes = np.random.default_rng(0).normal(size=(20_000, 12))
    # a spectrum of 12 like values, within their sampling error
    assert redundancy(codes, max_samples=20_000).effective_rank == pytest.approx(12, abs=0.1)
    copies = redundancy(np.hstack([codes] * 4), max_samples=20_000)
    assert copies.effective_rank == pytest.approx(12, abs=0.1)


def test_effective_rank_is_that_of_the_singular_values() -> None:
    codes = rare(0, 300, 40, rate=0.3) @ np.random.default_rng(1).normal(size=(40, 60))
    singular = np.linalg.svd((codes - codes.mean(0)) / codes.std(0), compute_uv=False)
    shares = singular[:40] / singular[:40].sum()
    expected = np.exp(-np.sum(shares * np.log(shares)))
    assert redundancy(codes).effective_rank == pytest.approx(expected, rel=1e-4)
    wide = np.hstack([codes, codes, codes, codes, codes, codes])
    assert redundancy(wide).effective_rank == pytest.approx(expected, rel=1e-4)


def test_effective_rank_is_one_where_all_latents_are_one() -> None:
    latent = rare(0, 500, 1, rate=0.3)
    assert redundancy(np.hstack([latent] * 5)).effective_rank == pytest.approx(1, abs=1e-3)


def test_fewer_than_two_latents_have_no_redundancy() -> None:
    redundant = redundancy(rare(0, 500, 1, rate=0.3))
    assert redundant.value is None
    assert redundant.reason == "fewer than two latents vary and fire on at least 8 samples"
    assert redundancy(np.zeros((500, 3))).effective_rank is None


@pytest.mark.slow
def test_no_matrix_of_latents_by_latents_is_held() -> None:
    codes = sparse.random_array((500, 12_000), density=0.02, rng=np.random.default_rng(0))
    tracemalloc.start()
    try:
        redundancy(codes, max_samples=200, min_firings=1)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < 12_000**2 * 8 / 3


@pytest.mark.parametrize(
    ("settings", "expected"),
    [({"threshold": 0.0}, "threshold is 0.0"), ({"max_samples": 1}, "max_samples is 1")],
)
def test_a_setting_out_of_range_is_an_error(settings: dict[str, float], expected: str) -> None:
    with pytest.raises(MetricInputError, match=expected):
        redundancy(rare(0, 100, 3), **settings)  # pyright: ignore[reportArgumentType]


def test_effective_rank_does_not_depend_on_threads() -> None:
    codes = rare(0, 700, 256)
    ranks = set[float | None]()
    for n in (1, 2, 4):
        with threadpool_limits(n, user_api="blas"):
            ranks.add(redundancy(codes).effective_rank)
    assert len(ranks) == 1
