"""Factors that may differ, and the numbers of their values."""

from __future__ import annotations

import pytest

from csae_bench.errors import DataError
from csae_bench.minimal_pairs.factors import ValueNumbers, allowed_factors

AVAILABLE = ("gender", "number", "tense")


def test_any_factor_may_differ_where_none_is_named() -> None:
    assert allowed_factors(None, AVAILABLE, what="x") == AVAILABLE


def test_named_factors_come_once_and_in_the_set_s_order() -> None:
    assert allowed_factors(("tense", "gender", "tense"), AVAILABLE, what="x") == ("gender", "tense")


@pytest.mark.parametrize(
    ("wanted", "message"),
    [
        (
            ("gender", "tens"),
            "pairs.minimal.factors has 'tens', which is no factor of tinyworld. Did you mean "
            "'tense'? Its factors are gender, number, tense.",
        ),
        (
            (),
            "pairs.minimal.factors is empty; name at least one factor of tinyworld, or leave it "
            "out. Its factors are gender, number, tense.",
        ),
    ],
)
def test_a_list_that_allows_nothing_or_what_is_not_there_is_an_error(
    wanted: tuple[str, ...], message: str
) -> None:
    with pytest.raises(DataError) as error:
        allowed_factors(wanted, AVAILABLE, what="tinyworld")
    assert str(error.value) == message


def test_values_are_numbered_throughout() -> None:
    numbers = ValueNumbers({"a": ("x", "y"), "b": ("y", "z")})
    assert numbers.names == ("a=x", "a=y", "b=y", "b=z")
    assert numbers.pair("b", "z", "y") == (3, 2)
