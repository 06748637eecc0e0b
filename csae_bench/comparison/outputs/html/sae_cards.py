"""What the cards of the page show: texts, links and the places of marks on a score's scale."""

from __future__ import annotations

import os
from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple
from urllib.parse import quote

from csae_bench.comparison.model import Reading, Report
from csae_bench.comparison.outputs.card_evals import EvalPart
from csae_bench.comparison.outputs.factor_maps import FactorMap, MappedFactor, factor_map
from csae_bench.comparison.outputs.sae_cards import Card, CardFact, shown_pages
from csae_bench.comparison.outputs.scores import (
    ScaleMark,
    ShownScore,
    interval_text,
    marks_text,
    value_text,
)
from csae_bench.pages import minus

_FRAGMENTS = {"factor_probing": "latent=", "mig": "latent-"}
"""Eval with a factor map -> the fragment with which its page opens at a latent."""


class Link(NamedTuple):
    """A link to a page of an eval."""

    title: str
    href: str
    """Relative to the page."""


class Line(NamedTuple):
    """A scale with a score and its yardsticks; places in percent of its length."""

    at: float
    marks: tuple[float, ...]


@dataclass(frozen=True, kw_only=True)
class DrawnScore:
    """One score."""

    title: str
    gist: str
    value: str
    interval: str
    """`0.112 to 0.152`; empty without one."""
    line: Line | None
    text: str
    """Its scale, parts and yardsticks in words."""


@dataclass(frozen=True, kw_only=True)
class DrawnEval:
    """One eval of an SAE."""

    eval_name: str
    summary: str
    status: str
    why: str
    scores: tuple[DrawnScore, ...]


class DrawnLatent(NamedTuple):
    """One of the most telling latents."""

    latent: int
    of: str
    information: float
    href: str
    """Its place on the eval's page; empty without one."""


@dataclass(frozen=True, kw_only=True)
class DrawnMap:
    """The factor map of an SAE."""

    eval_name: str
    factors: tuple[MappedFactor, ...]
    has_shared: bool
    n_more: int
    telling: tuple[DrawnLatent, ...]


@dataclass(frozen=True, kw_only=True)
class DrawnCard:
    """One SAE."""

    sae_id: str
    release: str
    about: str
    status: str
    reasons: tuple[str, ...]
    facts: tuple[CardFact, ...]
    links: tuple[Link, ...]
    has_yardsticks: bool
    evals: tuple[DrawnEval, ...]
    map: DrawnMap | None


def drawn_cards(cards: Iterable[Card], report: Report, folder: Path | None) -> list[DrawnCard]:
    """Return the cards of the candidate's SAEs.

    Args:
        folder: where the page will lie; None: the cards have no links.
    """
    readings: dict[tuple[str, str], list[Reading]] = defaultdict(list)
    for reading in report.candidate.readings:
        if not reading.family.variant:
            readings[reading.family.release, reading.sae_id].append(reading)
    return [_drawn(card, readings[card.release, card.sae_id], folder) for card in cards]


def _drawn(card: Card, readings: Iterable[Reading], folder: Path | None) -> DrawnCard:
    mapped = factor_map(readings)
    return DrawnCard(
        sae_id=card.sae_id,
        release=card.release,
        about=card.about,
        status=card.status,
        reasons=card.reasons,
        facts=card.facts,
        links=()
        if folder is None
        else tuple(_link(page, folder) for page in shown_pages(card.pages)),
        has_yardsticks=card.has_yardsticks,
        evals=tuple(_eval(part) for part in card.evals),
        map=None if mapped is None else _map(mapped, card, folder),
    )


def _map(mapped: FactorMap, card: Card, folder: Path | None) -> DrawnMap:
    pages = shown_pages(card.pages)
    place = next((page for page in pages if page.parents[1].name == mapped.eval_name), None)
    href = (
        ""
        if place is None or folder is None
        else f"{_href(place, folder)}#{_FRAGMENTS[mapped.eval_name]}"
    )
    return DrawnMap(
        eval_name=mapped.eval_name,
        factors=mapped.factors,
        has_shared=any(value.is_shared for factor in mapped.factors for value in factor.values),
        n_more=mapped.n_more,
        telling=tuple(
            DrawnLatent(one.latent, one.of, one.information, f"{href}{one.latent}" if href else "")
            for one in mapped.telling
        ),
    )


def _eval(part: EvalPart) -> DrawnEval:
    return DrawnEval(
        eval_name=part.eval_name,
        summary=part.summary,
        status=part.status,
        why=part.why,
        scores=tuple(_score(score) for score in part.scores),
    )


def _score(score: ShownScore) -> DrawnScore:
    return DrawnScore(
        title=score.title,
        gist=score.gist,
        value=value_text(score),
        interval=interval_text(score),
        line=_line(score),
        text=minus("; ".join(_texts(score))),
    )


def _texts(score: ShownScore) -> Iterator[str]:
    held_out = () if score.held_out is None else (ScaleMark("on held-out samples", score.held_out),)
    if score.value is None and score.reason:
        yield score.reason
    if score.scale:
        yield score.scale
    yield from (text for text in (marks_text((*score.parts, *held_out)),) if text)
    if score.yardsticks:
        yield f"to compare: {marks_text(score.yardsticks)}"


def _line(score: ShownScore) -> Line | None:
    if score.bounds is None or score.value is None:
        return None
    low, high = score.bounds

    def place(value: float) -> float:
        return round(100 * min(max((value - low) / (high - low), 0.0), 1.0), 1)

    return Line(place(score.value), tuple(place(mark.value) for mark in score.yardsticks))


def _link(page: Path, folder: Path) -> Link:
    return Link(f"{page.parents[1].name} {page.stem}".replace("_", " "), _href(page, folder))


def _href(page: Path, folder: Path) -> str:
    # quoted whole: a folder may be called `javascript:...`
    return quote(Path(os.path.relpath(page, folder)).as_posix())
