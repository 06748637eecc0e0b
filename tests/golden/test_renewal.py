"""Comparing, storing and renewing golden numbers."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from tests.golden.comparing import Tolerance, differences, is_golden
from tests.golden.files import Golden, GoldenFileError, path_of, read, write
from tests.golden.numbers import MANY, Numbers, flat
from tests.golden.parts import Part, version_of
from tests.golden.renewal import Renewal, renew
from tests.golden.tolerances import EXACT, tolerance

HERE = {"processor": "this one"}
NUMBERS: Numbers = {"loss": 2.0, "n": 3, "why": None, "latents": [1, 2], "name": "a"}
OLD = Golden(HERE, {"TRAINING_VERSION": 1}, {"small": NUMBERS})


def _renewal(changed: Numbers, *, version: int = 1, name: str = "training") -> Renewal:
    new = Golden(HERE, {"TRAINING_VERSION": version}, {"small": NUMBERS | changed})
    return Renewal(name, OLD, new)


def test_scalars_are_found_under_their_paths() -> None:
    result = {"a": {"b": 1.5}, "list": [{"factor": "tense", "x": None}, {"x": True}], "no": {}}
    assert flat(result) == {
        "a/b": 1.5,
        "list/tense/x": None,
        "list/1/x": True,
    }


def test_a_list_of_scalars_is_one_value() -> None:
    assert flat({"latents": [3, 1]}) == {"latents": [3, 1]}


def test_nulls_are_listed_under_their_reason() -> None:
    result = {"reasons": {"mig": "dead", "dci": "dead", "sap": "one template"}}
    assert flat(result) == {"reasons/dead": ["dci", "mig"], "reasons/one template": ["sap"]}


def test_many_entries_are_summarised_such_that_their_order_matters() -> None:
    entries = [{"density": float(i)} for i in range(MANY + 1)]
    one, other = flat({"latents": entries}), flat({"latents": entries[::-1]})
    assert one["latents/density/mean"] == other["latents/density/mean"] == MANY / 2
    assert {path for path in one if one[path] != other[path]} == {"latents/density/by_place"}


def test_what_json_does_not_have_is_refused() -> None:
    with pytest.raises(TypeError, match="a/b is of type set"):
        flat({"a": {"b": {1}}})


@pytest.mark.parametrize(
    "changed",
    [
        {"loss": 2.00001},
        {"n": 4},
        {"why": 0.0},
        {"why": "no latent varies"},
        {"latents": [2, 1]},
        {"latents": [1]},
        {"name": "b"},
        {"loss": None},
        {"n": True},
        {"more": 1},
    ],
    ids=str,
)
def test_a_difference_is_found(changed: Numbers) -> None:
    assert [one.path for one in differences(NUMBERS, NUMBERS | changed, EXACT)] == list(changed)
    assert not is_golden(NUMBERS, NUMBERS | changed, EXACT)


@pytest.mark.parametrize("changed", [{"loss": 2.000001}, {"n": 3.0}, {}], ids=str)
def test_rounding_is_no_difference(changed: Numbers) -> None:
    assert is_golden(NUMBERS, NUMBERS | changed, EXACT)


def test_some_values_may_flip_where_that_is_allowed() -> None:
    old: Numbers = {str(i): i for i in range(20)}
    allowed = Tolerance(1e-3, 0, flips=0.05)
    assert is_golden(old, old | {"3": 4}, allowed)
    assert not is_golden(old, old | {"3": 4, "4": 5}, allowed)
    assert is_golden(old, {key: value for key, value in old.items() if key != "3"}, allowed)


def test_a_difference_shows_both_values_and_their_relation() -> None:
    (one,) = differences({"loss": 2.0}, {"loss": 1.0}, EXACT)
    assert str(one) == "loss: 2.0 -> 1.0 (-5.00e-01)"
    (one,) = differences({}, {"loss": 1.0}, EXACT)
    assert str(one) == "loss: (absent) -> 1.0"


def test_only_results_of_the_model_may_differ_between_machines() -> None:
    other = {"processor": "another"}
    assert tolerance("through_model", "mig", HERE, HERE) == EXACT
    assert tolerance("through_model", "mig", HERE, other).relative == 1e-3
    assert tolerance("unlearning", "unlearning", HERE, other).relative == 1e-3
    assert tolerance("codes", "mig", HERE, other) == EXACT
    assert tolerance("training", "contrastive_full", HERE, other) == EXACT


def test_a_file_is_read_as_it_was_written(tmp_path: Path) -> None:
    write("training", OLD, tmp_path)
    assert read("training", tmp_path) == OLD
    text = path_of("training", tmp_path).read_text(encoding="utf-8")
    assert '   "latents": [1, 2],\n' in text


def test_a_number_edited_by_hand_is_found(tmp_path: Path) -> None:
    write("training", OLD, tmp_path)
    path = path_of("training", tmp_path)
    path.write_text(path.read_text(encoding="utf-8").replace("2.0", "2.5"), encoding="utf-8")
    with pytest.raises(GoldenFileError, match="was edited by hand"):
        read("training", tmp_path)


def test_a_version_edited_by_hand_is_found(tmp_path: Path) -> None:
    write("training", OLD, tmp_path)
    path = path_of("training", tmp_path)
    text = path.read_text(encoding="utf-8")
    path.write_text(
        text.replace('"TRAINING_VERSION": 1', '"TRAINING_VERSION": 2'), encoding="utf-8"
    )
    with pytest.raises(GoldenFileError, match="was edited by hand"):
        read("training", tmp_path)


def test_a_missing_file_says_how_to_write_it(tmp_path: Path) -> None:
    with pytest.raises(GoldenFileError, match=r"python -m tests\.golden --write"):
        read("training", tmp_path)


def test_changed_numbers_are_refused_under_the_same_version() -> None:
    refusal = _renewal({"loss": 2.1, "n": 4}).refusal
    assert refusal is not None
    assert "2 numbers changed, and TRAINING_VERSION is still 1" in refusal
    assert "csae_bench/identity.py" in refusal


def test_changed_numbers_are_written_under_another_version() -> None:
    renewal = _renewal({"loss": 2.1}, version=2)
    assert renewal.is_due
    assert renewal.refusal is None
    assert "training/small loss: 2.0 -> 2.1 (+5.00e-02)" in list(renewal.lines())


def test_another_version_with_the_same_numbers_is_written() -> None:
    renewal = _renewal({}, version=2)
    assert renewal.is_due
    assert renewal.refusal is None


def test_new_numbers_need_no_other_version() -> None:
    renewal = _renewal({"more": 1})
    assert renewal.is_due
    assert renewal.refusal is None


def test_unchanged_numbers_are_not_written_again() -> None:
    renewal = _renewal({"loss": 2.0000001})
    assert not renewal.is_due
    assert list(renewal.lines()) == ["training.json: 5 numbers, unchanged"]


def test_numbers_without_a_version_are_never_refused() -> None:
    new = Golden(HERE, {}, {"small": NUMBERS | {"loss": 3.0}})
    assert Renewal("codes", replace(OLD, version={}), new).refusal is None


def test_renewing_measures_with_the_version_of_the_code(tmp_path: Path) -> None:
    parts = [Part("training", "small", lambda: NUMBERS), Part("codes", "mig", lambda: {"x": 1})]
    result = renew("training", tmp_path, parts)
    assert result.old is None
    assert result.new.numbers == {"small": NUMBERS}
    assert result.new.version == version_of("training")
    assert result.new.machine["threads"] == "1"
