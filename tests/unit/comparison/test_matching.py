"""csae_bench/comparison/matching.py."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from csae_bench.comparison.matching import (
    MAX_FAMILIES,
    Matched,
    against,
    among_themselves,
    members,
    paired_seeds,
    with_baseline,
)
from csae_bench.comparison.model import Reading, ResultSet
from csae_bench.errors import UnknownNameError
from tests.unit.comparison.planted import readings, results, run

METRIC = "core.ce_loss_score"


def _named(*names: str, release: str = "model_layer_2_sae") -> ResultSet:
    return results(*(readings(name, {METRIC: [0.5]}, release=release) for name in names))


def _pairs(mine: ResultSet, theirs: ResultSet) -> set[tuple[str | None, str]]:
    matched = with_baseline(members(mine)[0], members(theirs)[0])
    return {
        (m.candidate.family.name if m.candidate else None, m.baseline.family.name)
        for m in matched.matches
    }


def test_families_of_the_same_name_are_compared_with_each_other() -> None:
    assert _pairs(_named("a", "b", "new"), _named("a", "b")) == {("a", "a"), ("b", "b")}


def test_one_family_on_each_side_is_compared_with_the_other_whatever_its_name() -> None:
    assert _pairs(_named("new"), _named("old")) == {("new", "old")}


def test_two_families_of_other_names_have_no_counterpart() -> None:
    assert _pairs(_named("a", "b"), _named("c")) == {(None, "c")}


def test_a_release_is_compared_with_itself_alone() -> None:
    assert _pairs(_named("a"), _named("a", release="other")) == {(None, "a")}


def test_who_is_left_over_is_said() -> None:
    matched = with_baseline(members(_named("a", "new"))[0], members(_named("a", "gone"))[0])
    assert any("gone" in note and "candidate" in note for note in matched.notes)
    assert any("new" in note and "compared with nothing" in note for note in matched.notes)


def test_each_two_are_compared_up_to_six_of_a_release() -> None:
    names = [f"sae{i}" for i in range(MAX_FAMILIES + 1)]
    assert len(among_themselves(members(_named(*names[:-1]))[0]).matches) == 15
    matched = among_themselves(members(_named(*names))[0])
    assert matched.matches == ()
    assert "--against" in matched.notes[0]


def test_all_are_compared_with_the_one_that_is_named() -> None:
    matched = against(members(_named("a", "b", "c"))[0], "b")
    assert [m.candidate.family.name for m in matched.matches if m.candidate] == ["a", "c"]
    assert {m.baseline.family.name for m in matched.matches} == {"b"}


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
    by_family, notes = members(results([new, old]))
    assert by_family[old.family].of_metric(METRIC)[0].values[METRIC] == 0.2
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
    by_family, _ = members(results(runs=[run("a", "failed", **cells)]))
    (member,) = by_family.values()
    assert {name for name in ("core", "mig") if member.troubles(name)} == troubled


def test_a_pair_of_other_names_is_said_loudly() -> None:
    matched = with_baseline(members(_named("new"))[0], members(_named("old"))[0])
    (note,) = matched.notes
    assert note.startswith("new is compared with old, an SAE of another name")


def test_a_pair_of_one_name_is_not_said() -> None:
    assert with_baseline(members(_named("a"))[0], members(_named("a"))[0]).notes == ()


VARIANT = "settings.n_permutations=21"


def _variant(name: str, value: float, *, seed: int = 0, variant: str = VARIANT) -> list[Reading]:
    """A further result of an SAE's eval mig."""
    result = readings(name, {"mig.value_mig": [value]}, seeds=[seed])
    return [
        replace(
            reading,
            family=reading.family._replace(variant=variant),
            variant="1a2b3c4d",
            path=Path("mig", f"{name}_1a2b3c4d.json"),
        )
        for reading in result
    ]


def _first(name: str, value: float) -> list[Reading]:
    return readings(name, {"mig.value_mig": [value], METRIC: [0.5]})


def _variants(result: Matched) -> set[tuple[str, str]]:
    return {
        (match.candidate.family.name, match.baseline.family.name)
        for match in result.matches
        if match.candidate is not None
    }


def test_a_variant_is_compared_with_the_same_variant_and_never_against_a_first_result() -> None:
    both = results(*(_first(n, 0.5) for n in "ab"), *(_variant(n, 0.1) for n in "ab"))
    expected = {("b", "a"), (f"b ({VARIANT})", f"a ({VARIANT})")}
    assert _variants(among_themselves(members(both)[0])) == expected
    assert _variants(against(members(both)[0], "a")) == expected
    named = against(members(both)[0], f"a ({VARIANT})")
    assert _variants(named) == {(f"b ({VARIANT})", f"a ({VARIANT})")}


def test_a_variant_is_compared_with_that_of_the_baseline() -> None:
    mine = results(_first("a", 0.5), _variant("a", 0.1), _variant("a", 0.2, variant="seed=3"))
    theirs = results(_first("a", 0.4), _variant("a", 0.1), _variant("a", 0.3, variant="seed=4"))
    matched = with_baseline(members(mine)[0], members(theirs)[0])
    assert _variants(matched) == {("a", "a"), (f"a ({VARIANT})", f"a ({VARIANT})")}
    assert [m.baseline.family.name for m in matched.matches if m.candidate is None] == [
        "a (seed=4)"
    ]
    assert any("a (seed=3)" in note and "compared with nothing" in note for note in matched.notes)


def test_the_only_saes_of_both_sides_are_compared_with_each_other_with_their_variants() -> None:
    mine = results(_first("new", 0.5), _variant("new", 0.1))
    theirs = results(_first("old", 0.4), _variant("old", 0.1), _variant("old", 0, variant="seed=4"))
    matched = with_baseline(members(mine)[0], members(theirs)[0])
    assert _variants(matched) == {("new", "old"), (f"new ({VARIANT})", f"old ({VARIANT})")}


def test_a_variant_that_no_other_sae_has_is_said() -> None:
    matched = among_themselves(
        members(results(_first("a", 0.5), _first("b", 0.5), _variant("b", 1)))[0]
    )
    assert _variants(matched) == {("b", "a")}
    assert any(f"b ({VARIANT})" in note for note in matched.notes)


def test_variants_are_no_further_saes() -> None:
    names = [f"sae{i}" for i in range(MAX_FAMILIES)]
    both = results(*(_first(n, 0.5) for n in names), *(_variant(n, 0.1) for n in names))
    matched = among_themselves(members(both)[0])
    assert len(matched.matches) == 30
    assert matched.notes == ()


def test_seeds_of_a_variant_pair_with_each_other() -> None:
    of = {name: [_variant(name, 0.1, seed=seed) for seed in range(3)] for name in "ab"}
    (match,) = among_themselves(members(results(*of["a"], *of["b"]))[0]).matches
    assert match.candidate is not None
    assert match.candidate.seeds == match.baseline.seeds == {0, 1, 2}


@pytest.mark.parametrize(
    ("cells", "troubled"),
    [
        ({"mig_1a2b3c4d": "failed"}, {VARIANT}),
        ({"mig": "failed"}, {""}),
        ({"mig_99999999": "failed"}, set()),
        ({"training": "failed"}, {"", VARIANT}),
        ({}, {"", VARIANT}),
    ],
)
def test_a_cell_of_a_variant_spoils_the_variant_alone(
    cells: dict[str, str], troubled: set[str]
) -> None:
    by_family, _ = members(
        results(_first("a", 0.5), _variant("a", 0.1), runs=[run("a", "failed", **cells)])
    )
    assert {f.variant for f, member in by_family.items() if member.troubles("mig")} == troubled
