"""SAE-Bench's own loader and plots on results in our layout."""

from __future__ import annotations

import copy
import json
from pathlib import Path
from typing import Any, get_args

import matplotlib as mpl
import pytest

mpl.use("Agg")

from pydantic import TypeAdapter
from sae_bench.evals.unlearning.eval_output import UnlearningEvalOutput
from sae_bench.sae_bench_utils import graphing_utils

from csae_bench.config import sae as sae_settings
from csae_bench.results.store import Store, write_json
from csae_bench.upstream.plotting import trainer_colors, trainer_markers

DATA = Path(__file__).parents[2] / "data" / "results" / "core"
(CORE_FILE,) = DATA.glob("*_pca_eval_results.json")
CORE: dict[str, Any] = json.loads(CORE_FILE.read_text(encoding="utf-8"))
RELEASE = "google/gemma-2-2b_layer_19_sae"
SAES = {"topk": ("topk", 20.0, 0.021), "custom_sae": ("contrastive_batchtopk", 40.0, 0.034)}
"""sae_id -> architecture, L0, unlearning score; at a width that SAE-Bench's plots know."""
UNLEARNING_CONFIG = {
    "random_seed": 42, "model_name": "gemma-2-2b-it", "llm_batch_size": 4, "llm_dtype": "bfloat16",
}  # fmt: skip


@pytest.fixture
def results(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """`results/` of two SAEs, each with core and unlearning, in the current folder."""
    monkeypatch.chdir(tmp_path)
    store = Store(Path("results"))
    for sae_id, (architecture, l0, score) in SAES.items():
        core = copy.deepcopy(CORE)
        core.update(sae_lens_id=sae_id, sae_lens_release_id=RELEASE)
        core["sae_cfg_dict"].update(architecture=architecture, d_sae=4096)
        core["eval_result_metrics"]["sparsity"]["l0"] = l0
        write_json(store.eval_result("core", RELEASE, sae_id), core)
        unlearning = {
            **core,
            "eval_type_id": "unlearning",
            "eval_config": UNLEARNING_CONFIG,
            "eval_result_metrics": {"unlearning": {"unlearning_score": score}},
        }
        TypeAdapter(UnlearningEvalOutput).validate_python(unlearning)
        write_json(store.eval_result("unlearning", RELEASE, sae_id), unlearning)
    return store.root


def _files(folder: Path) -> list[str]:
    return sorted(map(str, folder.glob("*_eval_results.json")))


def test_get_eval_results_reads_our_core_folder(results: Path) -> None:
    read = graphing_utils.get_eval_results(_files(results / "core"))
    assert sorted(read) == [f"google_gemma-2-2b_layer_19_sae_{sae_id}" for sae_id in sorted(SAES)]
    topk = read["google_gemma-2-2b_layer_19_sae_topk"]
    performance = CORE["eval_result_metrics"]["model_performance_preservation"]
    assert topk["ce_loss_score"] == performance["ce_loss_score"]
    assert topk["sae_class"] == "topk"
    assert topk["d_sae"] == "4k"


def test_get_eval_results_reads_our_unlearning_folder(results: Path) -> None:
    read = graphing_utils.get_eval_results(_files(results / "unlearning"))
    scores = {key: value["unlearning_score"] for key, value in read.items()}
    assert scores == {
        f"google_gemma-2-2b_layer_19_sae_{sae_id}": score for sae_id, (_, _, score) in SAES.items()
    }


def test_get_core_results_reads_our_core_folder(results: Path) -> None:
    read = graphing_utils.get_core_results(_files(results / "core"))
    assert [value["l0"] for _, value in sorted(read.items())] == [40.0, 20.0]


def test_plot_2var_graph_draws_every_sae_in_its_own_mark(results: Path) -> None:
    read = graphing_utils.get_eval_results(_files(results / "core"))
    figure = graphing_utils.plot_2var_graph(
        read,
        "ce_loss_score",
        trainer_markers=trainer_markers(),
        trainer_colors=trainer_colors(),
        return_fig=True,
    )
    # the empty ones are the legend's
    drawn = [len(points.get_offsets()) for points in figure.axes[0].collections]
    assert sorted(n for n in drawn if n) == [1, 1]


def test_plot_results_draws_unlearning_against_l0(results: Path) -> None:
    graphing_utils.plot_results(
        _files(results / "unlearning"),
        _files(results / "core"),
        "unlearning",
        "unlearning",
        trainer_markers=trainer_markers(),
        trainer_colors=trainer_colors(),
    )
    drawn = sorted(Path().glob("*.png"))
    assert [path.name for path in drawn] == [
        "unlearning_2var_dict_size.png",
        "unlearning_2var_sae_type.png",
    ]
    assert all(path.stat().st_size > 10_000 for path in drawn)  # an empty figure has less


def test_plot_results_still_needs_our_marks(results: Path) -> None:
    """Where this fails, upstream draws any architecture, and trainer_markers can go."""
    files = _files(results / "unlearning"), _files(results / "core")
    with pytest.raises(KeyError, match="contrastive_batchtopk"):
        graphing_utils.plot_results(*files, "unlearning", "unlearning")


def test_the_loader_still_takes_an_eval_from_any_part_of_the_path(results: Path) -> None:
    """Where this fails, upstream routes by eval_type_id, and plotting's warning can go."""
    moved = results.rename("scratch")
    with pytest.raises(KeyError, match="scr_metrics"):
        graphing_utils.get_eval_results(_files(moved / "core"))


def test_every_architecture_has_a_mark_and_a_colour() -> None:
    union, *_ = get_args(sae_settings.SaeConfig)
    names = {settings.model_fields["architecture"].default for settings in get_args(union)}
    assert "contrastive_matryoshka_batchtopk" in names
    assert names <= trainer_markers().keys()
    assert trainer_markers().keys() == trainer_colors().keys()
