"""csae_bench/metrics/ce_bench.py."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy import sparse

from csae_bench.metrics import ce_bench
from csae_bench.metrics.ce_bench import PairCodes, PairScores, pair_scores
from csae_bench.metrics.errors import MetricInputError

D_SAE = 25


def pairs(
    first: NDArray[Any], second: NDArray[Any], n_first: Any = None, n_second: Any = None
) -> PairCodes:
    ones = np.ones(len(first), dtype=np.int64)
    return PairCodes(
        first=sparse.csr_array(first.astype(np.float32)),
        second=sparse.csr_array(second.astype(np.float32)),
        n_first=ones if n_first is None else np.asarray(n_first),
        n_second=ones if n_second is None else np.asarray(n_second),
    )


def random_pairs(seed: int = 0, n: int = 40, d_sae: int = D_SAE) -> PairCodes:
    rng = np.random.default_rng(seed)
    codes = rng.exponential(size=(2, n, d_sae)) * (rng.random((2, n, d_sae)) < 0.3)
    return pairs(*codes, rng.integers(1, 9, n), rng.integers(1, 9, n))


def by_the_formula(given: PairCodes) -> dict[str, list[float]]:
    """The scores pair by pair, with lists and loops alone."""

    def largest(distances: list[float]) -> float:
        n, mean = len(distances), sum(distances) / len(distances)
        deviation = (sum((d - mean) ** 2 for d in distances) / (n - 1)) ** 0.5
        return (max(distances) - mean) / (deviation or 1)

    first, second = given.first.toarray().tolist(), given.second.toarray().tolist()
    both = [
        [(n * x + m * y) / (n + m) for x, y in zip(a, b, strict=True)]
        for a, b, n, m in zip(
            first, second, given.n_first.tolist(), given.n_second.tolist(), strict=True
        )
    ]
    average = [sum(column) / len(both) for column in zip(*both, strict=True)]
    scores: dict[str, list[float]] = {name: [] for name in vars(pair_scores(given))}
    for a, b, of_both in zip(first, second, both, strict=True):
        contrast = [abs(x - y) for x, y in zip(a, b, strict=True)]
        independence = [abs(x - y) for x, y in zip(of_both, average, strict=True)]
        scores["contrastive_score"].append(largest(contrast))
        scores["independence_score"].append(largest(independence))
        joint = [x + y for x, y in zip(contrast, independence, strict=True)]
        scores["interpretability_score"].append(largest(joint))
        scores["independence_score_as_run"].append(largest([abs(x) for x in of_both]))
    return scores


@given(seed=st.integers(0, 99))
@settings(max_examples=10, deadline=None)
def test_scores_are_those_of_the_formula(seed: int) -> None:
    codes = random_pairs(seed, n=6)
    for name, values in by_the_formula(codes).items():
        assert getattr(pair_scores(codes), name) == pytest.approx(values, rel=1e-9)


def test_a_latent_that_alone_differs_has_the_root_of_the_width() -> None:
    first = np.ones((3, D_SAE))
    second = first.copy()
    second[:, 4] = 3
    scores = pair_scores(pairs(first, second))
    assert scores.contrastive_score == pytest.approx([(D_SAE - 1) / D_SAE**0.5] * 3)


def test_equal_texts_have_no_contrast() -> None:
    first = random_pairs().first.toarray()
    scores = pair_scores(pairs(first, first))
    assert not scores.contrastive_score.any()
    assert scores.independence_score.all()
    assert scores.interpretability_score == pytest.approx(scores.independence_score)


def test_pairs_that_are_all_alike_are_not_independent_of_the_mean_of_all() -> None:
    one = np.random.default_rng(0).random((1, D_SAE)).repeat(4, axis=0)
    scores = pair_scores(pairs(one, one))
    assert scores.independence_score == pytest.approx([0] * 4, abs=1e-6)
    assert scores.independence_score_as_run.min() > 1


def test_scores_depend_neither_on_scale_nor_on_the_order_of_latents_and_texts() -> None:
    codes = random_pairs()
    order = np.random.default_rng(1).permutation(D_SAE)
    other = PairCodes(
        first=codes.second[:, order] * 4,
        second=codes.first[:, order] * 4,
        n_first=codes.n_second,
        n_second=codes.n_first,
    )
    for name, value in pair_scores(codes).means().items():
        assert pair_scores(other).means()[name] == pytest.approx(value, rel=1e-6)


def test_negative_codes_count_by_magnitude() -> None:
    codes = random_pairs()
    negative = PairCodes(
        first=-codes.first, second=-codes.second, n_first=codes.n_first, n_second=codes.n_second
    )
    assert pair_scores(negative).means() == pytest.approx(pair_scores(codes).means())


def test_blocks_change_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    codes = random_pairs()
    whole = pair_scores(codes)
    monkeypatch.setattr(ce_bench, "_MAX_DENSE", 3 * D_SAE)
    for name, values in vars(pair_scores(codes)).items():
        assert np.array_equal(values, getattr(whole, name))


def test_every_text_gets_the_partner_of_another_pair() -> None:
    codes = random_pairs()
    anew = codes.paired_anew(np.random.default_rng(0))
    partner = [
        [i for i in range(codes.n) if np.array_equal(row, codes.second[[i]].toarray()[0])]
        for row in anew.second.toarray()
    ]
    assert sorted(i for one in partner for i in one) == list(range(codes.n))
    assert all([number] != one for number, one in enumerate(partner))
    assert sorted(anew.n_second) == sorted(codes.n_second)


def test_one_factor_in_one_latent_stands_out_more_than_with_partners_exchanged() -> None:
    rng = np.random.default_rng(0)
    first = rng.exponential(size=(60, D_SAE)) * (rng.random((60, D_SAE)) < 0.3)
    second = first.copy()
    second[:, 7] += 1
    planted = pairs(first, second)
    null = [pair_scores(planted.paired_anew(rng)).means() for _ in range(20)]
    value = pair_scores(planted).means()["contrastive_score"]
    assert value == pytest.approx((D_SAE - 1) / D_SAE**0.5, rel=1e-5)
    assert value > max(drawn["contrastive_score"] for drawn in null)


def test_dead_latents_raise_the_score_as_they_widen_the_sae() -> None:
    codes = random_pairs()
    wide = PairCodes(
        first=sparse.csr_array(sparse.hstack([codes.first, codes.first * 0])),
        second=sparse.csr_array(sparse.hstack([codes.second, codes.second * 0])),
        n_first=codes.n_first,
        n_second=codes.n_second,
    )
    assert (
        pair_scores(wide).means()["contrastive_score"]
        > (pair_scores(codes).means()["contrastive_score"])
    )


@pytest.mark.parametrize(
    ("first", "second", "fault"),
    [
        (np.ones((2, 3)), np.ones((2, 4)), r"\[2, 3\], the second \[2, 4\]"),
        (np.ones((2, 1)), np.ones((2, 1)), "there is one latent"),
    ],
)
def test_codes_that_have_no_scores_are_refused(
    first: NDArray[Any], second: NDArray[Any], fault: str
) -> None:
    with pytest.raises(MetricInputError, match=fault):
        pair_scores(pairs(first, second))


def test_one_pair_has_no_other_partner() -> None:
    with pytest.raises(MetricInputError, match="there is one pair"):
        random_pairs(n=1).paired_anew(np.random.default_rng(0))


def test_means_are_over_pairs() -> None:
    two = np.array([1.0, 2.0])
    scores = PairScores(
        contrastive_score=two,
        independence_score=two,
        interpretability_score=two,
        independence_score_as_run=two,
    )
    assert set(scores.means().values()) == {1.5}
