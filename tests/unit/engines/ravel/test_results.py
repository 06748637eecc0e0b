"""Pairs of RAVEL: means, intervals over entities, and what is undefined."""

from __future__ import annotations

import pytest

from csae_bench.engines.ravel.results import KnownPrompts, Pair, corrected, known_prompts, table

PAIRS = [
    Pair(f"e{i % 5}", "Country", is_cause, is_right=(i % 4 == 0) == is_cause)
    for i in range(20)
    for is_cause in (True, False)
]


def test_scores_are_shares_of_pairs() -> None:
    values, reasons = corrected(PAIRS, undefined=None, n_resamples=1000, seed=0)
    assert reasons == {}
    assert values["cause_score"] == 0.25
    assert values["isolation_score"] == 0.75
    assert values["disentanglement_score"] == 0.5


def test_an_interval_is_over_entities() -> None:
    known = [Pair(f"e{i % 5}", "Country", True, i % 5 < 2) for i in range(50)]
    kept = [Pair(f"e{i % 5}", "Country", False, True) for i in range(50)]
    values, _ = corrected([*known, *kept], undefined=None, n_resamples=1000, seed=0)
    assert values["cause_score"] == 0.4
    assert values["cause_score_low"] == 0
    assert values["cause_score_high"] == pytest.approx(0.8)
    assert values["isolation_score_low"] == values["isolation_score_high"] == 1


def test_a_kind_without_pairs_has_no_score_but_a_reason() -> None:
    only_cause = [pair for pair in PAIRS if pair.is_cause]
    values, reasons = corrected(only_cause, undefined=None, n_resamples=1000, seed=0)
    assert values["cause_score"] == 0.25
    assert values["isolation_score"] is None
    assert values["disentanglement_score"] is None
    assert reasons.keys() == {name for name, value in values.items() if value is None}


def test_one_entity_has_no_interval() -> None:
    one = [pair for pair in PAIRS if pair.entity == "e0"]
    values, reasons = corrected(one, undefined=None, n_resamples=1000, seed=0)
    assert values["cause_score"] is not None
    assert values["cause_score_low"] is None
    assert reasons["cause_score_low"] == "there is one entity to resample"


def test_what_the_model_does_not_know_is_the_reason() -> None:
    values, reasons = corrected((), undefined="few", n_resamples=1000, seed=0)
    assert set(values.values()) == {None}
    assert set(reasons.values()) == {"few"}


def test_pairs_are_counted_by_attribute_and_kind() -> None:
    assert table(PAIRS) == {
        "Country": {"n_cause": 20, "n_cause_right": 5, "n_isolation": 20, "n_isolation_right": 15}
    }


def known(prompts: list[tuple[str, str, str]]) -> KnownPrompts:
    rows = [
        {"entity_label": entity, "attribute_type": attribute, "attribute_label": label}
        for entity, attribute, label in prompts
    ]
    return known_prompts("city", rows, n_asked=9, n_entities=4, attributes=("Country", "Language"))


def test_known_entities_are_counted_by_attribute() -> None:
    counted = known(
        [
            ("a", "Country", "x"),
            ("a", "Country", "x"),
            ("b", "Country", "y"),
            ("a", "Language", "z"),
        ]
    )
    assert counted.entities_by_attribute == {"Country": 2, "Language": 1}
    assert counted.prompts_by_attribute == {"Country": 3, "Language": 1}
    assert counted.problem(2) == (
        "of 4 entities of the class city the model knows Language 1, and 2 are needed "
        "(min_entities)"
    )
    assert counted.problem(1) == "all known entities have the same Language; two values are needed"


def test_enough_is_known() -> None:
    rows = [(e, a, e) for e in "abc" for a in ("Country", "Language")]
    assert known(rows).problem(3) is None
