"""csae_bench/comparison/noise.py, and what a verdict makes of it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from csae_bench.comparison.metrics import lookup
from csae_bench.comparison.model import Family, Reading, Verdict
from csae_bench.comparison.noise import noise_of_eval
from csae_bench.comparison.verdicts import Draft, conclude

METRIC = "mig.value_mig"
FAMILY = Family("release", "sae")
READING = Reading(path=Path("0"), eval_name="mig", family=FAMILY, sae_id="sae", seed=0, values={})


def reading(values: list[float]) -> Reading:
    return replace(
        READING,
        values={METRIC: float(np.mean(values))},
        sd_of_eval={METRIC: float(np.std(values, ddof=1))},
        repetitions=tuple(Path(str(i)) for i in range(len(values))),
    )


def draft(difference: float, noise: float | None, *, n: int = 1) -> Draft:
    return Draft(
        spec=replace(lookup(METRIC), noise_floor=0.02, sd_between_seeds=None, margin=None),
        candidate=FAMILY,
        baseline=FAMILY,
        gates=True,
        candidate_values=tuple(0.5 + difference + 1e-4 * i for i in range(n)),
        baseline_values=(0.5,) * n,
        noise_of_eval=noise,
    )


def test_differences_of_two_saes_that_are_the_same_lie_within_the_noise_in_95_percent() -> None:
    rng = np.random.default_rng(0)
    n_within = 0
    for _ in range(2000):
        mine, theirs = (reading(list(rng.normal(0.5, 0.1, size=50))) for _ in range(2))
        noise = noise_of_eval([(mine, theirs)], METRIC)
        assert noise is not None
        n_within += abs(mine.values[METRIC] - theirs.values[METRIC]) <= noise  # type: ignore[operator]
    assert 0.93 < n_within / 2000 < 0.97


def test_pairs_make_the_noise_of_their_mean_smaller() -> None:
    pair = reading([0.4, 0.6]), reading([0.4, 0.6])
    one, four = (noise_of_eval([pair] * n, METRIC) for n in (1, 4))
    assert one is not None
    assert four == pytest.approx(one / 2)


def test_without_repetitions_nothing_is_known_of_the_noise() -> None:
    assert noise_of_eval([(reading([0.4, 0.6]), READING)], METRIC) is None
    assert noise_of_eval([], METRIC) is None


@pytest.mark.parametrize(
    ("difference", "noise", "verdict"),
    [
        (0.05, None, Verdict.BETTER),
        (0.05, 0.01, Verdict.BETTER),
        (0.05, 0.06, Verdict.INCONCLUSIVE),
        (-0.05, 0.06, Verdict.INCONCLUSIVE),
        (-0.05, 0.01, Verdict.WORSE),
    ],
)
def test_a_difference_of_one_seed_must_exceed_the_noise_of_the_eval(
    difference: float, noise: float | None, verdict: Verdict
) -> None:
    (comparison,) = conclude([draft(difference, noise)], 0.05)
    assert comparison.verdict is verdict
    assert comparison.noise_of_eval == noise


def test_many_training_seeds_show_the_noise_themselves() -> None:
    (comparison,) = conclude([draft(0.05, 0.06, n=8)], 0.05)
    assert comparison.verdict is Verdict.BETTER
    assert "The eval's own seeds make differences of up to 0.06." in comparison.reasons
