"""Conditions of two values: equal ones can be compared, different ones cannot.

A condition that only one of two results tells is not known to be equal, so it is a mismatch where
the metric depends on it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from fnmatch import fnmatchcase

from packaging.version import InvalidVersion, Version

from csae_bench.comparison.metrics import SD_MODEL, MetricSpec, lookup
from csae_bench.comparison.model import Condition, Reading
from csae_bench.comparison.reading.conditions import DATA, DEFINITION, VERSION, same_model

_MAX_SHOWN = 300
"""Characters of a condition in a sentence; --json has all."""

MATTERS_ONLY_TO: Mapping[str, tuple[str, ...]] = {
    "eval_config.batch_size_prompts": (
        "core.mse",
        "core.explained_variance*",
        "core.relative_reconstruction_bias",
    ),
    "eval_config.exclude_special_tokens_from_reconstruction": ("core.*ce_loss*", "core.*kl_div*"),
}
"""Conditions that affect only a few metrics of their eval -> these metrics."""


def mismatches(a: Reading, b: Reading, metric: str) -> dict[str, tuple[Condition, Condition]]:
    """Return the conditions that `metric` depends on and that differ: name -> (of `a`, of `b`).

    None stands for one that a result does not tell.
    """
    differing: dict[str, tuple[Condition, Condition]] = {}
    names = {*a.conditions, *b.conditions}
    if _same_samples(a, b):
        names -= {"dataset"}  # a file may lie elsewhere
    for name in relevant(names, metric):
        pair = a.conditions.get(name), b.conditions.get(name)
        if not _EQUALITY.get(name, _equal)(*pair) and not _is_excused(name, pair, metric):
            differing[name] = pair
    return differing


def mismatch_sentence(name: str, candidate: Condition, baseline: Condition) -> str:
    """Describe a mismatch: `context_size is 128 in the candidate and 64 in the baseline`."""

    def shown(value: Condition) -> str:
        text = "not known" if value is None else repr(value)
        return text if len(text) <= _MAX_SHOWN else f"{text[:_MAX_SHOWN]}..."

    return f"{name} is {shown(candidate)} in the candidate and {shown(baseline)} in the baseline"


def with_known_sd(spec: MetricSpec, readings: Iterable[Reading]) -> MetricSpec:
    """Return the row, without its sd between seeds if a result is of another model."""
    if all(reading.conditions.get("model") == SD_MODEL for reading in readings):
        return spec
    return replace(spec, sd_between_seeds=None)


def relevant(names: Iterable[str], metric: str) -> list[str]:
    """Select the conditions that `metric` depends on, in order."""
    names = sorted(names)
    definition = _definition_of(names, metric)
    return [
        name
        for name in names
        if (name == definition if name.startswith(DEFINITION) else _matters(name, metric))
    ]


def are_comparable(a: Condition, b: Condition, comparable_from: str | None) -> bool:
    """Return whether both versions are known to be at least `comparable_from`; `0`: any version."""
    if comparable_from is None:
        return False
    first = Version(comparable_from)
    try:
        return first == Version("0") or min(Version(str(a)), Version(str(b))) >= first
    except InvalidVersion:
        return False


def _matters(name: str, metric: str) -> bool:
    patterns = MATTERS_ONLY_TO.get(name)
    return patterns is None or any(fnmatchcase(metric, pattern) for pattern in patterns)


def _definition_of(names: Iterable[str], metric: str) -> str | None:
    """Return the definition of the metric, or of the one it accompanies (`x` of `x_held_out`)."""
    last = f"{metric.rsplit('.', 1)[-1]}_"
    fitting = [
        name
        for name in names
        if name.startswith(DEFINITION) and last.startswith(f"{name.removeprefix(DEFINITION)}_")
    ]
    return max(fitting, key=len, default=None)


def _is_excused(name: str, pair: tuple[Condition, Condition], metric: str) -> bool:
    if name.startswith(DATA):
        return None in pair
    return name == VERSION and are_comparable(*pair, lookup(metric).comparable_from)


def _same_samples(a: Reading, b: Reading) -> bool:
    prints = {reading.conditions.get(f"{DATA}fingerprint") for reading in (a, b)}
    return len(prints) == 1 and None not in prints


def _equal(a: Condition, b: Condition) -> bool:
    return a == b


_EQUALITY: Mapping[str, Callable[[Condition, Condition], bool]] = {"model": same_model}
