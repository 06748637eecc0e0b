"""Letters of an absorption result: their means, intervals, and why a value is undefined.

Importing this imports neither torch nor sae_bench.
"""

from __future__ import annotations

import statistics
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from csae_bench.engines.absorption.fields import MEANS
from csae_bench.metrics.bootstrap import cluster_draws

ONE_LETTER = "there is one letter, and nothing to resample"

Values = dict[str, float | int | None]


@dataclass(frozen=True, kw_only=True)
class Letter:
    """A letter's values."""

    letter: str
    n_train: int
    """Words on which probes are trained."""
    n_test: int
    probe_f1: float
    """F1 of the probe on the model's activations, on test words."""
    counts: bool
    """Whether `probe_f1` is high enough."""
    split_feats: tuple[int, ...]
    """The letter's own latents, the one with the largest weight first."""
    split_f1: float
    """F1 of the probe on these."""
    mean_absorption_fraction: float | None = None
    """None where absorption was not measured, or the probe gets no word right."""
    full_absorption_rate: float | None = None
    num_full_absorption: int | None = None
    num_probe_true_positives: int | None = None


@dataclass(frozen=True, kw_only=True)
class Letters:
    """All letters of one SAE, in the form that was judged."""

    letters: tuple[Letter, ...]
    min_letters: int
    min_f1: float

    @property
    def counted(self) -> list[Letter]:
        """The letters that the means are of."""
        return [letter for letter in self.letters if letter.counts]

    @property
    def reason(self) -> str | None:
        """Why there are no means; None where there are."""
        n = len(self.counted)
        if n >= self.min_letters:
            return None
        return (
            f"the probes on the model's activations have an F1 above {self.min_f1:g} for {n} of "
            f"{len(self.letters)} letters, and {self.min_letters} are needed (min_feats_for_eval)"
        )

    def details(self) -> list[dict[str, Any]]:
        """Return SAE-Bench's entry for each letter that counts; none where too few do."""
        if self.reason is not None:
            return []
        return [
            {
                "first_letter": letter.letter,
                "mean_absorption_fraction": letter.mean_absorption_fraction,
                "full_absorption_rate": letter.full_absorption_rate,
                "num_full_absorption": letter.num_full_absorption,
                "num_probe_true_positives": letter.num_probe_true_positives,
                "num_split_features": len(letter.split_feats),
            }
            for letter in self.counted
        ]

    def table(self) -> list[dict[str, Any]]:
        """Return every letter's values, for the record."""
        return [asdict(letter) for letter in self.letters]


def sae_bench_means(letters: Letters) -> dict[str, float]:
    """Return SAE-Bench's six values by its names, NaN where too few letters count."""
    columns = _columns(letters)
    spreads = [f"std_dev_{name.removeprefix('mean_')}" for name in MEANS]
    if letters.reason is not None:
        return dict.fromkeys([*MEANS, *spreads], float("nan"))
    means = {name: float(statistics.mean(values)) for name, values in columns.items()}
    return means | {
        spread: float(statistics.stdev(values))
        for spread, values in zip(spreads, columns.values(), strict=True)
    }


def corrected(
    letters: Letters, *, undefined: str | None, n_resamples: int, seed: int
) -> tuple[Values, dict[str, str]]:
    """Return means with 95% intervals over letters, and why those that are null are so.

    Args:
        undefined: why there is no right value, whatever the letters.
    """
    counted = letters.counted
    values: Values = {
        "n_letters": len(counted),
        "mean_probe_f1": float(np.mean([letter.probe_f1 for letter in letters.letters])),
        "mean_split_f1": float(np.mean([letter.split_f1 for letter in letters.letters])),
    }
    ends = [f"{name}_{end}" for name in MEANS for end in ("low", "high")]
    reason = undefined or letters.reason
    if reason is not None:
        names = [*MEANS, *ends]
        return values | dict.fromkeys(names), dict.fromkeys(names, reason)
    columns = np.array(list(_columns(letters).values()), dtype=float)
    values |= dict(zip(MEANS, columns.mean(1).tolist(), strict=True))
    if len(counted) < 2:
        return values | dict.fromkeys(ends), dict.fromkeys(ends, ONE_LETTER)
    drawn = cluster_draws(len(counted), n_resamples, seed) @ columns.T / len(counted)
    values |= dict(zip(ends, np.percentile(drawn, (2.5, 97.5), axis=0).T.flatten(), strict=True))
    return {name: _plain(value) for name, value in values.items()}, {}


def _columns(letters: Letters) -> Mapping[str, Sequence[Any]]:
    counted = letters.counted
    return {
        MEANS[0]: [letter.mean_absorption_fraction for letter in counted],
        MEANS[1]: [letter.full_absorption_rate for letter in counted],
        MEANS[2]: [len(letter.split_feats) for letter in counted],
    }


def _plain(value: Any) -> float | int | None:
    return value if value is None or isinstance(value, int) else float(value)
