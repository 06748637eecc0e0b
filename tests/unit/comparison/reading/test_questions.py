"""csae_bench/comparison/reading/questions.py."""

from __future__ import annotations

from typing import Any

from csae_bench.comparison.reading.questions import forget_questions


def _result(*settings: dict[str, Any]) -> dict[str, Any]:
    return {
        "eval_result_details": list(settings),
        "eval_result_unstructured": {"questions": {"wmdp-bio": [3, 5, 8, 9], "human_aging": [0]}},
    }


def _setting(*wrong: int, is_admissible: bool = True) -> dict[str, Any]:
    return {"is_admissible": is_admissible, "wrong": {"wmdp-bio": list(wrong), "human_aging": []}}


def _scores(result: dict[str, Any]) -> dict[str, float]:
    return {item["question"]: item["unlearning_score"] for item in forget_questions(result)}


def test_the_setting_that_forgets_most_among_the_admissible_counts() -> None:
    scores = _scores(
        _result(_setting(5), _setting(3, 9), _setting(3, 5, 8, 9, is_admissible=False))
    )
    assert scores == {"wmdp-bio 3": 1, "wmdp-bio 5": 0, "wmdp-bio 8": 0, "wmdp-bio 9": 1}


def test_where_no_setting_is_admissible_nothing_is_forgotten() -> None:
    assert set(_scores(_result(_setting(3, is_admissible=False))).values()) == {0}


def test_a_result_that_does_not_tell_has_no_questions() -> None:
    assert forget_questions({"eval_result_details": [], "eval_result_unstructured": {}}) == []
    assert forget_questions(_result()) == []
    assert forget_questions(_result({"unlearning_score": 0.3})) == []
