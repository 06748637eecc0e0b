"""The layout in which SAE-Bench's results are published, read whole."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from csae_bench.comparison.reading.folder import read_results
from csae_bench.comparison.reading.layout import SUFFIX
from csae_bench.comparison.reading.values import misshapen
from tests.unit.comparison.result_files import RELEASE, live_core, published, write

N_SAES = 5
FOLDER = "sae_bench_results_0125"
CORE = {"dataset": "Skylion007/openwebtext", "context_size": 128, "batch_size_prompts": 16}
BIAS, AMAZON = "LabHC/bias_in_bios_class_set1", "canrager/amazon_reviews_mcauley_1and5"
SPARSE_PROBING = {
    "llm": {"llm_test_accuracy": 0.95, "llm_top_1_test_accuracy": 0.65},
    "sae": {"sae_test_accuracy": 0.94, "sae_top_1_test_accuracy": 0.75,
            "sae_top_10_test_accuracy": None},
}  # fmt: skip
METRICS: dict[str, dict[str, dict[str, float | None]]] = {
    "absorption_first_letter": {"mean": {"mean_absorption_fraction_score": 0.1,
                                         "mean_full_absorption_score": 0.2}},
    "autointerp": {"autointerp": {"autointerp_score": 0.8, "autointerp_std_dev": 0.1}},
    "scr": {"scr_metrics": {"scr_dir1_threshold_2": 0.1, "scr_metric_threshold_2": 0.2}},
    "tpp": {"tpp_metrics": {"tpp_threshold_2_total_metric": 0.05}},
    "unlearning": {"unlearning": {"unlearning_score": 0.07}},
}  # fmt: skip


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """85 results of two releases and of none, 70 of them deeper than two folders.

    Core lies by eval and release; the rest deeper, sparse probing on two data sets. One autointerp
    and one unlearning result are wrapped in their SAE's name, as `run_eval` returns them.
    """
    for release in (RELEASE, "gemma-scope-2b-pt-res"):
        for trainer in range(N_SAES):
            sae_id = f"blocks.12.hook_resid_post__trainer_{trainer}"

            def file(
                where: str,
                eval_name: str,
                metrics: Any,
                *,
                release: str = release,
                sae_id: str = sae_id,
                **config: Any,
            ) -> tuple[Path, dict[str, Any]]:
                result = published(eval_name, metrics, sae_id=sae_id, sae_lens_release_id=release)
                result["eval_config"] |= config
                name = f"{release}_{sae_id}{SUFFIX}".replace("/", "_")
                return tmp_path / where / release / name, result

            write(*file("core", "core", live_core(), **CORE))
            for place, names in (("part_1", [BIAS]), ("part_2", [AMAZON])):
                where = f"{FOLDER}/sparse_probing/{place}"
                write(*file(where, "sparse_probing", SPARSE_PROBING, dataset_names=names))
            for eval_name, metrics in METRICS.items():
                path, result = file(f"{FOLDER}/{eval_name}", eval_name, metrics)
                is_wrapped = trainer == 0 and eval_name in ("autointerp", "unlearning")
                write(path, {f"{release}_{sae_id}": result} if is_wrapped else result)
    for i in range(5):  # flat ones of an SAE that SAELens does not know
        result = published("core", live_core(), sae_id="custom_sae", sae_lens_release_id="mine")
        write(tmp_path / f"mine_{i}{SUFFIX}", result)
    return tmp_path


def test_it_is_as_it_should_be(root: Path) -> None:
    depths = Counter(len(path.relative_to(root).parts) - 1 for path in root.rglob(f"*{SUFFIX}"))
    assert sum(n for depth, n in depths.items() if depth > 2) == 70
    assert depths.total() == 85


def test_every_file_is_counted(root: Path) -> None:
    result_set = read_results(root)
    assert (result_set.broken, result_set.ignored, result_set.other_sets) == ((), (), ())
    assert {r.path for r in result_set.readings} == set(root.rglob(f"*{SUFFIX}"))


def test_every_sae_is_one_sae(root: Path) -> None:
    result_set = read_results(root)
    assert len({(r.family.release, r.sae_id) for r in result_set.readings}) == 2 * N_SAES + 5


def test_data_sets_are_separate_results(root: Path) -> None:
    families = {r.family for r in read_results(root).readings if r.eval_name == "sparse_probing"}
    assert Counter(family.variant for family in families) == {
        "": 2 * N_SAES,
        f'dataset=["{AMAZON}"]': 2 * N_SAES,
    }


def test_wrapped_results_have_their_values(root: Path) -> None:
    values: dict[str, list[float | None]] = {"autointerp": [], "unlearning": []}
    for reading in read_results(root).readings:
        if reading.eval_name in values:
            values[reading.eval_name].append(
                reading.values[f"{reading.eval_name}.{reading.eval_name}_score"]
            )
    assert values == {"autointerp": [0.8] * 2 * N_SAES, "unlearning": [0.07] * 2 * N_SAES}


def test_a_metric_that_was_not_asked_for_is_null_with_a_reason(root: Path) -> None:
    reading = next(r for r in read_results(root).readings if r.eval_name == "sparse_probing")
    (name,) = [name for name in reading.values if name.endswith("sae_top_10_test_accuracy")]
    assert reading.values[name] is None
    assert reading.reasons[name]


def test_no_published_metrics_are_misshapen() -> None:
    assert [misshapen(metrics) for metrics in (*METRICS.values(), SPARSE_PROBING)] == [None] * 6
