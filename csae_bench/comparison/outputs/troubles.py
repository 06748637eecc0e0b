"""Failed runs and SAEs with meaningless numbers, which every output lists first."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from csae_bench.comparison.model import Broken, Report, ResultSet
from csae_bench.comparison.reading.layout import real

_ORDER = {"failed": 0, "invalid": 1}


@dataclass(frozen=True, kw_only=True)
class Trouble:
    """A run that failed, or an SAE that is invalid."""

    side: str
    """candidate or baseline."""
    release: str
    sae_id: str
    status: str
    """failed or invalid."""
    problems: tuple[str, ...]
    """Why, one sentence each."""
    path: Path


def troubles(report: Report) -> tuple[Trouble, ...]:
    """Return the candidate's troubles, then the baseline's; failed ones first, each SAE once."""
    listed = _of("candidate", report.candidate)
    return listed if report.baseline is None else (*listed, *_of("baseline", report.baseline))


def uncounted(report: Report) -> tuple[Broken, ...]:
    """Return files and folders of both sides that were not counted, except the baseline itself."""
    sides = [side for side in (report.candidate, report.baseline) if side is not None]
    baseline = None if report.baseline is None else real(report.baseline.root)
    return tuple(file for side in sides for file in side.uncounted if real(file.path) != baseline)


def _of(side: str, results: ResultSet) -> tuple[Trouble, ...]:
    status: dict[tuple[str, str], str] = {}
    problems: dict[tuple[str, str], dict[str, None]] = {}
    paths: dict[tuple[str, str], Path] = {}

    def note(key: tuple[str, str], what: str, why: tuple[str, ...], path: Path) -> None:
        status.setdefault(key, what)
        paths.setdefault(key, path)
        known = problems.setdefault(key, {})
        # a run says `core: L0 is 0` where the result says `L0 is 0`
        known.update((text, None) for text in why if not any(k.endswith(text) for k in known))

    for run in results.runs:
        if run.status in _ORDER:
            note((run.family.release, run.sae_id), run.status, run.problems, run.path)
    for reading in results.readings:
        if reading.invalid:
            key = (reading.family.release, reading.sae_id)
            key = key if key in status else (reading.family.release, reading.title)
            note(key, "invalid", reading.invalid, reading.path)
    return tuple(
        Trouble(
            side=side,
            release=key[0],
            sae_id=key[1],
            status=status[key],
            problems=tuple(problems[key]) or ("No reason was recorded.",),
            path=paths[key],
        )
        for key in sorted(status, key=lambda key: (_ORDER[status[key]], key))
    )
