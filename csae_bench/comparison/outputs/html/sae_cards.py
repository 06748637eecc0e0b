"""What the cards of the page show: texts, links and the places of marks on a score's scale."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple
from urllib.parse import quote

from csae_bench.comparison.model import Report
from csae_bench.comparison.outputs.card_evals import EvalPart
from csae_bench.comparison.outputs.sae_cards import Card, CardFact, cards_of
from csae_bench.comparison.outputs.scores import (
    ScaleMark,
    ShownScore,
    interval_text,
    marks_text,
    value_text,
)

_MINUS = re.compile(r"(?<!\w)-(?=\d)")


class Link(NamedTuple):
    """A link to a page or a picture of an eval."""

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


def drawn_cards(report: Report, folder: Path | None) -> list[DrawnCard]:
    """Return the cards of the candidate's SAEs.

    Args:
        folder: where the page will lie; None: the cards have no links.
    """
    return [_drawn(card, folder) for card in cards_of(report.candidate)]


def _drawn(card: Card, folder: Path | None) -> DrawnCard:
    return DrawnCard(
        sae_id=card.sae_id,
        release=card.release,
        about=card.about,
        status=card.status,
        reasons=card.reasons,
        facts=card.facts,
        links=() if folder is None else tuple(_link(page, folder) for page in card.pages),
        has_yardsticks=card.has_yardsticks,
        evals=tuple(_eval(part) for part in card.evals),
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
        text=_MINUS.sub("\N{MINUS SIGN}", "; ".join(_texts(score))),
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
    name = page.stem.replace("_", " ")
    picture = "" if page.suffix == ".html" else f" ({page.suffix.removeprefix('.').upper()})"
    # quoted whole: a folder may be called `javascript:...`
    href = quote(Path(os.path.relpath(page, folder)).as_posix())
    return Link(f"{page.parents[1].name} {name}{picture}", href)
