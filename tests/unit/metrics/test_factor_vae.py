"""FactorVAE, classic and for the population: known answers, invariances, the rules of the vote."""

from __future__ import annotations

import numpy as np
import pytest

from csae_bench.metrics.data import MetricInputError
from csae_bench.metrics.eta_squared import eta_squared
from csae_bench.metrics.factor_vae import election, factor_vae, factor_vae_population
from tests.unit.metrics.codes import Array, firing_at, grid, one_per_value, rotated

SEEDS = range(4)
FEWER = {"n_train": 4000, "n_eval": 2000}


def both(codes: Array, factors: Array, seed: int) -> tuple[float, float]:
    classic = factor_vae(codes, factors, seed=seed, **FEWER).value
    population = factor_vae_population(codes, factors, seed=seed).value
    assert classic is not None
    assert population is not None
    return classic, population


def shuffled(factors: Array, seed: int) -> tuple[Array, np.random.Generator]:
    rng = np.random.default_rng(seed)
    return rng.permutation(factors), rng


@pytest.mark.parametrize("seed", SEEDS)
def test_one_latent_per_factor_scores_1(seed: int) -> None:
    factors, _ = shuffled(grid(4, 5, 2), seed)
    assert both(factors + 1.0, factors, seed) == (1, 1)


@pytest.mark.parametrize("seed", SEEDS)
def test_both_forms_are_blind_to_duplicates(seed: int) -> None:
    factors, rng = shuffled(grid(4, 5, 2), seed)
    scales = rng.lognormal(size=5)
    assert both(np.concatenate([factors + 1.0, (factors + 1) * scales], 1), factors, seed) == (1, 1)


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("n_values", [2, 3, 4])
def test_an_oracle_sae_scores_1(seed: int, n_values: int) -> None:
    factors, _ = shuffled(grid(n_values, 5, 2 + 60 // n_values**2), seed)
    assert both(one_per_value(factors), factors, seed) == (1, 1)


@pytest.mark.slow
@pytest.mark.parametrize("seed", SEEDS)
def test_rare_latents_ruin_the_unfiltered_metric_alone(seed: int) -> None:
    factors, rng = shuffled(grid(4, 5, 2), seed)
    rare = firing_at(0.02, len(factors), 2000, rng)
    codes = np.concatenate([one_per_value(factors), rare], 1)
    unfiltered = factor_vae(codes, factors, delta=None, seed=seed)
    assert unfiltered.value is not None
    # five factors: chance is .2; with 2000 votes its standard error is .009
    assert 0.16 < unfiltered.value < 0.26
    assert unfiltered.n_latents == 2020
    filtered = factor_vae(codes, factors, seed=seed)
    assert filtered.value == 1
    assert filtered.n_latents == 20
    assert factor_vae_population(codes, factors, seed=seed).value == 1


@pytest.mark.parametrize("seed", SEEDS)
def test_rotated_factors_score_at_chance_and_0(seed: int) -> None:
    factors, _ = shuffled(grid(2, 8, 10), seed)
    classic, population = both(rotated(factors), factors, seed)
    assert abs(classic - 1 / 8) < 0.04
    assert population == 0
    factors = np.random.default_rng(seed).integers(4, size=(3000, 8))
    classic, population = both(rotated(factors), factors, seed)
    assert abs(classic - 1 / 8) < 0.06
    assert population == 0


def test_random_codes_score_at_chance_and_below_a_tenth() -> None:
    scores = []
    for seed in range(12):
        factors, rng = shuffled(grid(3, 5, 9), seed)
        scores.append(both(firing_at(0.2, len(factors), 100, rng), factors, seed))
    classic, population = np.mean(scores, axis=0)
    assert abs(classic - 0.2) < 0.03
    # each of five votes has one chance in twenty to exceed the null's 95% quantile
    assert population <= 0.1


@pytest.mark.parametrize("seed", SEEDS)
def test_order_scale_and_dead_latents_do_not_matter(seed: int) -> None:
    factors, rng = shuffled(grid(3, 4, 25), seed)
    codes = np.concatenate(
        [factors + rng.normal(0, 1, factors.shape), firing_at(0.2, 2025, 20, rng)], 1
    )
    changed = np.zeros((len(codes), 40))
    order = rng.permutation(24)
    changed[:, 3:27] = (codes * rng.lognormal(0, 5, 24))[:, order]
    classic, population = both(codes, factors, seed)
    again, population_again = both(changed, factors, seed)
    # ties are rare here, so the same batches give all but the same votes
    assert abs(classic - again) < 0.01
    assert population == population_again


@pytest.mark.parametrize("seed", SEEDS)
def test_noise_lowers_the_classic_score(seed: int) -> None:
    factors, rng = shuffled(grid(3, 4, 25), seed)
    noise = rng.normal(size=factors.shape)
    codes = [factors + 1 + s * noise for s in (0, 1, 4, 30)]
    scores = [both(each, factors, seed)[0] for each in codes]
    assert scores == sorted(scores, reverse=True)
    assert scores[-1] < 0.5


def test_dead_latents_win_no_votes() -> None:
    # disentanglement_lib keeps them: 0 / 0 is NaN, and argmin takes the first NaN
    factors = grid(4, 3, 20)
    codes = np.concatenate([np.zeros((len(factors), 10)), factors + 1.0], 1)
    assert factor_vae(codes, factors, delta=None).value == 1
    assert factor_vae(codes, factors, delta=None).n_latents == 3


def test_the_filter_is_at_the_rate_that_is_silent_in_a_batch_with_probability_delta() -> None:
    score = factor_vae(np.eye(100), np.arange(100) % 2)
    assert score.settings["min_firing_rate"] == pytest.approx(1 - 0.05 ** (1 / 64))
    assert score.value is None
    assert score.reason == "no latent that varies fires on at least 4.57% of the samples"


def test_ties_are_broken_at_random() -> None:
    # all of a factor's latents stand still when it is fixed: each must win its share
    factors = grid(4, 2, 50)
    codes = one_per_value(factors)
    collected = [
        factor_vae(codes[:, order], factors, seed=0) for order in (range(8), range(7, -1, -1))
    ]
    assert [each.value for each in collected] == [1, 1]
    from csae_bench.metrics.data import Codes, Factors
    from csae_bench.metrics.eta_squared import standardised
    from csae_bench.metrics.voting import votes

    units = standardised(Codes.of(codes))
    counted = votes(units, Factors.of(factors), np.arange(2), 8000, 64, np.random.default_rng(0))
    # 1000 expected for each of a factor's four; standard deviation 30
    assert np.abs(counted[0, :4] - 1000).max() < 150
    assert counted[0, 4:].sum() == 0


def test_ties_across_blocks_of_latents_are_broken_at_random(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    from csae_bench.metrics.data import Codes, Factors
    from csae_bench.metrics.eta_squared import standardised
    from csae_bench.metrics.voting import votes

    monkeypatch.setattr("csae_bench.metrics.voting._BLOCK_CELLS", 1)
    factors = grid(4, 2, 50)
    units = standardised(Codes.of(one_per_value(factors)))
    counted = votes(units, Factors.of(factors), np.arange(2), 8000, 64, np.random.default_rng(0))
    assert np.abs(counted[0, :4] - 1000).max() < 150
    assert np.abs(counted[1, 4:] - 1000).max() < 150
    assert counted.sum() == 8000


def test_the_same_seed_gives_the_same_score() -> None:
    factors, rng = shuffled(grid(3, 4, 5), 0)
    codes = factors + rng.normal(0, 2, factors.shape)
    assert factor_vae(codes, factors, seed=3) == factor_vae(codes, factors, seed=3)


def test_eta_squared_is_its_definition() -> None:
    rng = np.random.default_rng(0)
    factors = rng.integers(0, [2, 3, 5], (400, 3))
    codes = np.concatenate(
        [firing_at(0.2, 400, 10, rng), factors + 1e6, np.full((400, 1), 0.1), np.zeros((400, 1))], 1
    )
    result = eta_squared(codes, factors)
    for latent, z in enumerate(codes[:, :13].T):
        for factor, column in enumerate(factors.T):
            within = sum(np.mean(column == v) * z[column == v].var() for v in np.unique(column))
            # numpy's own variances at an offset of 1e6 are good to 1e-9
            assert abs(result[latent, factor] - (1 - within / z.var())) < 1e-8
    assert not result[13:].any()


def test_a_vote_needs_more_than_the_null() -> None:
    shares = np.array([[0.3, 0.0], [0.0, 0.1]])
    elected = election(shares, np.array([0.2, 0.2]))
    assert elected.is_above_null.tolist() == [True, False]
    assert elected.is_accepted.tolist() == [True, False]


def test_of_two_factors_with_one_latent_the_larger_is_accepted_where_it_leads_by_far() -> None:
    elected = election(np.array([[0.9, 0.3], [0.0, 0.1]]), np.zeros(2))
    assert elected.winners.tolist() == [0, 0]
    assert elected.is_unrivalled.tolist() == [True, False]
    assert elected.is_accepted.tolist() == [True, False]


def test_a_vote_needs_twice_the_share_of_every_other_factor() -> None:
    elected = election(np.array([[0.9, 0.5], [0.0, 0.6]]), np.zeros(2))
    assert elected.leads.tolist() == [False, True]
    assert elected.is_accepted.tolist() == [False, True]


def test_the_margin_is_the_gap_to_the_next_latent() -> None:
    factors = grid(3, 2, 100)
    score = factor_vae_population(factors + 1.0, factors)
    assert score.mean_margin == pytest.approx(1)
    vote = score.votes["factor_0"]
    assert vote is not None
    assert (vote.latent, vote.is_accepted, vote.why_not) == (0, True, None)
    twice = np.concatenate([factors, factors], 1) + 1.0
    assert factor_vae_population(twice, factors).mean_margin == pytest.approx(0)


def test_a_vote_that_falls_says_why() -> None:
    factors = grid(3, 3, 50)
    votes = factor_vae_population(factors[:, :1] + 1.0, factors).votes
    assert [vote and vote.why_not for vote in votes.values()] == [
        None,
        "its eta^2 is within the null of the largest",
        "its eta^2 is within the null of the largest",
    ]


def test_a_factor_of_one_value_is_left_out_with_a_reason() -> None:
    factors = np.concatenate([grid(3, 2, 50), np.zeros((450, 1), int)], 1)
    for each in (
        factor_vae(factors + 1.0, factors),
        factor_vae_population(factors + 1.0, factors),
    ):
        assert each.value == 1
        assert each.by_factor == {"factor_0": 1, "factor_1": 1, "factor_2": None}
        assert "one value" in each.reason_by_factor["factor_2"]


def test_a_dead_sae_has_no_score() -> None:
    codes, factors = np.zeros((100, 5)), grid(10, 2)
    for each in (factor_vae(codes, factors), factor_vae_population(codes, factors)):
        assert each.value is None
        assert each.reason == "no latent varies over the samples"


@pytest.mark.parametrize(
    "settings", [{"delta": 0.0}, {"delta": 1.5}, {"batch_size": 1}, {"n_train": 0}, {"n_eval": -1}]
)
def test_settings_out_of_range_are_refused(settings: dict[str, float]) -> None:
    with pytest.raises(MetricInputError, match=f"{next(iter(settings))} is"):
        factor_vae(np.eye(4), [0, 1, 0, 1], **settings)
