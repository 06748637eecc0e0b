"""csae_bench/strict.py."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

from csae_bench.support.strict import Strict


class _Example(Strict):
    n: int = 0
    x: float | None = None
    is_on: bool = False
    either: int | bool = 0
    free: Any = None
    name: str = ""


@pytest.mark.parametrize("value", [{"n": True}, {"x": False}])
def test_a_truth_value_is_no_number(value: dict[str, Any]) -> None:
    with pytest.raises(ValidationError, match="it must be a number"):
        _Example.model_validate(value)


@pytest.mark.parametrize(
    "value", [{"n": 1}, {"x": None}, {"is_on": True}, {"either": True}, {"free": True}]
)
def test_a_truth_value_may_be_given_where_one_is_meant(value: dict[str, Any]) -> None:
    _Example.model_validate(value)
