"""csae_bench/comparison/reading/names.py."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from csae_bench.comparison.model import Family
from csae_bench.comparison.reading.names import Names, names_of_record, names_of_result
from csae_bench.config import RunConfig
from tests.unit.comparison.result_files import (
    ORIGINAL_RUN_0,
    OUR_CORE,
    OUR_RECORD,
    RELEASE,
    live_core,
    loaded,
    published,
)


def of_published(sae_id: str, **changes: Any) -> Names:
    result = published("core", live_core(), sae_id=sae_id, **changes)
    return names_of_result(result, Path("x_eval_results.json"))


def of_config(*, sae_id: str = "batchtopk", **config: Any) -> Names:
    """Of a result of ours, trained by this configuration."""
    result = loaded(OUR_CORE) | {"sae_lens_id": sae_id}
    resolved = RunConfig.model_validate({"sae": {"architecture": "batchtopk"}, **config})
    provenance = result["eval_result_unstructured"]["provenance"]
    provenance["config"] = resolved.model_dump(mode="json")
    return names_of_result(result, OUR_CORE)


def test_our_result_and_its_record_name_one_sae() -> None:
    record = names_of_record(loaded(OUR_RECORD))
    result = loaded(OUR_RECORD.parents[1] / "mig" / f"{OUR_RECORD.stem}_eval_results.json")
    assert names_of_result(result, Path("x.json")) == record
    assert record.family == Family("tiny-gemma2-it_layer_2_sae", "random")
    assert (record.seed, record.architecture, record.d_sae) == (0, "random", 1024)


def test_a_family_is_the_id_without_its_seed() -> None:
    names = of_config(sae_id="batchtopk-01234567_seed3", seed=3)
    assert names.family.name == "batchtopk-01234567"
    assert names.sae_id == "batchtopk-01234567_seed3"
    assert names.seed == 3


def test_a_published_sae_has_no_seed() -> None:
    names = of_published("blocks.12.hook_resid_post__trainer_0")
    assert names.family == Family(RELEASE, "blocks.12.hook_resid_post__trainer_0")
    assert names.seed is None


def test_a_seed_in_a_published_name_is_its_seed() -> None:
    names = of_published("relu_seed12")
    assert (names.family.name, names.seed) == ("relu", 12)


def test_of_an_sae_loaded_from_a_folder_the_seed_is_not_known() -> None:
    result = loaded(OUR_CORE)
    result["eval_result_unstructured"]["provenance"]["training_hash"] = None
    assert names_of_result(result, OUR_CORE).seed is None


@pytest.mark.parametrize(
    "change",
    [
        lambda i: {"seed": i},
        lambda i: {"sae": {"architecture": "batchtopk", "k": 4 * i}},
        lambda i: {"sae": {"architecture": "standard", "l1_coefficient": i}},
        lambda i: {"sae": {"architecture": "jumprelu", "l0_coefficient": i}},
        lambda i: {"sae": {"architecture": "pca", "n_components": 4 * i}},
        lambda i: {
            "sae": {"architecture": "standard"},
            "training": {"hold_l0": {"target": 4 * i}},
        },
        lambda i: {"device": ("cpu", "cuda")[i - 1]},
        lambda n: {"activations": {"cache_gib": n}},
    ],
    ids=["seed", "k", "l1", "l0", "n_components", "target", "device", "cache"],
)
def test_one_curve_has_every_sparsity_and_seed(change: Callable[[int], dict[str, Any]]) -> None:
    one, two = of_config(sae_id="a-1", **change(1)), of_config(sae_id="a-2", **change(2))
    assert one.curve == two.curve


@pytest.mark.parametrize(
    "change",
    [
        {"training": {"learning_rate": 0.005}},
        {"sae": {"architecture": "batchtopk", "d_sae": 2048}},
        {"sae": {"architecture": "topk"}},
        {"model_dtype": "bfloat16"},
    ],
)
def test_any_other_setting_is_another_curve(change: dict[str, Any]) -> None:
    assert of_config(**change).curve != of_config().curve


def test_a_curve_says_what_it_is() -> None:
    curve = of_config(sae={"architecture": "batchtopk", "d_sae": 512}).curve
    assert curve.startswith("tiny-gemma2-it_layer_2_sae batchtopk d_sae=512 ")


@pytest.mark.parametrize(
    ("one", "two"),
    [
        ("blocks.12.hook_resid_post__trainer_0", "blocks.12.hook_resid_post__trainer_5"),
        ("layer_12/width_16k/average_l0_22", "layer_12/width_16k/average_l0_445"),
        ("topk_k16", "topk_k32"),
        ("topk_k16_seed1", "topk_k32_seed2"),
    ],
)
def test_published_saes_that_differ_in_sparsity_alone_share_a_curve(one: str, two: str) -> None:
    assert of_published(one).curve == of_published(two).curve


@pytest.mark.parametrize(
    ("one", "two"),
    [
        ("blocks.12.hook_resid_post__trainer_0", "blocks.19.hook_resid_post__trainer_0"),
        ("layer_12/width_16k/average_l0_22", "layer_12/width_65k/average_l0_22"),
        ("topk_k16", "relu_k16"),
    ],
)
def test_published_saes_of_another_layer_width_or_kind_do_not(one: str, two: str) -> None:
    assert of_published(one).curve != of_published(two).curve


def test_architecture_and_width_tell_published_curves_apart() -> None:
    narrow = of_published("x", sae_cfg_dict={"architecture": "topk", "d_sae": 4096})
    wide = of_published("x", sae_cfg_dict={"architecture": "topk", "d_sae": 16384})
    assert narrow.curve != wide.curve


def test_the_id_of_every_object_gives_way_to_the_files_name() -> None:
    assert names_of_result(loaded(ORIGINAL_RUN_0), Path("run_0_core_eval_results.json")).sae_id == (
        "run_0"
    )


def test_the_id_of_every_object_stays_where_the_release_names_the_sae() -> None:
    path = Path("google_gemma-2-2b_layer_19_sae_custom_sae_eval_results.json")
    assert names_of_result(loaded(ORIGINAL_RUN_0), path).sae_id == "custom_sae"


def test_without_an_id_the_files_name_is_it() -> None:
    result = published("core", live_core(), sae_lens_id=None, sae_lens_release_id=None)
    names = names_of_result(result, Path("mine_eval_results.json"))
    assert names.family == Family("", "mine")


def test_the_architecture_is_the_one_that_was_trained() -> None:
    cfg = {"architecture": "jumprelu", "metadata": {"training_architecture": "batchtopk"}}
    assert of_published("x", sae_cfg_dict=cfg).architecture == "batchtopk"


@pytest.mark.parametrize("part", ["_", "-", "k1", "_k1", "trainer_", "seed", "l0_"])
def test_a_name_is_read_in_a_time_that_grows_with_its_length_alone(part: str) -> None:
    def seconds(n: int) -> float:
        result = {**published("core", {}), "sae_lens_id": part * n + "x"}
        start = time.process_time()
        names_of_result(result, Path("x_eval_results.json"))
        return time.process_time() - start

    # quadratic, as it was, 20 times the length takes 400 times as long
    assert seconds(100_000) < 60 * max(seconds(5_000), 0.005)
