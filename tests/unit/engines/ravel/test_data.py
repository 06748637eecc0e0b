"""Entities in RAVEL's form: the shipped ones, and a user's files."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from csae_bench.engines.ravel.cities import city_table
from csae_bench.engines.ravel.data import (
    CITY_SELECTION,
    PARTS,
    SAE_BENCH_SELECTION,
    EntityTable,
    checked,
    data_fingerprint,
    data_status,
    file_name,
    open_tables,
    selection_of,
    skip_reason,
)
from csae_bench.errors import DataError
from csae_bench.evals import get_eval

SELECTION = {"pet": ("Sound", "Legs")}


def parts() -> dict[str, Any]:
    return {
        "entity_attributes": {
            "dog": {"Sound": "bark", "Legs": "four"},
            "duck": {"Sound": "quack", "Legs": "two"},
        },
        "attribute_to_prompts": {"Sound": ["A %s says"], "Legs": ["The legs of a %s are"]},
        "entity_to_split": {"dog": "train", "duck": "val"},
        "prompt_to_split": {"A %s says": "train", "The legs of a %s are": "train"},
    }


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    EntityTable("pet", parts()).write(tmp_path)
    return tmp_path


def test_the_shipped_cities_are_in_ravels_form() -> None:
    (table,) = open_tables("cities", CITY_SELECTION)
    known = table.parts["entity_attributes"]
    assert len(known) == len({*known}) == 68
    for attribute, n_least in (("Country", 20), ("Continent", 4), ("Language", 15)):
        assert len({labels[attribute] for labels in known.values()}) >= n_least
    example_cities = ("Helsinki", "Lima", "Seoul", "Cape Town", "Toronto")
    assert not set(example_cities) & set(known), "a prompt would give the answer away"
    assert data_status("cities", CITY_SELECTION) == [("ok", "entities: city 68")]


def test_a_country_lies_on_one_continent() -> None:
    known = city_table()["entity_attributes"].values()
    countries = {labels["Country"] for labels in known}
    assert len({(labels["Country"], labels["Continent"]) for labels in known}) == len(countries)


def test_a_folder_is_read_as_it_was_written(folder: Path) -> None:
    (table,) = open_tables(str(folder), SELECTION)
    assert table.parts == parts()
    before = data_fingerprint(str(folder), SELECTION)
    path = folder / file_name("pet", "entity_to_split")
    path.write_text(json.dumps({"dog": "val", "duck": "val"}))
    assert data_fingerprint(str(folder), SELECTION) not in (before, None)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda p: p["attribute_to_prompts"].pop("Legs"), "has no 'Legs'; it has Sound"),
        (lambda p: p["attribute_to_prompts"].update(Legs=["%s and %s"]), "must have %s once"),
        (lambda p: p["attribute_to_prompts"].update(Legs=["100% of %s"]), "must have %s once"),
        (lambda p: p["attribute_to_prompts"].update(Legs=["New %s"]), "lacks the prompt 'New %s'"),
        (lambda p: p["entity_attributes"]["dog"].pop("Legs"), "'dog' has no 'Legs'"),
        (lambda p: p["entity_to_split"].pop("duck"), "lacks 'duck'"),
        (lambda p: p["prompt_to_split"].clear(), "with at least one entry"),
    ],
)  # fmt: skip
def test_a_fault_is_named_with_its_file(change: Callable[[Any], Any], said: str) -> None:
    wrong = parts()
    change(wrong)
    with pytest.raises(DataError, match="folder/ravel_pet_") as caught:
        checked("pet", wrong, "folder", SELECTION["pet"])
    assert said in str(caught.value)


def test_a_missing_file_and_a_missing_folder_are_named(folder: Path) -> None:
    (folder / file_name("pet", PARTS[1])).unlink()
    ((outcome, said),) = data_status(str(folder), SELECTION)
    assert outcome == "problem"
    assert "ravel_pet_attribute_to_prompts.json" in said
    assert data_fingerprint(str(folder), SELECTION) is None
    ((_, said),) = data_status(str(folder / "nowhere"), SELECTION)
    assert "it must be auto, cities, hub, or a folder" in said


def test_other_classes_are_not_shipped() -> None:
    ((outcome, said),) = data_status("cities", {"verb": ("Past", "Pair")})
    assert outcome == "problem"
    assert "has 'verb'; the shipped data has 'city' alone" in said


def test_the_hub_has_sae_benchs_classes() -> None:
    assert selection_of("hub", None) == SAE_BENCH_SELECTION
    assert selection_of("auto", None) == CITY_SELECTION
    assert data_status("hub", SAE_BENCH_SELECTION)[0][0] == "unknown"
    assert data_fingerprint("hub", SAE_BENCH_SELECTION) is None


def test_ravel_is_read_from_the_hubs_folder(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[Any] = []

    def snapshot_download(name: str, *, repo_type: str, allow_patterns: str) -> str:
        asked.append((name, repo_type, allow_patterns))
        return str(folder)

    monkeypatch.setattr("huggingface_hub.snapshot_download", snapshot_download)
    (table,) = open_tables("hub", SELECTION)
    assert table.parts == parts()
    assert asked == [("adamkarvonen/ravel_prompts", "dataset", "*.json")]

    def offline(*_: Any, **__: Any) -> str:
        raise OSError("no network.")

    monkeypatch.setattr("huggingface_hub.snapshot_download", offline)
    with pytest.raises(DataError, match=r"cannot be had from the hub: no network\. Set"):
        open_tables("hub", SELECTION)


def test_the_bundled_model_is_skipped_unless_entities_are_given() -> None:
    reason = skip_reason("auto", "tiny-gemma2-it")
    assert reason is not None
    assert "knows one fact of each thing" in reason
    assert skip_reason("somewhere", "tiny-gemma2-it") is None
    config = get_eval("ravel").config
    assert config().needs("tiny-gemma2-it").skip == reason
    assert config().needs("gpt2").skip is None
    (data,) = config().needs("gpt2").inputs
    assert data.status() == [("ok", "entities: city 68")]
