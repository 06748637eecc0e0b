"""csae_bench/compare/matching.py."""

from __future__ import annotations

from dataclasses import replace

import pytest

from csae_bench.compare.matching import (
    MAX_FAMILIES,
    against,
    among_themselves,
    members,
    paired_seeds,
    with_baseline,
)
from csae_bench.compare.model import ResultSet
from csae_bench.errors import UnknownNameError
from tests.unit.compare.planted import readings, results, run

METRIC = "core.ce_loss_score"


def _named(*names: str, release: str = "model_layer_2_sae") -> ResultSet:
    return results(*(readings(name, {METRIC: [0.5]}, release=release) for name in names))


def _pairs(mine: ResultSet, theirs: ResultSet) -> set[tuple[str | None, str]]:
    found = with_baseline(members(mine)[0], members(theirs)[0])
    return {
        (m.candidate.family.name if m.candidate else None, m.baseline.family.name)
        for m in found.matches
    }


def test_families_of_the_same_name_stand_against_each_other() -> None:
    assert _pairs(_named("a", "b", "new"), _named("a", "b")) == {("a", "a"), ("b", "b")}


def test_one_family_on_each_side_stands_against_the_other_whatever_its_name() -> None:
    assert _pairs(_named("new"), _named("old")) == {("new", "old")}


def test_two_families_of_other_names_have_no_counterpart() -> None:
    assert _pairs(_named("a", "b"), _named("c")) == {(None, "c")}


def test_a_release_is_compared_with_itself_alone() -> None:
    assert _pairs(_named("a"), _named("a", release="other")) == {(None, "a")}


def test_who_is_left_over_is_said() -> None:
    found = with_baseline(members(_named("a", "new"))[0], members(_named("a", "gone"))[0])
    assert any("gone" in note and "candidate" in note for note in found.notes)
    assert any("new" in note and "compared with nothing" in note for note in found.notes)


def test_each_two_are_compared_up_to_six_of_a_release() -> None:
    names = [f"sae{i}" for i in range(MAX_FAMILIES + 1)]
    assert len(among_themselves(members(_named(*names[:-1]))[0]).matches) == 15
    found = among_themselves(members(_named(*names))[0])
    assert found.matches == ()
    assert "--against" in found.notes[0]


def test_all_are_compared_with_the_one_that_is_named() -> None:
    found = against(members(_named("a", "b", "c"))[0], "b")
    assert [m.candidate.family.name for m in found.matches if m.candidate] == ["a", "c"]
    assert {m.baseline.family.name for m in found.matches} == {"b"}


def test_a_name_that_is_not_there_suggests_the_nearest() -> None:
    with pytest.raises(UnknownNameError, match="Did you mean 'topk'"):
        against(members(_named("topk", "pca"))[0], "topkk")


def test_pairs_are_equal_seeds_and_the_others_are_said() -> None:
    pairs, notes = paired_seeds([0, 1, 2, 7], [2, 1, 5])
    assert pairs == [(1, 1), (2, 2)]
    assert notes == ["Only the candidate has seeds 0, 7.", "Only the baseline has seed 5."]


def test_one_result_without_a_seed_pairs_with_the_only_other() -> None:
    assert paired_seeds([None], [None]) == ([(None, None)], [])
    pairs, notes = paired_seeds([None], [0])
    assert pairs == [(None, 0)]
    assert notes == ["The seeds are not known to be the same."]


def test_two_known_seeds_that_differ_are_no_pair() -> None:
    assert paired_seeds([1], [0])[0] == []


def test_of_two_results_of_one_seed_the_newer_counts_and_that_is_said() -> None:
    (old,) = readings("a", {METRIC: [0.1]})
    new = replace(old, values={METRIC: 0.2}, epoch_millis=5)
    found, notes = members(results([new, old]))
    assert found[old.family].of_metric(METRIC)[0].values[METRIC] == 0.2
    assert len(notes) == 1


@pytest.mark.parametrize(
    ("cells", "troubled"),
    [
        ({"training": "failed"}, {"core", "mig"}),
        ({"validity": "invalid"}, {"core", "mig"}),
        ({"training": "ok", "mig": "failed"}, {"mig"}),
        ({}, {"core", "mig"}),
    ],
)
def test_a_failed_eval_spoils_itself_and_a_failed_training_all(
    cells: dict[str, str], troubled: set[str]
) -> None:
    found, _ = members(results(runs=[run("a", "failed", **cells)]))
    (member,) = found.values()
    assert {name for name in ("core", "mig") if member.troubles(name)} == troubled


def test_a_pair_of_other_names_is_said_loudly() -> None:
    found = with_baseline(members(_named("new"))[0], members(_named("old"))[0])
    (note,) = found.notes
    assert note.startswith("new is compared with old, an SAE of another name")


def test_a_pair_of_one_name_is_not_said() -> None:
    assert with_baseline(members(_named("a"))[0], members(_named("a"))[0]).notes == ()
