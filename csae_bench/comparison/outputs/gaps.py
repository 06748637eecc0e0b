"""Results that are not there: evals that were skipped, with the reason, and results that lack."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from csae_bench.comparison.model import Report, ResultSet
from csae_bench.comparison.outputs.sae_cards import Card
from csae_bench.comparison.outputs.wording import counted
from csae_bench.results.schema import STEPS

_MAX_NAMED = 5
"""SAEs that a gap names before the rest is counted."""


@dataclass(frozen=True, kw_only=True)
class Gap:
    """An eval without a result of some SAEs."""

    status: str
    """skipped or missing."""
    eval_name: str
    sae_ids: tuple[str, ...]
    why: str

    @property
    def who(self) -> str:
        """The SAEs in words."""
        if len(self.sae_ids) > _MAX_NAMED:
            return counted(len(self.sae_ids), "SAE")
        return ", ".join(self.sae_ids)


def gaps(report: Report, cards: Iterable[Card]) -> tuple[Gap, ...]:
    """Return skipped evals, by eval and reason, then the missing results of the candidate.

    Missing is a result that other SAEs have, where no run says why this one has none.

    Args:
        cards: of the candidate's SAEs; they know why an eval was skipped.
    """
    reasons = {
        (card.release, card.sae_id, part.eval_name): part.why
        for card in cards
        for part in card.evals
        if part.status == "skipped"
    }
    return (*_skipped(report.candidate, reasons), *_missing(report.candidate))


def _skipped(results: ResultSet, reasons: Mapping[tuple[str, str, str], str]) -> Iterable[Gap]:
    grouped: dict[tuple[str, str], list[str]] = defaultdict(list)
    for run in results.runs:
        for name, status in run.cells.items():
            # what a run skips because its SAE is bad is said of the SAE
            if status == "skipped" and name not in STEPS and run.status in ("ok", "skipped"):
                why = reasons.get((run.family.release, run.sae_id, name), "")
                grouped[name, why].append(run.sae_id)
    for (name, why), sae_ids in sorted(grouped.items()):
        yield Gap(status="skipped", eval_name=name, sae_ids=tuple(sae_ids), why=why)


def _missing(results: ResultSet) -> Iterable[Gap]:
    there: dict[str, set[tuple[str, str]]] = defaultdict(set)
    for reading in results.readings:
        there[reading.eval_name].add((reading.family.release, reading.sae_id))
    for run in results.runs:
        for name in run.cells:
            there.get(name, set[tuple[str, str]]()).add((run.family.release, run.sae_id))
    bad = {(r.family.release, r.sae_id) for r in results.runs if r.status in ("failed", "invalid")}
    saes = set[tuple[str, str]]().union(*there.values()) - bad
    for name, of_eval in sorted(there.items()):
        missing = sorted(saes - of_eval)
        if missing:
            yield Gap(
                status="missing",
                eval_name=name,
                sae_ids=tuple(sae_id for _, sae_id in missing),
                why="",
            )
