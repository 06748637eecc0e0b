"""Wording of numbers, names and verdicts, the same in every output."""

from __future__ import annotations

import math

from csae_bench.comparison.model import Comparison, Family, Finding, Interval, Verdict

SYMBOLS: dict[Verdict, str] = {
    Verdict.BETTER: "+",
    Verdict.WORSE: "\N{MINUS SIGN}",
    Verdict.EQUIVALENT: "=",
    Verdict.INCONCLUSIVE: "~",
    Verdict.INCOMPARABLE: "\N{NOT EQUAL TO}",
    Verdict.INVALID: "!",
    Verdict.MISSING: "?",
    Verdict.UNMEASURED: "\N{MIDDLE DOT}",
}
"""Marks shown next to the colour, for readers who cannot see it."""

UNDEFINED = "undefined"

_GLOB = frozenset("*?[")
_SIGNIFICANT = 4
_LARGE, _SMALL = 1e6, 1e-4
"""Beyond these a number is written with an exponent."""


def number(value: float | None) -> str:
    """Return a value to four significant digits; `undefined` for None."""
    if value is None:
        return UNDEFINED
    if value != 0 and not _SMALL <= abs(value) < _LARGE:
        return f"{value:.3g}"
    return f"{value:.{_decimals_of(value)}f}"


def difference(comparison: Comparison) -> str:
    """Return `+0.012 [+0.003, +0.021]`: the difference, with as many digits as the interval has."""
    if comparison.difference is None:
        return ""
    interval = comparison.interval
    if interval is None:
        return signed(comparison.difference)
    places = places_of(interval)
    return f"{signed(comparison.difference, places)} {interval_text(interval, places)}"


def interval_text(interval: Interval, places: int | None = None) -> str:
    """Return `[+0.003, +0.021]`, signed: an interval of a difference."""
    places = places_of(interval) if places is None else places
    return f"[{signed(interval.low, places)}, {signed(interval.high, places)}]"


def mean_text(mean: float | None, interval: Interval | None) -> str:
    """Return `0.912 [0.901, 0.923]`: a mean with its interval, where it has one."""
    if mean is None or interval is None:
        return number(mean)
    places = places_of(interval)
    values = (mean, interval.low, interval.high)
    middle, low, high = (_fixed(value, places) for value in values)
    return f"{middle} [{low}, {high}]"


def signed(value: float, places: int | None = None) -> str:
    """Return a number with its sign; 0 has none."""
    text = number(abs(value)) if places is None else _fixed(abs(value), places)
    if float(text) == 0:
        return text
    return f"{'+' if value > 0 else '-'}{text}"


def detectable(comparison: Comparison) -> str:
    """Return the smallest detectable difference, to two digits; empty if not known."""
    value = comparison.smallest_detectable
    return "" if value is None else f"{value:.2g}"


def p_text(p: float | None) -> str:
    """Return `0.031`, or `<0.001`; empty for None."""
    if p is None:
        return ""
    return "<0.001" if p < 0.001 else f"{p:.3f}"


def places_of(interval: Interval) -> int:
    """Return the decimals that show two significant digits of the half width, at most 8."""
    half = (interval.high - interval.low) / 2
    if half <= 0:
        largest = max(abs(interval.low), abs(interval.high))
        return _decimals_of(largest)
    return min(8, max(0, 1 - math.floor(math.log10(half))))


def family_text(family: Family, releases: set[str]) -> str:
    """Return `name`, with its release unless all are of one; `releases` holds all releases."""
    return family.name if releases == {family.release} else f"{family.release} {family.name}"


def rule_text(finding: Finding) -> str:
    """Return `mig.*:ci (mig.value_mig)`: a rule, and the metric it judged if it has several."""
    pattern, colon, _ = finding.rule.rpartition(":")
    is_glob = bool(colon) and not _GLOB.isdisjoint(pattern)
    return f"{finding.rule} ({finding.metric})" if is_glob and finding.metric else finding.rule


def counted(n: int, noun: str, plural: str | None = None) -> str:
    """Return `1 run`, `3 runs`."""
    return f"{n} {noun if n == 1 else plural or noun + 's'}"


def _decimals_of(value: float) -> int:
    if value == 0 or not math.isfinite(value):
        return 0
    return min(8, max(0, _SIGNIFICANT - 1 - math.floor(math.log10(abs(value)))))


def _fixed(value: float, places: int) -> str:
    text = f"{value:.{places}f}"
    return text if float(text) != 0 else f"{0:.{places}f}"
