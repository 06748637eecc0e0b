"""The study's page is made from its lines, and planted differences are found again."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from experiments.study import report
from experiments.study.measures import AT_PAIRS, MEASURES, VALUE_MIG
from experiments.study.report import draw, primary_result, search_result, slice_result
from experiments.study.runs import SCORES, append_line
from experiments.study.studies import ARM, PRIMARY, SEARCH, SHUFFLED, STUDIES, TWIN

GAINS = {ARM: 0.2, TWIN: 0.0, SHUFFLED: 0.1}
L0S = {ARM: 18.18, TWIN: 18.0, SHUFFLED: 18.0}


def _put(line: dict[str, Any], place: str, value: Any) -> None:
    *above, last = place.split("/")
    for key in above:
        line = line.setdefault(key, {})
    line[last] = value


def _line(arm: str, noise: float) -> dict[str, Any]:
    line: dict[str, Any] = {}
    for measure in MEASURES:
        for place in filter(None, (measure.place, measure.twin_place)):
            _put(line, place, 0.5)
    _put(line, VALUE_MIG.place, 0.3 + GAINS[arm] + noise)
    _put(line, "scores/core.l0", L0S[arm])
    _put(line, "controls/pruned_value_mig", 0.35)
    _put(line, "controls/value_mig_by_factor", {"tense": 0.4 + GAINS[arm], "topic": 0.1})
    return line


@pytest.fixture
def of_arms() -> dict[str, dict[int, dict[str, Any]]]:
    rng = np.random.default_rng(0)
    return {arm: {seed: _line(arm, rng.normal(0, 0.01)) for seed in range(5)} for arm in GAINS}


def test_planted_gains_are_found_and_tested(of_arms: dict[str, Any]) -> None:
    result = primary_result(of_arms)
    assert result.n_seeds == 5
    first, second = result.tests
    assert (first.against, second.against) == (TWIN, SHUFFLED)
    assert first.difference.test.mean == pytest.approx(0.2, abs=0.02)
    assert second.difference.test.mean == pytest.approx(0.1, abs=0.02)
    interval = first.difference.test.interval
    assert interval is not None
    assert interval.low < 0.2 < interval.high
    # of two tests the smaller p counts double, the larger one as it is
    assert first.p < second.p < 0.001
    assert first.p_holm == pytest.approx(2 * first.p)
    assert second.p_holm == pytest.approx(max(second.p, first.p_holm))


def test_l0_differs_by_a_share_of_the_twins(of_arms: dict[str, Any]) -> None:
    row = next(row for row in primary_result(of_arms).rows if row.title.startswith("L0"))
    assert row.differences[0].test.mean == pytest.approx(0.01)
    assert str(row.differences[0]) == "+0.010 [+0.010, +0.010]"


def test_it_is_better_where_both_tests_and_every_bound_say_so(of_arms: dict[str, Any]) -> None:
    result = primary_result(of_arms)
    assert result.is_better
    assert all(bound.is_kept for bound in result.bounds)


@pytest.mark.parametrize(
    ("place", "change", "title"),
    [
        (AT_PAIRS.place, -0.011, AT_PAIRS.title),
        ("scores/core.l0", 0.4, "L0 (difference as a share)"),
        (VALUE_MIG.place, -0.12, VALUE_MIG.title),
    ],
)
def test_a_bound_that_is_not_kept_is_named(
    place: str, change: float, title: str, of_arms: dict[str, Any]
) -> None:
    *above, last = place.split("/")
    for line in of_arms[ARM].values():
        at = line
        for key in above:
            at = at[key]
        at[last] += change
    result = primary_result(of_arms)
    assert not result.is_better
    assert [bound.title for bound in result.bounds if not bound.is_kept] == [title]


def test_the_pruned_twin_is_what_the_sae_is_compared_with(of_arms: dict[str, Any]) -> None:
    row = next(row for row in primary_result(of_arms).rows if "pruned" in row.title)
    assert row.means == pytest.approx([0.5, 0.35, 0.35])
    assert row.differences[0].test.mean == pytest.approx(0.15)


def test_each_factor_has_a_row(of_arms: dict[str, Any]) -> None:
    tense, topic = primary_result(of_arms).factors
    assert (tense.title, topic.title) == ("tense", "topic")
    assert tense.differences[0].test.mean == pytest.approx(0.2)
    assert topic.differences[0].test.mean == 0


def test_seeds_that_lack_an_arm_do_not_count(of_arms: dict[str, Any]) -> None:
    del of_arms[SHUFFLED][3]
    assert primary_result(of_arms).n_seeds == 4


def test_candidates_are_compared_with_their_twins_best_first(of_arms: dict[str, Any]) -> None:
    lines = {
        TWIN: of_arms[TWIN],
        "weak": {0: of_arms[SHUFFLED][0], 1: of_arms[SHUFFLED][1]},
        "strong": of_arms[ARM],
        "long": of_arms[ARM],
        "long_no_terms": of_arms[ARM],
        "no seed of the twin": {9: of_arms[ARM][0]},
    }
    rows = search_result(lines).rows
    assert [(row.name, row.n_seeds) for row in rows] == [("strong", 5), ("weak", 2), ("long", 5)]
    assert rows[2].cells[0].test.mean == 0


def test_the_figure_is_the_same_each_time(of_arms: dict[str, Any], tmp_path: Path) -> None:
    for name in ("one.svg", "other.svg"):
        draw(of_arms, tmp_path / name)
    assert (tmp_path / "one.svg").read_bytes() == (tmp_path / "other.svg").read_bytes()


def _places() -> Iterator[str]:
    for measure in MEASURES:
        eval_name, _, metric = measure.place.removeprefix("scores/").partition(".")
        if measure.place.startswith("scores/"):
            yield f"{eval_name}.{metric}"


def test_measures_are_kept_in_lines() -> None:
    kept = {f"{name}.{metric}" for name, metrics in SCORES.items() for metric in metrics}
    assert set(_places()) <= kept
    assert set(SCORES) <= set(PRIMARY.evals)


def test_a_slice_compares_the_first_arm_with_the_others(of_arms: dict[str, Any]) -> None:
    study = PRIMARY._replace(arms={arm: PRIMARY.arms[arm] for arm in (ARM, SHUFFLED)})
    result = slice_result(study, of_arms)
    assert (result.n_seeds, result.arms) == (5, [ARM, SHUFFLED])
    tense = result.factors[0]
    assert tense.means == pytest.approx([0.6, 0.5])
    assert [difference.test.mean for difference in tense.differences] == pytest.approx([0.1])


def test_the_page_says_that_an_unfinished_comparison_concludes_nothing(
    of_arms: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lines = tmp_path / "primary.jsonl"
    for arm, of_seeds in of_arms.items():
        for seed, line in of_seeds.items():
            append_line(lines, {**line, "arm": arm, "seed": seed})
    none = tmp_path / "none.jsonl"
    monkeypatch.setattr(report, "PRIMARY", PRIMARY._replace(lines=lines))
    monkeypatch.setattr(report, "SEARCH", SEARCH._replace(lines=none))
    monkeypatch.setattr(
        report, "STUDIES", {name: study._replace(lines=none) for name, study in STUDIES.items()}
    )
    report.write(tmp_path / "study.md")
    page = (tmp_path / "study.md").read_text("utf-8")
    assert "5 of 16 seeds. **Not finished: nothing may be concluded yet.**" in page
    assert "| value MIG, last token (primary) | 0." in page
    assert "| tense | 0.600 | 0.400 | 0.500 | +0.200 [+0.200, +0.200] |" in page
    assert "## Search" not in page
    assert (tmp_path / "study.svg").stat().st_size > 0
