"""csae_bench/comparison/reading/variants.py."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from csae_bench.comparison.model import ResultSet
from csae_bench.comparison.reading.folder import read_results
from tests.unit.comparison.result_files import OUR_MIG, live_core, loaded, published, write

BASE = {"model_name": "gemma-2-2b", "dataset": "owt", "context_size": 128, "llm_dtype": "bfloat16"}


def config(**changes: Any) -> dict[str, Any]:
    return {key: value for key, value in {**BASE, **changes}.items() if value is not ...}


def core(root: Path, name: str, millis: int = 1000, *, sae_id: str = "sae", **changes: Any) -> None:
    """A published core result under these conditions; `...` leaves one out."""
    write(
        root / name / "x_eval_results.json",
        published(
            "core",
            live_core(),
            sae_id=sae_id,
            eval_config=config(**changes),
            datetime_epoch_millis=millis,
        ),
    )


def mig(root: Path, name: str, *, seed: int = 0, differs: dict[str, Any] | None = None,
        variant: str | None = None, value: float = 0.5, **settings: Any) -> Path:  # fmt: skip
    """A mig result of ours; `differs` makes it a further one of its SAE."""
    result = loaded(OUR_MIG)
    sae_id = name if seed == 0 else f"{name}_seed{seed}"
    result["sae_lens_id"] = sae_id
    result["eval_result_metrics"]["scores"]["value_mig"] = value
    provenance = result["eval_result_unstructured"]["provenance"]
    provenance["config"]["seed"] = seed
    provenance["eval_settings"] |= settings
    suffix = ""
    if differs is not None:
        provenance |= {"variant": variant or "1a2b3c4d", "differs": differs}
        suffix = f"_{provenance['variant']}"
    release = result["sae_lens_release_id"]
    return write(root / "mig" / f"{release}_{sae_id}{suffix}_eval_results.json", result)


def names(result: ResultSet) -> list[str]:
    return sorted(reading.family.name for reading in result.readings)


@pytest.mark.parametrize(
    ("change", "variant"),
    [
        ({"dataset": "pile"}, "dataset=pile"),
        ({"context_size": 64}, "context_size=64"),
        ({"llm_dtype": "float32"}, "dtype=float32"),
        ({"random_seed": 7}, None),
        ({"k_values": [1, 2]}, None),
        ({"n_eval_sparsity_variance_batches": 4, "batch_size_prompts": 2}, None),
        ({"exclude_special_tokens_from_reconstruction": True}, None),
        ({"dataset": ...}, "dataset=not known"),
        ({"model_name": "gemma-2-9b"}, "model=gemma-2-9b"),
    ],
)
def test_results_under_other_conditions_are_two_results_of_one_sae(
    tmp_path: Path, change: dict[str, Any], variant: str | None
) -> None:
    other = {key: 99 for key in change if key not in BASE}
    core(tmp_path, "first", 1000, **other)
    core(tmp_path, "second", 2000, **change)
    result_set = read_results(tmp_path)
    assert result_set.ignored == ()
    assert len(result_set.readings) == len({r.family for r in result_set.readings}) == 2
    assert {r.family.sae for r in result_set.readings} == {"sae"}
    if variant is not None:
        assert names(result_set) == ["sae", f"sae ({variant})"]


@pytest.mark.parametrize(
    "change",
    [
        {},
        {"verbose": True},
        {"model_name": "google/gemma-2-2b"},
        {"llm_batch_size": 7},
        {"a_new_setting": 3},
    ],
)
def test_a_rerun_under_the_same_conditions_replaces_the_older_and_that_is_said(
    tmp_path: Path, change: dict[str, Any]
) -> None:
    core(tmp_path, "new", 2000, **change)
    core(tmp_path, "old", 1000)
    result_set = read_results(tmp_path)
    assert [reading.path.parent.name for reading in result_set.readings] == ["new"]
    (older,) = result_set.ignored
    assert older.path.parent.name == "old"
    assert "left out for" in older.message


def test_the_first_is_what_most_saes_of_the_release_have(tmp_path: Path) -> None:
    core(tmp_path, "a_pile", 1000, sae_id="a", dataset="pile")
    core(tmp_path, "a_owt", 2000, sae_id="a")
    for sae_id in "bcd":
        core(tmp_path, sae_id, 3000, sae_id=sae_id)
    assert names(read_results(tmp_path)) == ["a", "a (dataset=pile)", "b", "c", "d"]


def test_two_saes_name_their_results_alike_in_whatever_order_they_were_made(tmp_path: Path) -> None:
    for millis, (sae_id, dataset) in enumerate(
        [("a", "owt"), ("a", "pile"), ("b", "pile"), ("b", "owt")]
    ):
        core(tmp_path, f"{sae_id}_{dataset}", millis, sae_id=sae_id, dataset=dataset)
    by_name = {
        reading.path.parent.name: reading.family for reading in read_results(tmp_path).readings
    }
    assert {name for name, family in by_name.items() if family.variant} == {"a_pile", "b_pile"}


def test_a_result_of_ours_says_what_it_differs_in(tmp_path: Path) -> None:
    mig(tmp_path, "small")
    mig(tmp_path, "small", differs={"settings.n_permutations": 21}, n_permutations=21)
    result_set = read_results(tmp_path)
    assert names(result_set) == ["small", "small (settings.n_permutations=21)"]
    assert {reading.sae_id for reading in result_set.readings} == {"small"}
    assert {reading.cell for reading in result_set.readings} == {"mig", "mig_1a2b3c4d"}


def test_the_sae_named_as_sae_benchs_objects_is_one_sae_too(tmp_path: Path) -> None:
    mig(tmp_path, "custom_sae")
    mig(tmp_path, "custom_sae", differs={"seed": 3})
    assert {reading.sae_id for reading in read_results(tmp_path).readings} == {"custom_sae"}


def test_the_control_of_shuffled_factors_is_no_newer_result(tmp_path: Path) -> None:
    mig(tmp_path, "small", value=0.5)
    mig(tmp_path, "small", differs={"settings.shuffled": True}, value=0.001, shuffled=True)
    by_name = {r.family.variant: r.values["mig.value_mig"] for r in read_results(tmp_path).readings}
    assert by_name == {"": 0.5, "settings.shuffled=true": 0.001}


def test_a_first_result_that_was_made_otherwise_is_no_seed_of_the_others(tmp_path: Path) -> None:
    for seed in (0, 1):
        mig(tmp_path, "small", seed=seed, shuffled=False)
    mig(tmp_path, "small", seed=2, shuffled=True)
    by_name = {r.seed: r.family.variant for r in read_results(tmp_path).readings}
    assert by_name == {0: "", 1: "", 2: "settings.shuffled=true"}


def test_a_variant_that_was_found_out_is_named_as_one_that_says_so(tmp_path: Path) -> None:
    mig(tmp_path, "small", n_permutations=11)
    differs = {"settings.n_permutations": 21}
    mig(tmp_path, "small", differs=differs, n_permutations=21)
    mig(tmp_path, "small", seed=1, n_permutations=11)
    mig(tmp_path, "small", seed=2, n_permutations=11)
    mig(tmp_path, "small", seed=3, n_permutations=21)
    families = {r.family for r in read_results(tmp_path).readings if r.family.variant}
    assert len(families) == 1


def test_a_setting_that_older_results_do_not_have_tells_no_seeds_apart(tmp_path: Path) -> None:
    mig(tmp_path, "small")
    mig(tmp_path, "small", seed=1, a_new_setting=True)
    assert names(read_results(tmp_path)) == ["small", "small"]


def test_data_that_are_drawn_for_each_seed_tell_no_seeds_apart(tmp_path: Path) -> None:
    for seed in (0, 1):
        path = mig(tmp_path, "small", seed=seed)
        result = loaded(path)
        result["eval_result_unstructured"]["data"]["fingerprint"] = f"of seed {seed}"
        write(path, result)
    assert names(read_results(tmp_path)) == ["small", "small"]


def test_other_data_under_one_name_are_another_result(tmp_path: Path) -> None:
    path = mig(tmp_path, "small")
    result = loaded(path)
    result["eval_result_unstructured"]["data"] |= {"fingerprint": "other", "n": 7}
    result["datetime_epoch_millis"] += 1
    write(tmp_path / "mig" / "moved" / "x_eval_results.json", result)
    assert names(read_results(tmp_path)) == ["small", "small (data.fingerprint=other)"]


def test_a_variant_without_its_first_keeps_its_name(tmp_path: Path) -> None:
    mig(tmp_path, "small", differs={"settings.n_permutations": 21})
    assert names(read_results(tmp_path)) == ["small (settings.n_permutations=21)"]


@pytest.mark.parametrize("variant", [3, None, "short", "G" * 8, ["1a2b3c4d"]])
def test_a_variant_that_is_none_is_no_variant(tmp_path: Path, variant: object) -> None:
    path = mig(tmp_path, "small")
    result = loaded(path)
    provenance = result["eval_result_unstructured"]["provenance"]
    provenance |= {"variant": variant, "differs": {"seed": 3}}
    write(path, result)
    assert names(read_results(tmp_path)) == ["small"]


@pytest.mark.parametrize("differs", [None, [], {}, "seed"])
def test_a_variant_that_does_not_say_what_differs_has_its_digits(
    tmp_path: Path, differs: Any
) -> None:
    mig(tmp_path, "small")
    path = mig(tmp_path, "small", differs={"seed": 3})
    result = loaded(path)
    result["eval_result_unstructured"]["provenance"]["differs"] = differs
    write(path, result)
    assert names(read_results(tmp_path)) == ["small", "small (1a2b3c4d)"]


def test_names_of_long_variants_are_short_and_distinct(tmp_path: Path) -> None:
    for i in range(3):
        core(tmp_path, str(i), i, dataset=f"{'long ' * 100}{i}")
    result_set = names(read_results(tmp_path))
    assert len(set(result_set)) == 3
    assert max(map(len, result_set)) < 120


def test_what_was_recalled_is_named_as_what_was_read(tmp_path: Path) -> None:
    root = tmp_path / "results"
    mig(root, "small")
    mig(root, "small", differs={"settings.n_permutations": 21})
    first = read_results(root, cache=tmp_path / "cache")
    assert read_results(root, cache=tmp_path / "cache") == first
    assert len(names(first)) == 2


def test_a_core_result_on_other_text_says_nothing_of_the_other_evals(tmp_path: Path) -> None:
    core(tmp_path, "first", 1000)
    dead = published("core", live_core(l0=0.0), sae_id="sae", eval_config=config(dataset="pile"))
    write(tmp_path / "second" / "x_eval_results.json", dead)
    by_name = {r.family.variant: bool(r.invalid) for r in read_results(tmp_path).readings}
    assert by_name == {"": False, "dataset=pile": True}
