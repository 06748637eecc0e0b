"""How numbers, names and verdicts are written."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from csae_bench.comparison.model import Family, Interval, Verdict
from csae_bench.comparison.outputs import wording
from tests.unit.comparison.outputs.reports import comparison

FINITE = st.floats(allow_nan=False, allow_infinity=False, min_value=-1e12, max_value=1e12)


def _interval(low: float, high: float) -> Interval:
    return Interval(low=low, high=high, level=0.95, method="paired t")


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (None, "undefined"),
        (0.0, "0"),
        (0.91234, "0.9123"),
        (18.004, "18.00"),
        (96768.0, "96768"),
        (2e-7, "2e-07"),
        (3.21e9, "3.21e+09"),
        (-0.5279, "-0.5279"),
    ],
)
def test_a_value_has_four_significant_digits(value: float | None, text: str) -> None:
    assert wording.number(value) == text


def test_a_difference_has_as_many_digits_as_its_interval_bears() -> None:
    row = comparison("core.mse", Verdict.WORSE, 0.0312, interval=_interval(0.0253, 0.0371))
    assert wording.difference(row) == "+0.0312 [+0.0253, +0.0371]"
    wide = comparison("core.mse", Verdict.WORSE, 0.0312, interval=_interval(-0.4, 0.46))
    assert wording.difference(wide) == "+0.03 [-0.40, +0.46]"


def test_a_difference_without_an_interval_is_shown_alone() -> None:
    assert wording.difference(comparison("core.l0", Verdict.MISSING, -0.25, interval=None)) == (
        "-0.2500"
    )


def test_no_difference_is_no_text() -> None:
    assert wording.difference(comparison("core.l0", Verdict.MISSING, 0, difference=None)) == ""


def test_zero_has_no_sign() -> None:
    assert wording.signed(-0.0001, 2) == "0.00"
    assert wording.signed(0.0) == "0"


@given(low=FINITE, width=st.floats(0, 1e12))
def test_any_interval_is_written_with_its_low_end_first(low: float, width: float) -> None:
    text = wording.interval_text(_interval(low, low + width))
    first, second = text.strip("[]").split(", ")
    assert float(first) <= float(second)


@given(FINITE)
def test_a_number_is_read_back_to_a_tenth_of_a_percent(value: float) -> None:
    # four significant digits, three with an exponent
    assert float(wording.number(value)) == pytest.approx(value, rel=5.1e-3, abs=1e-12)


def test_a_small_p_is_a_bound() -> None:
    assert wording.p_text(0.0004) == "<0.001"
    assert wording.p_text(0.0312) == "0.031"
    assert wording.p_text(None) == ""


def test_a_family_is_named_with_its_release_where_there_are_several() -> None:
    family = Family("a", "topk")
    assert wording.family_text(family, {"a"}) == "topk"
    assert wording.family_text(family, {"a", "b"}) == "a topk"


def test_every_verdict_has_a_symbol_of_its_own() -> None:
    assert len(set(wording.SYMBOLS.values())) == len(Verdict)
