"""What `csae-bench list` shows: names, each with one line."""

from __future__ import annotations

from collections.abc import Callable

from csae_bench.config.loading import config_folder, config_names
from csae_bench.errors import UnknownNameError
from csae_bench.evals import discover, get_eval
from csae_bench.factors import factor_names, get_factors
from csae_bench.models import model_names


def listing(kind: str | None = None) -> dict[str, dict[str, str]]:
    """Kind -> name -> one line, of one kind or of all.

    Raises:
        UnknownNameError: there is no such kind.
    """
    if kind is None:
        return {name: find() for name, find in _KINDS.items()}
    if kind not in _KINDS:
        raise UnknownNameError("kind", kind, _KINDS)
    return {kind: _KINDS[kind]()}


def _evals() -> dict[str, str]:
    return {name: get_eval(name).summary for name in discover()}


def _saes() -> dict[str, str]:
    return {name: _first_comment(name) for name in config_names()}


def _models() -> dict[str, str]:
    return dict.fromkeys(model_names(), "")


def _factors() -> dict[str, str]:
    return {name: get_factors(name).summary for name in factor_names()}


def _metrics() -> dict[str, str]:
    from csae_bench.metrics.summary import METRICS

    return METRICS


def _first_comment(name: str) -> str:
    """The first line of a configuration's leading comment."""
    text = (config_folder() / f"{name}.yaml").read_text(encoding="utf-8")
    first = text.splitlines()[0] if text else ""
    return first.removeprefix("#").strip() if first.startswith("#") else ""


_KINDS: dict[str, Callable[[], dict[str, str]]] = {
    "evals": _evals,
    "saes": _saes,
    "models": _models,
    "factors": _factors,
    "metrics": _metrics,
}
