"""Statistics of paired differences: arrays in, intervals and probabilities out.

A difference is a candidate's value minus its baseline's for the same seed. The test used:

| pairs | spread between seeds | test |
|---|---|---|
| 1 or 2 | known | z: sd of a difference = sqrt(2) * sd between seeds |
| 1 | unknown | none |
| from 2 | measured from the pairs | paired t |

The sign-flip test and the bootstrap are computed in addition. They count only with `DECIDES_FROM`
or more pairs, and then only as a veto: with 5 pairs no sign-flip test reaches p = .05 and a
percentile bootstrap covers 83% instead of 95%.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from jaxtyping import Float
from numpy.typing import NDArray
from scipy import special

from csae_bench.comparison.model import Interval

DECIDES_FROM = 10
"""Number of pairs from which the sign-flip test and the bootstrap are used."""

POWER = 0.8
"""Probability with which the smallest detectable difference is found."""

PAIRED_T = "paired t"
KNOWN_SD = "z with the known sd between seeds"
BOOTSTRAP = "bootstrap"

_EXACT_UP_TO = 12
_N_RESAMPLES = 2000
_ROUNDING = 1e-12


@dataclass(frozen=True, kw_only=True)
class PairedTest:
    """Statistics of the mean of n paired differences."""

    n_pairs: int
    mean: float
    interval: Interval | None
    """Interval of the mean; None if the spread is unknown."""
    p: float | None
    """Two-sided p of `interval`'s test; None if that is None."""
    sd: float | None
    """Standard deviation of a difference: measured, or sqrt(2) times the known sd between seeds."""
    is_constant: bool
    """Whether all differences are the same, up to rounding."""
    permutation_p: float | None
    """Two-sided sign-flip test of the mean: exact up to 12 pairs, else from 2000 random flips;
    None for a single pair."""
    bootstrap: Interval | None
    """Percentile interval of the mean from 2000 resamples of the pairs; None for a single one."""

    @property
    def has_veto(self) -> bool:
        """Whether there are enough pairs for the sign-flip test and the bootstrap to veto."""
        return self.n_pairs >= DECIDES_FROM

    def objections(self, alpha: float) -> tuple[str, ...]:
        """Say why a difference is not established although `p` is small; empty below 10 pairs."""
        if not self.has_veto or self.permutation_p is None or self.bootstrap is None:
            return ()
        raised: list[str] = []
        if self.permutation_p > alpha:
            raised.append(f"the sign-flip test does not agree, p = {self.permutation_p:.3g}")
        if self.bootstrap.low <= 0 <= self.bootstrap.high:
            low, high = self.bootstrap.low, self.bootstrap.high
            raised.append(f"the bootstrap interval {low:.4g} to {high:.4g} holds 0")
        return tuple(raised)


def paired_test(
    differences: Float[NDArray[np.float64], " n_pairs"],
    *,
    alpha: float,
    seed_sd: float | None = None,
) -> PairedTest:
    """Return the interval, p and further statistics of the mean of paired differences.

    The t test keeps its level under heavy-tailed noise (it becomes conservative). Differences
    that are all the same have no spread: an interval of width 0, and p 1 or 0.

    Args:
        differences: finite, at least one.
        alpha: intervals have level 1 - alpha.
        seed_sd: standard deviation of the metric between seeds, where it is known; used with 1 or
            2 pairs, and where the differences show no spread at all.

    Raises:
        ValueError: no differences, or one that is not finite.
    """
    d = np.asarray(differences, dtype=np.float64)
    if d.ndim != 1 or len(d) == 0 or not np.isfinite(d).all():
        raise ValueError(f"differences must be finite and at least one; they are {d.tolist()}")
    n, mean = len(d), float(d.mean())
    measured = _sd(d)
    if seed_sd is not None and (n <= 2 or measured == 0):
        sd: float | None = math.sqrt(2) * seed_sd
        interval, p = _z(mean, sd, n, alpha)
    elif n >= 3 or (n == 2 and measured):
        sd = measured
        interval, p = _t(mean, sd or 0.0, n, alpha)
    else:
        sd, interval, p = None, None, None
    return PairedTest(
        n_pairs=n,
        mean=mean,
        interval=interval,
        p=p,
        sd=sd,
        is_constant=measured == 0,
        permutation_p=sign_flip_p(d) if n > 1 else None,
        bootstrap=bootstrap_interval(d, alpha=alpha) if n > 1 else None,
    )


def sign_flip_p(differences: Float[NDArray[np.float64], " n_pairs"]) -> float:
    """Return the two-sided p of the mean if each difference could equally have the other sign.

    Exact up to 12 pairs, where its smallest value is 2 / 2^n; above that from 2000 random flips and
    the differences themselves. Assumes a symmetric difference and nothing of its tails.
    """
    d = np.asarray(differences, dtype=np.float64)
    flipped = np.abs(_signs(len(d)) @ d)
    # ties are a matter of rounding: the same sum in another order
    return float((flipped >= abs(d.sum()) - _ROUNDING * np.abs(d).sum()).mean())


def bootstrap_interval(
    differences: Float[NDArray[np.float64], " n_pairs"], *, alpha: float
) -> Interval:
    """Return the percentile interval of the mean from 2000 resamples; too narrow below 10 pairs."""
    d = np.asarray(differences, dtype=np.float64)
    low, high = np.quantile(_weights(len(d)) @ d, [alpha / 2, 1 - alpha / 2])
    return Interval(low=float(low), high=float(high), level=1 - alpha, method=BOOTSTRAP)


def holm(p_values: Sequence[float]) -> list[float]:
    """Return p after Holm's correction, in the order given.

    The chance that any true null hypothesis has a corrected p of at most alpha is at most alpha.

    Holm 1979, Scand. J. Statist. 6, 65-70: valid whatever the dependence of the tests.
    """
    # statsmodels' multipletests takes .4 s to import and collects all garbage at every call
    p = np.asarray(p_values, dtype=np.float64)
    order = np.argsort(p)
    stepped = np.maximum.accumulate(p[order] * np.arange(len(p), 0, -1))
    corrected = np.empty_like(p)
    corrected[order] = np.minimum(stepped, 1.0)
    return corrected.tolist()


def smallest_detectable(test: PairedTest, *, alpha: float, n_tests: int) -> float | None:
    """Return the difference detectable with 80% power, with this spread and number of pairs.

    At level alpha / n_tests, which is what Holm asks of the first of n_tests. None if there is
    no spread to speak of.
    """
    if test.interval is None or not test.sd:
        return None
    level = alpha / max(n_tests, 1)
    if test.interval.method == KNOWN_SD:
        z = float(special.ndtri(1 - level / 2) + special.ndtri(POWER))
        return z * test.sd / math.sqrt(test.n_pairs)
    df = test.n_pairs - 1
    critical = special.stdtrit(df, 1 - level / 2)
    # Not statsmodels' TTestPower: for 3 to 10 pairs and small levels its solver stops at a wrong
    # value without saying so (0.15.0: 5 pairs at .0025 give 2.98, where the power is .57).
    noncentrality = special.nctdtrinc(df, 1 - POWER, critical)
    return float(noncentrality) / math.sqrt(test.n_pairs) * test.sd


def is_equivalent(interval: Interval, margin: float) -> bool:
    """Return whether the whole interval lies within the margin around 0.

    Two one-sided tests, each at half the interval's alpha: the interval that decides is the one
    that is shown. (Schuirmann 1987 would allow the narrower one of level 1 - 2 alpha.)
    """
    return -margin <= interval.low and interval.high <= margin


def _sd(d: NDArray[np.float64]) -> float:
    """Return the standard deviation with n - 1; 0 if the differences differ only by rounding."""
    if len(d) < 2:
        return 0.0
    sd = float(d.std(ddof=1))
    return sd if sd > _ROUNDING * float(np.abs(d).max()) else 0.0


def _t(mean: float, sd: float, n: int, alpha: float) -> tuple[Interval, float]:
    half = float(special.stdtrit(n - 1, 1 - alpha / 2)) * sd / math.sqrt(n)
    if sd > 0:
        p = 2 * float(special.stdtr(n - 1, -abs(mean) / (sd / math.sqrt(n))))
    else:
        p = 1.0 if mean == 0 else 0.0
    return Interval(low=mean - half, high=mean + half, level=1 - alpha, method=PAIRED_T), p


def _z(mean: float, sd: float, n: int, alpha: float) -> tuple[Interval, float]:
    se = sd / math.sqrt(n)
    half = float(special.ndtri(1 - alpha / 2)) * se
    p = 2 * float(special.ndtr(-abs(mean) / se)) if se > 0 else float(mean == 0)
    return Interval(low=mean - half, high=mean + half, level=1 - alpha, method=KNOWN_SD), p


@lru_cache(maxsize=64)
def _signs(n: int) -> NDArray[np.float64]:
    """Return the signs to flip by, [n_flips, n]: all 2^n, or none and 2000 random ones."""
    if n <= _EXACT_UP_TO:
        bits = np.arange(2**n)[:, None] >> np.arange(n)
        return 1.0 - 2.0 * (bits & 1)
    # the same flips for every metric, so that a report does not change from one call to the next
    random = np.random.default_rng(n).choice([-1.0, 1.0], size=(_N_RESAMPLES, n))
    return np.vstack([np.ones(n), random])


@lru_cache(maxsize=64)
def _weights(n: int) -> NDArray[np.float64]:
    """Return the weight of each pair in each of 2000 resamples, [2000, n]; rows sum to 1."""
    return np.random.default_rng(n).multinomial(n, np.full(n, 1 / n), size=_N_RESAMPLES) / n
