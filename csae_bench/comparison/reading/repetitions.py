"""Repetitions of an eval on one SAE, each with a seed of the eval's own, as one result.

The mean of them is what is compared. Their standard deviation is the noise of the eval itself,
which training seeds share and which more of these do not show.
"""

from __future__ import annotations

import json
import math
import statistics
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace

from csae_bench.comparison.model import Condition, Reading
from csae_bench.comparison.reading.conditions import CONFIG, SETTINGS
from csae_bench.comparison.reading.variants import circumstances_of_all_seeds
from csae_bench.evals.seeds import SEED_SETTINGS

_SEEDS = tuple(f"{prefix}{name}" for prefix in (CONFIG, f"{SETTINGS}.") for name in SEED_SETTINGS)


def averaged(readings: Iterable[Reading]) -> list[Reading]:
    """Return the results, those of one SAE that differ in the seed of the eval alone as one.

    It is that of the smallest seed, with means in place of its values; a value that is undefined
    in any of them is undefined. What is older than another one of the same seed stays by itself.
    """
    groups: dict[tuple[str, ...], dict[int, Reading]] = defaultdict(dict)
    left: list[Reading] = []
    for reading in sorted(readings, key=lambda r: (r.epoch_millis or 0, str(r.path))):
        group = groups[_key(reading)]
        older = group.get(reading.eval_seed)
        if older is not None:
            left.append(older)
        group[reading.eval_seed] = reading
    for group in groups.values():
        left += [_mean(group)] if len(group) > 1 else group.values()
    return left


def _key(reading: Reading) -> tuple[str, ...]:
    conditions = dict(_without_seed(circumstances_of_all_seeds(reading), reading.eval_seed))
    return (
        reading.eval_name,
        reading.family.release,
        reading.sae_id,
        reading.weights_hash or "",
        json.dumps(conditions, sort_keys=True),
    )


def _without_seed(
    conditions: Mapping[str, Condition], eval_seed: int
) -> Iterator[tuple[str, Condition]]:
    """Yield the conditions with the seed that repetition 0 has."""
    for name, value in conditions.items():
        yield name, value - eval_seed if name in _SEEDS and isinstance(value, int) else value


def _mean(group: Mapping[int, Reading]) -> Reading:
    by_seed = [group[seed] for seed in sorted(group)]
    first = by_seed[0]
    values = {name: [reading.values.get(name) for reading in by_seed] for name in first.values}
    whole = {name: [v for v in of_all if v is not None] for name, of_all in values.items()}
    is_defined = {name: len(of_all) == len(by_seed) for name, of_all in whole.items()}
    return replace(
        first,
        values={
            name: math.fsum(of_all) / len(of_all) if is_defined[name] else None
            for name, of_all in whole.items()
        },
        reasons={name: _reason(name, by_seed) for name in first.values if not is_defined[name]},
        invalid=tuple(dict.fromkeys(why for reading in by_seed for why in reading.invalid)),
        repetitions=tuple(reading.path for reading in by_seed),
        sd_of_eval={
            name: statistics.stdev(of_all) for name, of_all in whole.items() if is_defined[name]
        },
    )


def _reason(name: str, by_seed: Sequence[Reading]) -> str:
    undefined = [reading for reading in by_seed if reading.values.get(name) is None]
    why = next((r.reasons[name] for r in undefined if name in r.reasons), "")
    if len(undefined) == len(by_seed):
        return why
    return f"undefined under {len(undefined)} of {len(by_seed)} seeds of the eval" + (
        f": {why}" if why else ""
    )
