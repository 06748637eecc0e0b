"""Corrected values of tpp and scr with their intervals, and why one is missing."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Protocol

import numpy as np

from csae_bench.engines.perturbation.fields import NS, SCR_PARTS, TPP_PARTS, scr_name, tpp_name
from csae_bench.engines.perturbation.scores import (
    MIN_GAP,
    Estimate,
    ScrTexts,
    TppTexts,
    scr,
    tpp,
)

NOT_AFFINE = "the SAE's decoder is not affine, so that latents have no directions to take off"
TIE = "the biased probe is as accurate on one label as on the other, so no direction is the worse"

Values = dict[str, float | None]
Reported = tuple[Values, dict[str, str]]


class Pair(Protocol):
    """A pair of classes of scr, see `upstream.perturbation_control.PairTexts`."""

    @property
    def directions(self) -> tuple[ScrTexts, ScrTexts]:
        """Both directions."""
        ...

    @property
    def chosen(self) -> int | None:
        """Index of the one that counts; None: they tie."""
        ...

    @property
    def control(self) -> Sequence[tuple[ScrTexts, ScrTexts]]:
        """Both directions with random latents, one for each draw."""
        ...


def corrected_tpp(
    datasets: Mapping[str, TppTexts], n_values: Iterable[int], *, n_resamples: int, seed: int
) -> Reported:
    """Return TPP's parts with the ends of their intervals, and reasons for nulls."""
    values: Values = {}
    reasons: dict[str, str] = {}
    asked = set(n_values)
    for n in NS:
        names = {part: tpp_name(part, n) for part in TPP_PARTS}
        if n not in asked or not datasets:
            why = _not_asked_for("tpp", n) if n not in asked else NOT_AFFINE
            for name in names.values():
                _missing(values, reasons, name, why)
            continue
        estimates = tpp(list(datasets.values()), n, n_resamples=n_resamples, seed=seed)
        for part, name in names.items():
            values |= _with_ends(name, estimates[part])
    return values, reasons


def corrected_scr(
    pairs: Mapping[str, Pair], n_values: Iterable[int], *, n_resamples: int, seed: int
) -> Reported:
    """Return SCR and its directions with intervals and chance, and reasons for nulls."""
    values: Values = {}
    reasons: dict[str, str] = {}
    asked = set(n_values)
    by_part = _texts_by_part(list(pairs.values()))
    for n in NS:
        for part in SCR_PARTS:
            name, texts = scr_name(part, n), by_part[part]
            why = _why_no_scr(n, asked, bool(pairs), texts)
            if why is not None:
                _missing(values, reasons, name, why, has_null=part == "scr_metric")
                continue
            values |= _with_ends(name, scr(texts, n, n_resamples=n_resamples, seed=seed))
        name = scr_name("scr_metric", n)
        if values[name] is not None:
            chance = _chance(list(pairs.values()), n, n_resamples, seed)
            values[f"{name}_null_mean"] = chance
            if chance is None:
                reasons[f"corrected.{name}_null_mean"] = "evals.scr.n_control is 0"
    return values, reasons


def upstream_reasons(
    eval_name: str, metrics: Mapping[str, float | None], n_values: Iterable[int]
) -> dict[str, str]:
    """Map SAE-Bench's null fields to the reason why they are null."""
    asked = set(n_values)
    reasons: dict[str, str] = {}
    for name, value in metrics.items():
        if value is None:
            n = int(name.partition("_threshold_")[2].partition("_")[0])
            reasons[name] = TIE if n in asked else _not_asked_for(eval_name, n)
    return reasons


def _texts_by_part(pairs: Sequence[Pair]) -> dict[str, list[ScrTexts]]:
    return {
        "scr_metric": [pair.directions[pair.chosen] for pair in pairs if pair.chosen is not None],
        "scr_dir1": [pair.directions[0] for pair in pairs],
        "scr_dir2": [pair.directions[1] for pair in pairs],
    }


def _why_no_scr(n: int, asked: set[int], is_affine: bool, texts: list[ScrTexts]) -> str | None:
    if n not in asked:
        return _not_asked_for("scr", n)
    if not is_affine:
        return NOT_AFFINE
    if not texts:
        return TIE
    gap = float(np.mean([pair.gap for pair in texts]))
    if gap < MIN_GAP:
        return (
            f"the correlation costs the probe {gap:.3f} of its accuracy, less than {MIN_GAP}: "
            "there is next to nothing to bring back"
        )
    return None


def _chance(pairs: Sequence[Pair], n: int, n_resamples: int, seed: int) -> float | None:
    chosen = [pair for pair in pairs if pair.chosen is not None]
    n_draws = min((len(pair.control) for pair in chosen), default=0)
    drawn: list[float] = []
    for draw in range(n_draws):
        texts = [pair.control[draw][pair.chosen or 0] for pair in chosen]
        value = scr(texts, n, n_resamples=n_resamples, seed=seed).value
        if value is not None:
            drawn.append(value)
    return float(np.mean(drawn)) if drawn else None


def _with_ends(name: str, estimate: Estimate) -> Values:
    return {name: estimate.value, f"{name}_low": estimate.low, f"{name}_high": estimate.high}


def _missing(
    values: Values, reasons: dict[str, str], name: str, why: str, *, has_null: bool = False
) -> None:
    suffixes = ("", "_low", "_high", *(["_null_mean"] if has_null else []))
    for suffix in suffixes:
        values[f"{name}{suffix}"] = None
        reasons[f"corrected.{name}{suffix}"] = why


def _not_asked_for(eval_name: str, n: int) -> str:
    return f"{n} is not among evals.{eval_name}.n_values, or the SAE has fewer latents"
