"""Results in two or three sentences: what is better at what, how sure that is, and what lacks."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence

from csae_bench.comparison.metrics import lookup
from csae_bench.comparison.model import Comparison, Family, Report, Verdict
from csae_bench.comparison.outputs import selection
from csae_bench.comparison.outputs.sae_cards import Card
from csae_bench.comparison.outputs.scores import SHUFFLED_FACTORS, ShownScore
from csae_bench.comparison.outputs.wording import counted, family_text
from csae_bench.comparison.yardsticks import DIGITS
from csae_bench.evals.metric_rows import Direction

_MAX_PAIRS = 3
"""Pairs that have a sentence each; of more, the number is said."""
_MAX_NAMED = 4
"""Metrics or SAEs that a sentence names."""
_MAX_YARDSTICKS = 2
_DECIDED = (Verdict.BETTER, Verdict.WORSE, Verdict.EQUIVALENT, Verdict.INCONCLUSIVE)


def comparison_in_words(report: Report) -> str:
    """Return the sentences on the shown metrics; empty where nothing is compared."""
    shown = set(selection.shown(report))
    rows = [
        row for row in selection.shown_rows(report)
        if row.metric in shown and lookup(row.metric).direction is not Direction.NONE
    ]  # fmt: skip
    pairs = selection.pairs(rows)
    decided = {pair: _of(of_pair, *_DECIDED) for pair, of_pair in pairs.items()}
    decided = {pair: of_pair for pair, of_pair in decided.items() if of_pair}
    if not rows:
        return ""
    releases = {family.release for pair in pairs for family in pair}
    sentences = [*_what(decided, releases), *_how_sure(decided), *_lacking(rows, releases)]
    return " ".join(sentences)


def card_in_words(card: Card) -> str:
    """Return what an SAE does better and worse than the yardsticks, and what a run left out."""
    scores = [score for part in card.evals for score in part.scores]
    n_of = Counter(mark.label for score in scores for mark in score.yardsticks)
    n_of.pop(SHUFFLED_FACTORS, None)  # no SAE
    said = (_against(label, scores) for label, _ in n_of.most_common())
    sentences = [text for text in said if text][:_MAX_YARDSTICKS]
    if sentences:
        sentences.append(
            "That is one SAE under one seed: train others, and `csae-bench compare` says how sure "
            "a difference is."
        )
    left = [f"{part.eval_name} ({part.status})" for part in card.evals if part.status != "ok"]
    if left:
        sentences.append(f"Without scores: {_listed(left)}.")
    return " ".join(sentences)


def _against(label: str, scores: Iterable[ShownScore]) -> str:
    """Return `Better than PCA at Value MIG and worse at ...`, of two scores at least."""
    gains: dict[bool, list[str]] = {True: [], False: []}
    for score in scores:
        sign = {Direction.HIGHER: 1, Direction.LOWER: -1}.get(lookup(score.metric).direction, 0)
        for mark in score.yardsticks:
            if mark.label != label or score.value is None or not sign:
                continue
            difference = sign * (round(score.value, DIGITS) - round(mark.value, DIGITS))
            if difference:
                gains[difference > 0].append(score.title)
    if len(gains[True]) + len(gains[False]) < 2:
        return ""
    if not gains[True] or not gains[False]:
        word = "Better" if gains[True] else "Worse"
        return f"{word} than {label} at {_listed(gains[bool(gains[True])])}."
    return f"Better than {label} at {_listed(gains[True])}, worse at {_listed(gains[False])}."


def _what(
    decided: dict[tuple[Family, Family], list[Comparison]], releases: set[str]
) -> Iterator[str]:
    """Yield which SAE is better at what: by pair, or if there are many, how many pairs differ."""
    if not decided:
        yield "Nothing could be compared."
        return
    if len(decided) <= _MAX_PAIRS:
        for (candidate, baseline), rows in decided.items():
            name = family_text(candidate, releases)
            other = "the baseline's" if baseline == candidate else family_text(baseline, releases)
            yield f"{_pair(rows, name, other)}."
        return
    differing = [rows for rows in decided.values() if _of(rows, Verdict.BETTER, Verdict.WORSE)]
    pairs = counted(len(decided), "pair of SAEs", "pairs of SAEs")
    yield f"{len(differing)} of {pairs} differ in a shown metric by more than the noise."
    gains = _gains(decided)
    if gains:
        best, n_gains = next(iter(gains.items()))
        times = counted(n_gains, "comparison")
        yield f"{family_text(best, releases)} is better most often, in {times}."


def _pair(rows: Sequence[Comparison], candidate: str, baseline: str) -> str:
    parts = [
        f"{words} {_listed(_title(row.metric) for row in there)}"
        for verdict, words in (
            (Verdict.BETTER, "better at"), (Verdict.WORSE, "worse at"),
            (Verdict.EQUIVALENT, "equivalent in"), (Verdict.INCONCLUSIVE, "undecided in"),
        )
        if (there := _of(rows, verdict))
    ]  # fmt: skip
    return f"{candidate} against {baseline}: {', '.join(parts)}"


def _how_sure(decided: dict[tuple[Family, Family], list[Comparison]]) -> Iterator[str]:
    """Yield on how many training seeds it rests."""
    n_pairs = {row.n_pairs for rows in decided.values() for row in rows}
    if not n_pairs:
        return
    least, most = min(n_pairs), max(n_pairs)
    seeds = f"{least} to {most} training seeds" if least < most else counted(most, "training seed")
    if most < 2:
        yield (
            f"That rests on {seeds}: only what exceeds the known spread between seeds is decided; "
            "train more with --seed."
        )
        return
    yield f"That rests on {seeds}, paired, with Holm's correction for many metrics."


def _lacking(rows: Iterable[Comparison], releases: set[str]) -> Iterator[str]:
    """Yield what has no verdict, and why."""
    all_rows = list(rows)
    for verdict, words in (
        (Verdict.MISSING, "has no result for"),
        (Verdict.INVALID, "is invalid or failed in"),
        (Verdict.INCOMPARABLE, "was measured under other conditions in"),
    ):
        there = _of(all_rows, verdict)
        if there:
            pairs = len({(row.candidate, row.baseline) for row in there})
            titles = _listed(_title(row.metric) for row in there)
            one = "One SAE of a pair" if pairs > 1 else _names(there[0], releases)
            yield f"{one} {words} {titles}."


def _names(row: Comparison, releases: set[str]) -> str:
    both = (family_text(family, releases) for family in (row.candidate, row.baseline))
    return f"One of {' and '.join(both)}"


def _gains(decided: dict[tuple[Family, Family], list[Comparison]]) -> dict[Family, int]:
    """Return how often each SAE is the better one, the most frequent first."""
    gains: dict[Family, int] = {}
    for (candidate, baseline), rows in decided.items():
        for verdict, family in ((Verdict.BETTER, candidate), (Verdict.WORSE, baseline)):
            n = len(_of(rows, verdict))
            if n:
                gains[family] = gains.get(family, 0) + n
    return dict(sorted(gains.items(), key=lambda item: (-item[1], item[0])))


def _of(rows: Iterable[Comparison], *verdicts: Verdict) -> list[Comparison]:
    return [row for row in rows if row.verdict in verdicts]


def _title(metric: str) -> str:
    return lookup(metric).title.removesuffix(", corrected")


def _listed(titles: Iterable[str]) -> str:
    names = list(dict.fromkeys(titles))
    if len(names) > _MAX_NAMED:
        names = [*names[:_MAX_NAMED], f"{len(names) - _MAX_NAMED} more"]
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"
