"""csae_bench/results/slots.py."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from csae_bench.results.slots import Slot, find_slot
from csae_bench.results.store import Store, write_json

FIRST = {"settings": {"n": 20, "shuffled": False}, "seed": 0, "data": None}


def _slot(root: Path, sae_id: str = "a", **changed: Any) -> Slot:
    return find_slot(Store(root), "mig", "r", sae_id, {**FIRST, **changed})


def _file(slot: Slot, conditions: dict[str, Any], sae_id: str = "a") -> None:
    provenance = {"key": "k", "conditions": conditions}
    write_json(
        slot.path,
        {"sae_lens_id": sae_id, "eval_result_unstructured": {"provenance": provenance}},
    )


@pytest.fixture
def filed(tmp_path: Path) -> Path:
    """A results folder in which FIRST was measured."""
    _file(_slot(tmp_path), FIRST)
    return tmp_path


def test_the_first_result_goes_by_the_saes_name(tmp_path: Path) -> None:
    slot = _slot(tmp_path)
    assert slot.path == tmp_path / "mig" / "r_a_eval_results.json"
    assert (slot.variant, slot.cell, slot.key) == (None, "mig", None)


def test_equal_conditions_have_one_slot(filed: Path) -> None:
    assert _slot(filed).key == "k"


@pytest.mark.parametrize(
    ("changed", "differs"),
    [
        ({"settings": {"n": 21, "shuffled": False}}, {"settings.n": 21}),
        ({"seed": 3}, {"seed": 3}),
        ({"data": "abc"}, {"data": "abc"}),
    ],
)
def test_other_conditions_have_a_slot_next_to_it(
    changed: dict[str, Any], differs: dict[str, Any], filed: Path
) -> None:
    slot = _slot(filed, **changed)
    assert slot.differs == differs
    assert slot.variant is not None
    assert len(slot.variant) == 8
    assert slot.path.name == f"r_a_{slot.variant}_eval_results.json"
    assert slot.cell == f"mig_{slot.variant}"
    assert slot.present is None


def test_a_slot_is_found_again_after_the_first_result_was_deleted(filed: Path) -> None:
    other = _slot(filed, seed=3)
    _file(other, {**FIRST, "seed": 3})
    _slot(filed).path.unlink()
    assert _slot(filed, seed=3).path == other.path
    assert _slot(filed, seed=4).variant is None


def test_the_order_of_runs_gives_each_condition_one_slot(filed: Path) -> None:
    names = {_slot(filed, seed=seed).path.name for seed in range(5)}
    assert len(names) == 5
    assert names == {_slot(filed, seed=seed).path.name for seed in reversed(range(5))}


def test_no_variant_replaces_one_of_other_conditions(filed: Path) -> None:
    """The first result was deleted and measured anew: one set of digits means two things."""
    left = _slot(filed, seed=3)
    _file(left, {**FIRST, "seed": 3})
    _slot(filed).path.unlink()
    _file(_slot(filed, data="d"), {**FIRST, "data": "d"})
    slot = _slot(filed, data="d", seed=3)
    assert slot.path != left.path
    assert slot.present is None


def test_an_sae_whose_name_ends_in_digits_is_another_sae(filed: Path) -> None:
    other = _slot(filed, sae_id="a_0123abcd")
    assert other.path.name == "r_a_0123abcd_eval_results.json"
    _file(other, {**FIRST, "seed": 3}, sae_id="a_0123abcd")
    assert _slot(filed, seed=3).path != other.path


def test_a_damaged_first_result_is_replaced(tmp_path: Path) -> None:
    path = _slot(tmp_path).path
    path.parent.mkdir()
    path.write_text("{")
    assert _slot(tmp_path, seed=3).path == path


def test_a_result_of_an_earlier_version_is_compared_by_what_it_says(tmp_path: Path) -> None:
    slot = _slot(tmp_path)
    provenance = {"key": "k", "eval_settings": FIRST["settings"], "seed": 0}
    write_json(
        slot.path, {"sae_lens_id": "a", "eval_result_unstructured": {"provenance": provenance}}
    )
    assert _slot(tmp_path, data="abc").key == "k"
    assert _slot(tmp_path, seed=3).differs == {"seed": 3}
