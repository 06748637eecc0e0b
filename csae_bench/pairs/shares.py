"""Number of pairs of each kind in a batch."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from math import floor

from csae_bench.errors import ConfigError


def pairs_of_each_kind(
    shares: Mapping[str, float],
    kinds: Iterable[str],
    *,
    n_pairs: int,
    fewest: Mapping[str, int] | None = None,
) -> tuple[dict[str, float], dict[str, int]]:
    """Return shares that add up to 1 and counts that add up to `n_pairs`, in order of `kinds`.

    Counts are share * n_pairs rounded down; the pairs that are left go to the largest remainders,
    of equal ones to the first. Kinds of share 0 are left out.

    Raises:
        ConfigError: a share is negative or not finite, all are 0, one is of a kind that is not
            among `kinds`, or one amounts to less than a pair, or than the kind's `fewest`, which
            shuffled pairs need.
    """
    known = list(kinds)
    problems = [
        f"The share of {kind} pairs is {share}; it must be a number of at least 0."
        for kind, share in shares.items()
        if not 0 <= share < float("inf")
    ] + [
        f"The share of {kind} pairs is {share}, but there is no source of such pairs; give "
        f"pairs.{kind}.weight a value above 0."
        for kind, share in shares.items()
        if share and kind not in known
    ]
    if not problems and not any(shares.values()):
        problems = ["The share of every kind of pairs is 0; one must be above it."]
    if problems:
        raise ConfigError(problems)
    least = fewest or {}
    total = sum(shares.values())
    normalised = {kind: shares[kind] / total for kind in known if shares.get(kind)}
    counts = _largest_remainder(normalised, n_pairs)
    problems = [
        f"pairs.{kind} has a share of {normalised[kind]:.3g} in batches of {n_pairs} pairs, which "
        f"makes {n} of them; it must be at least "
        f"{f'{least[kind]}, as its pairs are shuffled' if kind in least else 1}. Raise its weight "
        "or training.batch_size."
        for kind, n in counts.items()
        if n < least.get(kind, 1)
    ]
    if problems:
        raise ConfigError(problems)
    return normalised, counts


def _largest_remainder(shares: Mapping[str, float], n_pairs: int) -> dict[str, int]:
    # rounded: .29 * 100 is 28.999999999999996
    exact = {kind: round(share * n_pairs, 9) for kind, share in shares.items()}
    counts = {kind: floor(value) for kind, value in exact.items()}
    by_remainder = sorted(exact, key=lambda kind: counts[kind] - exact[kind])
    for kind in by_remainder[: n_pairs - sum(counts.values())]:
        counts[kind] += 1
    return counts
