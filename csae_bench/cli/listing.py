"""The output of `csae-bench list`: names, each with a one-line summary."""

from __future__ import annotations

import textwrap
from collections.abc import Callable, Iterator, Mapping

from csae_bench.config import kind_of
from csae_bench.config.loading import load_config
from csae_bench.errors import PluginError, UnknownNameError
from csae_bench.evals import EvalSpec, discover, get_eval
from csae_bench.evals.metric_rows import Direction
from csae_bench.evals.metric_values import ResultValue, compared
from csae_bench.evals.pages import PAGES
from csae_bench.factors import factor_names, get_factors
from csae_bench.models import model_names
from csae_bench.support.named_configs import config_folder, config_names

Entry = str | dict[str, str]
"""Description of a name: one line, or the line as `summary` beside other columns."""

_EVALS_OF_METRICS = ("mig", "factor_vae", "feature_correlation")
"""The evals that compute the same metrics as `csae-bench metrics`."""

_NARROWEST = 20
"""Minimum width of a summary, in columns; a narrower one goes below its name."""


def listing(kind: str | None = None) -> dict[str, Mapping[str, Entry]]:
    """Return kind -> name -> one-line summary, for one kind or for all.

    Raises:
        UnknownNameError: if there is no such kind.
    """
    if kind is None:
        return {name: find() for name, find in _KINDS.items()}
    if kind not in _KINDS:
        raise UnknownNameError("kind", kind, _KINDS)
    return {kind: _KINDS[kind]()}


def listing_lines(kinds: Mapping[str, Mapping[str, Entry]], columns: int | None) -> Iterator[str]:
    """Yield the lines of the listing, with each summary wrapped within its own column.

    Args:
        columns: width of the terminal; None leaves every entry on one line.
    """
    for section, entries in kinds.items():
        yield f"{section}:"
        rows = [_cells(name, entry) for name, entry in entries.items()]
        widths = [
            max(map(len, column)) for column in zip(*(cells for cells, _ in rows), strict=True)
        ]
        for cells, summary in rows:
            padded = (f"{cell:<{width}}" for cell, width in zip(cells, widths, strict=True))
            yield from _entry(f"  {'  '.join(padded)}  ", summary, columns)


def _cells(name: str, entry: Entry) -> tuple[list[str], str]:
    """Return the cells of an entry's line before its summary, and the summary."""
    if isinstance(entry, str):
        return [name], entry
    return [name, *(cell for key, cell in entry.items() if key != "summary")], entry["summary"]


def _entry(head: str, summary: str, columns: int | None) -> Iterator[str]:
    room = None if columns is None else columns - len(head)
    if room is None or not summary:
        yield f"{head}{summary}".rstrip()
        return
    if room < _NARROWEST:  # no room next to the name: the summary goes below it
        yield head.rstrip()
        head = " " * 4
    assert columns is not None
    yield from textwrap.wrap(
        summary,
        width=max(columns, len(head) + 1),
        initial_indent=head,
        subsequent_indent=" " * len(head),
        break_long_words=False,
        break_on_hyphens=False,
    )


def gists() -> dict[str, str]:
    """Return each metric of `csae-bench metrics` with the short description from its eval."""
    from csae_bench.metrics.summary import METRICS

    gists_by_name = {
        name: metric.gist
        for eval_name in _EVALS_OF_METRICS
        for name, metric in get_eval(eval_name).metrics.items()
    }
    return {name: gists_by_name[name] for name in METRICS}


def _evals() -> dict[str, str]:
    offered = {name: _told(lambda name=name: get_eval(name).summary) for name in discover()}
    others = {name: f"Not offered: {why}." for name, why in PAGES.not_offered.items()}
    return dict(sorted({**offered, **others}.items()))


def _saes() -> dict[str, dict[str, str]]:
    return {
        name: {
            "kind": kind_of(load_config(name).config.sae.architecture),
            "summary": _first_comment(name),
        }
        for name in config_names()
    }


def _models() -> dict[str, str]:
    return dict.fromkeys(model_names(), "")


def _factors() -> dict[str, str]:
    return {name: _told(lambda name=name: get_factors(name).summary) for name in factor_names()}


def _metrics() -> dict[str, str]:
    """Return the metrics of `csae-bench metrics`, then the compared metrics of all evals."""
    return {**gists(), **{name: line for spec in _specs() for name, line in _of_eval(spec)}}


def _specs() -> Iterator[EvalSpec]:
    for name in discover():
        try:
            yield get_eval(name)
        except PluginError:  # `list evals` reports it
            continue


def _of_eval(spec: EvalSpec) -> Iterator[tuple[str, str]]:
    for name, value in compared(spec.metrics).items():
        title = value.title if value.suffix else value.metric.title
        yield f"{spec.name}.{name}", "; ".join([title, *_judged(value)])


def _judged(value: ResultValue) -> Iterator[str]:
    metric = value.metric
    if metric.direction is Direction.TARGET:
        yield f"best at {metric.target:g}"
    elif metric.direction is not Direction.NONE:
        yield f"{metric.direction} is better"
    if metric.may_gate and not value.suffix:
        yield "gates"


def _told(find: Callable[[], str]) -> str:
    """Return a summary, or the error of the installed package that should provide it."""
    try:
        return find()
    except PluginError as error:
        return str(error)


def _first_comment(name: str) -> str:
    """Return a configuration's leading comment, up to the first line that ends a sentence."""
    words: list[str] = []
    for line in (config_folder() / f"{name}.yaml").read_text(encoding="utf-8").splitlines():
        if not line.startswith("#") or (words and words[-1].endswith((".", ":"))):
            break
        words.append(line.removeprefix("#").strip())
    text = " ".join(words)
    return f"{text[:-1]}." if text.endswith(":") else text


_KINDS: dict[str, Callable[[], Mapping[str, Entry]]] = {
    "evals": _evals,
    "saes": _saes,
    "models": _models,
    "factors": _factors,
    "metrics": _metrics,
}
