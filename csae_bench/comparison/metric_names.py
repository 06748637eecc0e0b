"""Values of results by the names that a person gives them: `mig.value_mig`, `value_mig`, `mig`."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from csae_bench.comparison.metrics import MetricSpec, lookup
from csae_bench.errors import PluginError, UsageError, did_you_mean
from csae_bench.evals.metric_values import ResultValue, compared, names_in_comparison
from csae_bench.evals.pages import EVALS, PAGES, Registered
from csae_bench.support import old_names

SEE_ALL = "`csae-bench list metrics` names the compared ones, `csae-bench explain EVAL` all of one."


class NamedValue(NamedTuple):
    """A value of an eval's results."""

    spec: Registered
    key: str
    """Its name in a comparison after the eval's: `value_mig`."""
    value: ResultValue

    @property
    def name(self) -> str:
        """Name in a comparison: `mig.value_mig`."""
        return f"{self.spec.name}.{self.key}"


def resolve(name: str) -> Registered | NamedValue | MetricSpec:
    """Return what a name stands for: an eval, a value of its results, or a metric of results that
    others published.

    A value is `<eval>.<metric>`, its place in the JSON after the eval's name, or, if one eval alone
    has it, its bare name. An eval goes before a metric of the same name.

    Raises:
        UsageError: nothing has this name, or values of several evals have it.
        PluginError: the eval is of an installed package that cannot be imported.
    """
    name = old_names.metric_pattern(name, "explain")
    evals = PAGES.names()
    if name in evals or name in PAGES.not_offered:
        return _eval(name)
    eval_name, dot, key = name.partition(".")
    spec = _eval(eval_name) if dot and eval_name in evals else None
    named = None if spec is None else _in_eval(spec, key)
    if named is not None:
        return named
    published = lookup(name)
    if published.title != name:  # a row of `metrics.METRICS` fits
        return published
    if spec is not None:
        raise _unknown_in(spec, key)
    return _bare(name)


def values_of_eval(spec: Registered) -> Iterator[NamedValue]:
    """Yield all values of an eval's results, in order."""
    for key, value in names_in_comparison(spec.metrics).items():
        yield NamedValue(spec, key, value)


def all_names() -> list[str]:
    """Return every name that `resolve` takes but for bare ones, evals that cannot be imported left
    out."""
    names: list[str] = []
    for spec in _specs():
        names += [spec.name, *(named.name for named in values_of_eval(spec))]
    return names


def _in_eval(spec: Registered, key: str) -> NamedValue | None:
    for root in ("eval_result_metrics.", "eval_result_unstructured."):
        key = key.removeprefix(root)
    there = list(values_of_eval(spec))
    by_place = {f"{named.value.category}.{named.value.field}": named for named in there}
    return {**by_place, **{named.key: named for named in there}}.get(key)


def _unknown_in(spec: Registered, key: str) -> UsageError:
    keys = [named.key for named in values_of_eval(spec)]
    main = list(compared(spec.metrics))
    return UsageError(
        f"The eval '{spec.name}' has no metric '{key}'.{did_you_mean(key, keys)} Its main ones: "
        f"{', '.join(main) or 'none'}; `csae-bench explain {spec.name}` names all."
    )


def _bare(name: str) -> NamedValue:
    there = [named for spec in _specs() for named in values_of_eval(spec)]
    hits = [named for named in there if named.key == name]
    hits = hits or [named for named in there if named.value.field == name]
    if len(hits) == 1:
        return hits[0]
    if hits:
        names = ", ".join(named.name for named in hits)
        raise UsageError(f"'{name}' is the name of {len(hits)} metrics; name one: {names}.")
    candidates = {*PAGES.names(), *(named.name for named in there), *(named.key for named in there)}
    raise UsageError(f"Unknown metric or eval '{name}'.{did_you_mean(name, sorted(candidates))} "
                     f"{SEE_ALL}")  # fmt: skip


def _specs() -> Iterator[Registered]:
    for name in PAGES.names():
        try:
            yield _eval(name)
        except PluginError:  # `list evals` reports it
            continue


def _eval(name: str) -> Registered:
    PAGES.load(name, EVALS)
    return EVALS.get(name)
