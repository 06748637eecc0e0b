"""csae_bench/comparison/comparability.py."""

from __future__ import annotations

import copy
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from csae_bench.comparison.comparability import (
    are_comparable,
    mismatch_sentence,
    mismatches,
    with_known_sd,
)
from csae_bench.comparison.metrics import SD_MODEL, lookup
from csae_bench.comparison.model import Reading
from tests.unit.comparison.planted import readings
from tests.unit.comparison.result_files import (
    ORIGINAL_RUN_0,
    OUR_CORE,
    OUR_MIG,
    live_core,
    loaded,
    published,
    reading,
)

CE = "core.ce_loss_score"
MIG = "mig.value_mig"
ABSORPTION = "absorption_first_letter.mean_full_absorption_score"

Json = dict[str, Any]


def changed(result: Json, change: Callable[[Json], object]) -> Reading:
    copied = copy.deepcopy(result)
    change(copied)
    return reading(copied)


def of_core(change: Callable[[Json], object], metric: str = CE) -> set[str]:
    """Names of what differs between our core result and a changed copy."""
    result = loaded(OUR_CORE)
    return set(mismatches(reading(result), changed(result, change), metric))


def of_mig(change: Callable[[Json], object], metric: str = MIG) -> set[str]:
    result = loaded(OUR_MIG)
    return set(mismatches(reading(result), changed(result, change), metric))


def provenance(result: Json) -> Json:
    return result["eval_result_unstructured"]["provenance"]


def absorption(**changes: Any) -> Reading:
    metrics = {"mean": {"mean_full_absorption_score": 0.01}}
    return reading(published("absorption_first_letter", metrics, **changes))


def test_a_result_compares_with_itself() -> None:
    for path in (OUR_CORE, OUR_MIG, ORIGINAL_RUN_0):
        one = reading(loaded(path))
        assert [name for metric in one.values for name in mismatches(one, one, metric)] == []


def test_the_conditions_of_an_original_run_are_known_but_for_the_version() -> None:
    known = reading(loaded(ORIGINAL_RUN_0)).conditions
    assert known["model"] == "google/gemma-2-2b"
    assert known["hook_name"] == "blocks.19.hook_resid_post"
    assert (known["dtype"], known["context_size"]) == ("bfloat16", 128)
    assert known["dataset"] == "Skylion007/openwebtext"
    assert known["sae_bench_version"] == "commit 972f2ecd7e88c6f60890726de69da2de706a5568"


@pytest.mark.parametrize(
    ("name", "change"),
    [
        ("model", lambda r: provenance(r).update(model="google/gemma-2-2b")),
        ("hook_name", lambda r: r["sae_cfg_dict"]["metadata"].update(hook_name="blocks.1.x")),
        ("dtype", lambda r: provenance(r)["config"].update(model_dtype="bfloat16")),
        ("dataset", lambda r: r["eval_config"].update(dataset="openwebtext")),
        ("context_size", lambda r: r["eval_config"].update(context_size=64)),
        (
            "eval_config.n_eval_reconstruction_sequences",
            lambda r: r["eval_config"].update(n_eval_reconstruction_batches=10),
        ),
        (
            "eval_config.exclude_special_tokens_from_reconstruction",
            lambda r: r["eval_config"].update(exclude_special_tokens_from_reconstruction=False),
        ),
        (
            "data.n_distinct_sequences",
            lambda r: r["eval_result_unstructured"]["data"].update(n_distinct_sequences=100),
        ),
    ],
)
def test_what_changes_the_numbers_is_a_mismatch(name: str, change: Callable[[Json], Any]) -> None:
    assert of_core(change) == {name}


def test_a_mismatch_has_both_values() -> None:
    result = loaded(OUR_CORE)
    other = changed(result, lambda r: r["eval_config"].update(context_size=64))
    assert mismatches(reading(result), other, CE) == {"context_size": (128, 64)}


@pytest.mark.parametrize(
    "change",
    [
        lambda r: r["eval_config"].update(verbose=True),
        lambda r: r["eval_config"].update(compute_l2_norms=False),
        lambda r: provenance(r).update(seed=3, wall_seconds=1e6, device="cuda"),
        lambda r: r["sae_cfg_dict"].update(d_sae=9),
        lambda r: r.update(sae_lens_version="7.0.0"),
    ],
)
def test_what_changes_no_number_is_none(change: Callable[[Json], Any]) -> None:
    assert of_core(change) == set()


def test_a_halved_batch_with_twice_as_many_of_them_matters_to_what_is_averaged_by_batch() -> None:
    def halve(result: Json) -> None:
        result["eval_config"].update(
            batch_size_prompts=8,
            n_eval_reconstruction_batches=40,
            n_eval_sparsity_variance_batches=80,
        )

    assert of_core(halve) == set()
    assert of_core(halve, "core.corrected.explained_variance") == set()
    assert of_core(halve, "core.mse") == {"eval_config.batch_size_prompts"}


def test_special_tokens_matter_only_to_what_the_language_model_loses() -> None:
    def include(result: Json) -> None:
        result["eval_config"]["exclude_special_tokens_from_reconstruction"] = False

    assert of_core(include, "core.l0") == set()
    assert of_core(include, "core.corrected.kl_div_with_sae") != set()


def test_the_earlier_formula_of_explained_variance_is_another_metric() -> None:
    def drop(result: Json) -> None:
        del result["eval_result_metrics"]["reconstruction_quality"]["explained_variance_legacy"]

    assert of_core(drop, "core.explained_variance") == {"metric_definition.explained_variance"}
    assert of_core(drop) == set()


def test_what_only_one_result_tells_is_a_mismatch() -> None:
    result = loaded(OUR_CORE)
    older = changed(result, lambda r: r["eval_config"].pop("context_size"))
    assert mismatches(reading(result), older, CE) == {"context_size": (128, None)}
    assert mismatches(older, reading(result), CE) == {"context_size": (None, 128)}


def test_what_neither_result_tells_is_none() -> None:
    result = loaded(OUR_CORE)
    older = changed(result, lambda r: r["eval_config"].pop("context_size"))
    assert mismatches(older, replace(older), CE) == {}


def test_counts_of_the_data_that_only_ours_have_are_no_mismatch() -> None:
    assert of_core(lambda r: r["eval_result_unstructured"].pop("data")) == set()


@pytest.mark.parametrize(
    ("one", "two", "equal"),
    [
        ("gemma-2-2b", "google/gemma-2-2b", True),
        ("google/gemma-2-2b", "gemma-2-2b", True),
        ("somebody/gemma-2-2b", "google/gemma-2-2b", False),
        ("gemma-2-2b", "gemma-2-2b-it", False),
    ],
)
def test_a_model_may_be_named_with_or_without_its_owner(one: str, two: str, equal: bool) -> None:
    a, b = (
        reading(published("core", live_core(), eval_config={"model_name": name}))
        for name in (one, two)
    )
    assert (mismatches(a, b, CE) == {}) == equal


def test_a_dtype_is_the_same_with_and_without_torchs_name() -> None:
    a, b = (
        reading(published("core", live_core(), eval_config={"llm_dtype": name}))
        for name in ("torch.bfloat16", "bfloat16")
    )
    assert mismatches(a, b, CE) == {}


def test_absorption_compares_within_one_version_alone() -> None:
    assert mismatches(absorption(), absorption(), ABSORPTION) == {}
    later = absorption(sae_bench_commit_hash="another")
    assert set(mismatches(absorption(), later, ABSORPTION)) == {"sae_bench_version"}


def test_a_ce_score_compares_across_all_versions() -> None:
    assert of_core(lambda r: provenance(r)["versions"].update(sae_bench="0.3.0")) == set()
    assert of_core(lambda r: provenance(r)["versions"].pop("sae_bench")) == set()


@pytest.mark.parametrize(
    ("one", "two", "comparable"),
    [
        ("0.4.0", "0.6.0", True),
        ("0.6.0", "0.10.0", True),
        ("0.3.9", "0.6.0", False),
        ("0.6.0", "commit 57e9be0", False),
        ("0.6.0", None, False),
    ],
)
def test_values_compare_from_a_version_on(one: str, two: str | None, comparable: bool) -> None:
    assert are_comparable(one, two, "0.4.0") == comparable


def test_results_of_a_release_compare_where_they_tell_little() -> None:
    result = published("scr", {"scr_metrics": {"scr_metric_threshold_2": 0.1}}, sae_cfg_dict=None)
    a, b = (
        reading(result),
        reading({**result, "sae_lens_id": "blocks.12.hook_resid_post__trainer_1"}),
    )
    assert mismatches(a, b, "scr.scr_metric_threshold_2") == {}
    assert a.conditions["hook_name"] == "blocks.12.hook_resid_post"


def test_fields_of_eval_config_that_are_lists_are_compared() -> None:
    config = published("unlearning", {})["eval_config"]
    a, b = (
        reading(
            published(
                "unlearning",
                {"unlearning": {"unlearning_score": 0.1}},
                eval_config={**config, "multipliers": multipliers},
            )
        )
        for multipliers in ([25, 50], [25, 50, 100])
    )
    assert mismatches(a, b, "unlearning.unlearning_score") == {
        "eval_config.multipliers": ("[25, 50]", "[25, 50, 100]")
    }


@pytest.mark.parametrize(
    ("name", "change"),
    [
        (
            "data.fingerprint",
            lambda r: r["eval_result_unstructured"]["data"].update(fingerprint="another"),
        ),
        ("split", lambda r: r["eval_result_unstructured"]["data"].update(split="all")),
        ("pooling", lambda r: r["eval_result_unstructured"]["data"].update(pooling="max")),
        ("data.n", lambda r: r["eval_result_unstructured"]["data"].update(n=100)),
        ("eval_config.seed", lambda r: r["eval_config"].update(seed=1)),
        (
            "metric_definition.value_mig",
            lambda r: r["eval_result_unstructured"]["settings"]["value_mig"].update(n_quantiles=8),
        ),
    ],
)
def test_what_a_factor_score_depends_on_is_a_mismatch(
    name: str, change: Callable[[Json], Any]
) -> None:
    assert of_mig(change) == {name}


def test_a_dataset_is_the_same_under_another_name_where_its_samples_are() -> None:
    def rename(result: Json) -> None:
        result["eval_result_unstructured"]["data"]["factors"] = "elsewhere/factors.csv"

    def rename_unknown(result: Json) -> None:
        rename(result)
        del result["eval_result_unstructured"]["data"]["fingerprint"]

    assert of_mig(rename) == set()
    assert of_mig(rename_unknown) == {"dataset"}


def test_the_definition_of_another_metric_and_of_an_interval_is_none() -> None:
    def redefine(result: Json) -> None:
        settings = result["eval_result_unstructured"]["settings"]
        settings["mig"]["n_bins"] = 30
        settings["value_mig"]["interval"]["n_resamples"] = 2000

    assert of_mig(redefine) == set()
    assert of_mig(redefine, "mig.mig") == {"metric_definition.mig"}


def test_what_accompanies_a_score_has_the_scores_definition() -> None:
    def redefine(result: Json) -> None:
        result["eval_result_unstructured"]["settings"]["mig_sup"]["n_quantiles"] = 8

    assert of_mig(redefine, "mig.chance.mig_sup_p") == {"metric_definition.mig_sup"}
    assert of_mig(redefine, "mig.chance.mig_p") == set()


def test_a_field_of_auto_is_compared_as_what_it_stood_for() -> None:
    assert of_mig(lambda r: r["eval_config"].update(factors="tinyworld", pooling="mean")) == set()


def test_a_nan_among_the_conditions_equals_itself() -> None:
    config = {"model_name": "m", "threshold": float("nan")}
    one = reading(published("core", live_core(), eval_config=config))
    two = reading(published("core", live_core(), eval_config=dict(config)))
    assert mismatches(one, two, CE) == {}


def test_a_mismatch_is_said_in_a_sentence() -> None:
    assert mismatch_sentence("context_size", 128, None) == (
        "context_size is 128 in the candidate and not known in the baseline"
    )


def test_the_sd_between_seeds_is_known_only_where_both_are_of_its_model() -> None:
    spec = lookup("mig.value_mig")
    known, other = (
        readings("topk", {"mig.value_mig": [0.5]}, conditions={"model": model})[0]
        for model in (SD_MODEL, "google/gemma-2-2b")
    )
    assert with_known_sd(spec, [known, known]).sd_between_seeds == spec.sd_between_seeds
    assert with_known_sd(spec, [known, other]).sd_between_seeds is None
    assert with_known_sd(spec, [other, known]).sd_between_seeds is None


def test_scores_under_two_judges_do_not_compare() -> None:
    metrics = {"autointerp": {"autointerp_score": 0.8, "autointerp_std_dev": 0.1}}

    def judged(judge: str | None) -> Reading:
        result = published("autointerp", metrics)
        result["eval_result_unstructured"] = {} if judge is None else {"judge": judge}
        return reading(result)

    score = "autointerp.autointerp_score"
    assert mismatches(judged("rules of tinyworld"), judged("rules of tinyworld"), score) == {}
    for other in ("m at http://localhost:8000/v1", None):
        assert set(mismatches(judged("rules of tinyworld"), judged(other), score)) == {"judge"}
