"""Several results of one SAE and eval: which are separate, and which are replaced by newer ones.

Results under other settings, on other data, or with another seed of the eval are separate. The
first keeps the SAE's name; any other is named for what it differs in, as in `topk (seed=3)`, so
that it is paired with results that differ in the same and never with a first one. Ours say what
they differ in; of others it is found out here.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import NamedTuple

from csae_bench.comparison.model import Broken, Condition, Reading
from csae_bench.comparison.reading.conditions import (
    ASKED_FOR,
    CONFIG,
    DATA,
    DEFINITION,
    SETTINGS,
    SHUFFLED,
    VERSION,
    same_model,
)

_ALWAYS_TOLD = frozenset({"model", "dataset", "context_size", "dtype"})
"""Conditions that every result has: of two results of one SAE, one that lacks it may have
another value."""
_BY_SETTINGS = ("dataset", "context_size", "split", "pooling", SHUFFLED)
"""Conditions that follow from the settings, if a result of ours has these."""
_OF_VERSION = frozenset({VERSION, f"{DEFINITION}explained_variance"})
"""Conditions that a newer SAE-Bench changes: its result is a newer one of the same variant."""

Circumstances = Mapping[str, Condition]


class Separated(NamedTuple):
    """Results, each the only one of its SAE, eval and variant."""

    readings: list[Reading]
    older: list[Broken]
    """Results that a newer one replaces, and the newer one."""


def separated(readings: Iterable[Reading]) -> Separated:
    """Name results by what they differ in, and keep the newest of those that differ in nothing.

    Which one is the first is said by ours. Otherwise it is the one under the conditions that most
    SAEs of the release have, or else under those that were used first.
    """
    by_eval: dict[tuple[str, str], list[Reading]] = defaultdict(list)
    for reading in sorted(readings, key=_age):
        by_eval[reading.family.release, reading.eval_name].append(reading)
    newest: dict[tuple[str, str, str, str], Reading] = {}
    older: list[Broken] = []
    for of_eval in by_eval.values():
        for reading in _named(of_eval):
            release, _, variant = reading.family
            key = (reading.eval_name, release, reading.sae_id, variant)
            if key in newest:
                older.append(_left_out(newest[key], reading))
            newest[key] = reading
    return Separated(sorted(newest.values(), key=lambda r: str(r.path)), older)


def circumstances(reading: Reading) -> Circumstances:
    """Return the conditions that may distinguish results of the same SAE and eval."""
    conditions = {name: v for name, v in reading.conditions.items() if name not in _OF_VERSION}
    if any(name.startswith(f"{SETTINGS}.") for name in reading.settings):
        conditions = {
            name: value
            for name, value in conditions.items()
            if name not in _BY_SETTINGS and not name.startswith((CONFIG, DEFINITION))
        }
    return {**conditions, **reading.settings}


def circumstances_of_all_seeds(reading: Reading) -> Circumstances:
    """Return those of them that do not follow from what was drawn with a seed of the eval."""
    return {name: v for name, v in circumstances(reading).items() if not name.startswith(DATA)}


def _named(of_eval: Sequence[Reading]) -> list[Reading]:
    """Group the results of one eval and release by the family of their variant, oldest first."""
    by_family: dict[str, list[Reading]] = defaultdict(list)
    for reading in of_eval:
        by_family[reading.family.sae].append(reading)
    rank = _ranks(of_eval) if any(map(_has_several, by_family.values())) else {}
    named: list[Reading] = []
    for of_family in by_family.values():
        firsts = [reading for reading in of_family if not reading.variant]
        variants = _found_out(firsts, rank) if _has_several(firsts) else [""] * len(firsts)
        told = dict(zip(map(id, firsts), variants, strict=True))
        for reading in of_family:
            variant = told[id(reading)] if id(reading) in told else _told(reading)
            family = reading.family._replace(variant=variant)
            named.append(replace(reading, family=family))
    return sorted(named, key=_age)


def _has_several(readings: Sequence[Reading]) -> bool:
    first = circumstances(readings[0]) if readings else {}
    return any(circumstances(reading) != first for reading in readings[1:])


def _ranks(of_eval: Sequence[Reading]) -> dict[str, tuple[int, int]]:
    """Return conditions -> (number of SAEs with them, minus the order of their first use)."""
    users: dict[str, set[str]] = defaultdict(set)
    for reading in of_eval:
        users[_signature(reading)].add(reading.sae_id)
    return {conditions: (len(saes), -i) for i, (conditions, saes) in enumerate(users.items())}


def _found_out(readings: Sequence[Reading], rank: Mapping[str, tuple[int, int]]) -> list[str]:
    """Return the variant of each result of a family, oldest first."""
    base = max(readings, key=lambda reading: rank[_signature(reading)])
    of_base = circumstances(base)
    settings = [
        _differing(of_base, circumstances(reading), is_same=reading.sae_id == base.sae_id)
        for reading in readings
    ]
    # data may be drawn again for each seed: what counts is whether two results of one SAE differ
    first: dict[tuple[str, str], Circumstances] = {}
    names: list[str] = []
    for reading, differing in zip(readings, settings, strict=True):
        data = _data(reading)
        before = first.setdefault((reading.sae_id, _text(differing)), data)
        other = {
            name: value for name, value in data.items() if name in before and before[name] != value
        }
        names.append(_text({**differing, **_fewest(other)}))
    return names


def _differing(base: Circumstances, mine: Circumstances, *, is_same: bool) -> Circumstances:
    """Return the values of `mine` that are not those of `base`; `is_same`: both are of one SAE."""
    return {
        name: mine.get(name)
        for name in sorted({*base, *mine})
        if not _is_of_one(name)
        if _differs(name, base.get(name), mine.get(name), is_same=is_same)
    }


def _differs(name: str, a: Condition, b: Condition, *, is_same: bool) -> bool:
    if a is None or b is None:
        # one that tells nothing, such as an older version's, may well have the same value
        return (a is not b) and ((name in _ALWAYS_TOLD and is_same) or name == SHUFFLED)
    return not same_model(a, b) if name == "model" else a != b


def _data(reading: Reading) -> Circumstances:
    return {name: v for name, v in circumstances(reading).items() if _is_of_one(name)}


def _is_of_one(name: str) -> bool:
    """Return whether it differs between results of one SAE, but not between seeds."""
    return name.startswith(DATA) or name in ASKED_FOR


def _fewest(data: Circumstances) -> Circumstances:
    """Leave out the counts of the data if their fingerprint differs, which implies them."""
    fingerprint = f"{DATA}fingerprint"
    if fingerprint not in data:
        return data
    return {k: v for k, v in data.items() if k == fingerprint or not k.startswith(DATA)}


def _told(reading: Reading) -> str:
    """Return the variant of a result that says in what it differs."""
    return _text(reading.differs) or reading.variant


def _text(differing: Circumstances) -> str:
    return ", ".join(f"{name}={_shown(differing[name])}" for name in sorted(differing))


def _shown(value: Condition) -> str:
    if value is None:
        return "not known"
    return value if isinstance(value, str) else json.dumps(value)


def _signature(reading: Reading) -> str:
    kept = {name: v for name, v in circumstances(reading).items() if not _is_of_one(name)}
    return json.dumps(kept, sort_keys=True)


def _age(reading: Reading) -> tuple[int, str]:
    return (reading.epoch_millis or 0, str(reading.path))


def _left_out(older: Reading, newer: Reading) -> Broken:
    return Broken(
        older.path,
        f"{older.path}: left out for {newer.path}, which is not older and of the same SAE and eval "
        f"under the same conditions ({older.family.release} {older.title}, {older.eval_name}).",
    )
