"""csae_bench/comparison/items.py."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest

from csae_bench.comparison.comparisons import CompareOptions, compare
from csae_bench.comparison.items import item_interval, item_values
from csae_bench.comparison.model import Comparison, Reading
from tests.unit.comparison.planted import readings, results

FACTORS = ("gender", "tense", "topic", "number")


def _details(values: Sequence[float | None]) -> list[dict[str, Any]]:
    return [
        {"factor": factor, "value_mig": value}
        for factor, value in zip(FACTORS, values, strict=True)
    ]


OLD = _details([0.1, 0.2, 0.3, 0.4])
NEW = _details([0.3, 0.4, 0.3, 0.5])


def test_the_interval_holds_the_mean_difference_of_the_items() -> None:
    interval = item_interval([(NEW, OLD)], "value_mig", target=None, alpha=0.05)
    assert interval is not None
    assert interval.low < 0.125 < interval.high
    assert interval.method == "bootstrap over 4 factors"


def test_items_are_paired_by_name_and_not_by_place() -> None:
    expected = item_interval([(NEW, OLD)], "value_mig", target=None, alpha=0.05)
    assert item_interval([(NEW[::-1], OLD)], "value_mig", target=None, alpha=0.05) == expected


def test_an_equal_difference_on_every_item_has_no_width() -> None:
    more = _details([0.2, 0.3, 0.4, 0.5])
    interval = item_interval([(more, OLD)] * 2, "value_mig", target=None, alpha=0.05)
    assert interval is not None
    assert (interval.low, interval.high) == (pytest.approx(0.1), pytest.approx(0.1))


def test_an_item_that_is_undefined_on_one_side_is_left_out() -> None:
    interval = item_interval([(_details([0.3, None, 0.3, 0.5]), OLD)], "value_mig", target=None,
                          alpha=0.05)  # fmt: skip
    assert interval is not None
    assert interval.method == "bootstrap over 3 factors"


@pytest.mark.parametrize("details", [[], OLD[:1], [{"index": 1, "value_mig": 0.5}]])
def test_fewer_than_two_items_have_no_interval(details: list[dict[str, Any]]) -> None:
    assert item_interval([(details, details)], "value_mig", target=None, alpha=0.05) is None


def test_a_target_is_judged_by_the_distance_to_it() -> None:
    interval = item_interval([(NEW, OLD)], "value_mig", target=1.0, alpha=0.05)
    plain = item_interval([(NEW, OLD)], "value_mig", target=None, alpha=0.05)
    assert interval is not None
    assert plain is not None
    assert (interval.low, interval.high) == pytest.approx((-plain.high, -plain.low), abs=1e-12)


def test_details_of_other_things_have_no_items() -> None:
    assert item_values([{"factor": "gender", "mig": True}, {"factor": 3.5}], "mig") == ("", {})


def test_details_are_read_once_for_each_result_and_never_for_core() -> None:
    values = {"core.ce_loss_score": [0.8] * 3, "mig.value_mig": [0.2, 0.3, 0.4],
              "mig.mig": [0.1, 0.1, 0.2]}  # fmt: skip
    asked: list[str] = []

    def read(reading: Reading) -> list[dict[str, Any]]:
        asked.append(reading.path.as_posix())
        return OLD if reading.family.name == "old" else NEW

    rows: dict[str, Comparison] = {
        row.metric: row
        for row in compare(
            results(readings("new", values)),
            results(readings("old", values)),
            CompareOptions(details=read),
        ).comparisons
    }
    assert sorted(set(asked)) == sorted(asked)
    assert {path.split("/")[0] for path in asked} == {"mig"}
    assert rows["mig.value_mig"].by_item is not None
    assert rows["mig.mig"].by_item is None
    assert rows["core.ce_loss_score"].by_item is None
