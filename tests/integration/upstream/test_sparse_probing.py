"""SAE-Bench's sparse_probing on the bundled model: its own numbers, whatever the order of SAEs."""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest
import torch
from sae_bench.evals.sparse_probing import main, probe_training
from sae_bench.sae_bench_utils import activation_collection, dataset_info, dataset_utils
from sae_lens import SAE, TopKSAE, TopKSAEConfig
from sae_lens.saes.sae import SAEMetadata
from transformer_lens import HookedTransformer

from csae_bench import models
from csae_bench.activations.shared import SharedPasses
from csae_bench.engines.classes.drawing import ClassTexts, Sizes, draw_classes
from csae_bench.engines.classes.names import SCR_AND_TPP_HUB, SPARSE_PROBING_HUB
from csae_bench.errors import ConfigError, SaeError
from csae_bench.upstream.adapting import formatted_copy
from csae_bench.upstream.cut_passes import Encoder
from csae_bench.upstream.isolation import without_shape_checks
from csae_bench.upstream.sparse_probing import (
    SparseProbingOutcome,
    SparseProbingSettings,
    run_sparse_probing,
)

HOOK_NAME = "blocks.2.hook_resid_post"
MODEL = "tiny-gemma2-it"
DATASETS = ("tinyworld:tense", "tinyworld:sentiment")
SIZES = Sizes(80, 40)
D_SAE = 64

pytestmark = pytest.mark.filterwarnings("ignore:lbfgs failed to converge")


@pytest.fixture(scope="module")
def model() -> HookedTransformer:
    return models.load(MODEL)


@pytest.fixture(scope="module")
def make_sae(model: HookedTransformer) -> Callable[[int], SAE[Any]]:
    def make(seed: int) -> SAE[Any]:
        torch.manual_seed(seed)
        metadata = SAEMetadata(hook_name=HOOK_NAME, model_name=MODEL, prepend_bos=True)
        return TopKSAE(TopKSAEConfig(d_in=model.cfg.d_model, d_sae=D_SAE, k=8, metadata=metadata))

    return make


@pytest.fixture(scope="module")
def texts() -> dict[str, ClassTexts]:
    return {name: draw_classes(name, SIZES, 42) for name in DATASETS}


@pytest.fixture
def settings() -> Callable[..., SparseProbingSettings]:
    def make(**changes: Any) -> SparseProbingSettings:
        values: dict[str, Any] = {
            "model_name": MODEL,
            "hook_name": HOOK_NAME,
            "dataset_names": DATASETS,
            "probe_train_set_size": SIZES.train,
            "probe_test_set_size": SIZES.test,
            "context_length": 64,
            "sae_batch_size": 25,
            "llm_batch_size": 16,
            "k_values": (1, 2),
            "lower_vram_usage": False,
            "random_seed": 42,
        }
        return SparseProbingSettings(**(values | changes))

    return make


@pytest.fixture
def upstream(
    model: HookedTransformer, texts: Mapping[str, ClassTexts], monkeypatch: pytest.MonkeyPatch
) -> Callable[..., Any]:
    """SAE-Bench's own `run_eval_single_sae` on the same texts."""

    def run(config: Any, sae: SAE[Any], folder: Path, *, saved: bool = False) -> Any:
        own = formatted_copy(sae, model, MODEL, HOOK_NAME)
        data = {
            name: tuple({k: list(v) for k, v in part.items()} for part in (of.train, of.test))
            for name, of in texts.items()
        }
        monkeypatch.setattr(
            dataset_utils, "get_multi_label_train_test_data", lambda name, *_: data[name]
        )
        monkeypatch.setattr(
            dataset_info,
            "chosen_classes_per_dataset",
            {name: list(of.train) for name, of in texts.items()},
        )
        with (
            torch.random.fork_rng(),
            torch.no_grad(),
            without_shape_checks(activation_collection, probe_training),
        ):
            return main.run_eval_single_sae(config, own, model, "cpu", str(folder), saved)

    return run


def _config(outcome: SparseProbingOutcome) -> Any:
    from sae_bench.evals.sparse_probing.eval_config import SparseProbingEvalConfig

    return SparseProbingEvalConfig(**outcome.eval_config)


def test_numbers_are_those_of_sae_benchs_own_eval(
    make_sae: Callable[[int], SAE[Any]],
    model: HookedTransformer,
    texts: Mapping[str, ClassTexts],
    settings: Callable[..., SparseProbingSettings],
    upstream: Callable[..., Any],
    tmp_path: Path,
) -> None:
    outcome = run_sparse_probing(make_sae(0), model, texts, settings())
    results, by_class = upstream(_config(outcome), make_sae(0), tmp_path)
    assert outcome.by_class == by_class
    assert outcome.by_dataset == {k: v for k, v in results.items() if isinstance(v, dict)}
    for category in ("llm", "sae"):
        ours = {k: v for k, v in outcome.metrics[category].items() if v is not None}
        assert ours == {k: v for k, v in results.items() if k in ours}
        assert len(ours) == 3
    assert results["llm_test_accuracy"] > 0.6  # the model tells them apart


def test_scores_do_not_depend_on_the_order_of_saes(
    make_sae: Callable[[int], SAE[Any]],
    model: HookedTransformer,
    texts: Mapping[str, ClassTexts],
    settings: Callable[..., SparseProbingSettings],
) -> None:
    def judged(seeds: tuple[int, ...]) -> dict[int, Any]:
        shared = SharedPasses(n_users=2)
        outcomes = {
            seed: run_sparse_probing(make_sae(seed), model, texts, settings(), shared)
            for seed in seeds
        }
        return {
            seed: (
                outcome.by_class,
                {
                    name: {probe: values.tolist() for probe, values in of.by_probe.items()}
                    for name, of in outcome.corrected.items()
                },
            )
            for seed, outcome in outcomes.items()
        }

    assert judged((0, 1)) == judged((1, 0))


def test_sae_benchs_own_scores_still_depend_on_the_order_of_saes(
    make_sae: Callable[[int], SAE[Any]],
    model: HookedTransformer,
    texts: Mapping[str, ClassTexts],
    settings: Callable[..., SparseProbingSettings],
    upstream: Callable[..., Any],
    tmp_path: Path,
) -> None:
    """Mended upstream, its cache may be used."""
    config = _config(run_sparse_probing(make_sae(1), model, texts, settings()))
    first = upstream(config, make_sae(1), tmp_path / "alone", saved=True)[1]
    upstream(config, make_sae(0), tmp_path / "both", saved=True)
    second = upstream(config, make_sae(1), tmp_path / "both", saved=True)[1]
    assert first != second


def test_sae_benchs_cache_still_goes_by_the_dataset_alone(
    make_sae: Callable[[int], SAE[Any]],
    model: HookedTransformer,
    texts: Mapping[str, ClassTexts],
    settings: Callable[..., SparseProbingSettings],
    upstream: Callable[..., Any],
    tmp_path: Path,
) -> None:
    """Other settings read it, so it must never be where another run may find it."""
    short = run_sparse_probing(make_sae(0), model, texts, settings(context_length=12))
    long = _config(run_sparse_probing(make_sae(0), model, texts, settings()))
    upstream(_config(short), make_sae(0), tmp_path, saved=True)
    _, stale = upstream(long, make_sae(0), tmp_path, saved=True)
    _, fresh = upstream(long, make_sae(0), tmp_path / "fresh")
    name = f"{DATASETS[0]}_results"
    assert stale[name]["llm_test_accuracy"] != fresh[name]["llm_test_accuracy"]
    assert stale[name]["llm_test_accuracy"] == short.by_class[name]["llm_test_accuracy"]


def test_activations_of_other_settings_are_not_read(
    make_sae: Callable[[int], SAE[Any]],
    model: HookedTransformer,
    texts: Mapping[str, ClassTexts],
    settings: Callable[..., SparseProbingSettings],
) -> None:
    shared = SharedPasses()
    run_sparse_probing(make_sae(0), model, texts, settings(context_length=12), shared)
    after = run_sparse_probing(make_sae(0), model, texts, settings(), shared)
    assert after.by_class == run_sparse_probing(make_sae(0), model, texts, settings()).by_class


def test_the_dense_probe_of_sae_bench_still_keeps_the_epoch_that_is_best_on_the_test_rows() -> None:
    """Mended upstream, its accuracy on all latents needs no correction."""
    torch.manual_seed(0)
    x, x_test = torch.randn(40, 30), torch.randn(40, 30)
    noise, noise_test = (torch.arange(40) % 2).int(), (torch.arange(40) % 2).int()
    with without_shape_checks(probe_training), torch.enable_grad():
        _, best = probe_training.train_probe_gpu(
            x, noise, x_test, noise_test, dim=30, batch_size=8, epochs=30, lr=0.1,
            early_stopping_patience=30,
        )  # fmt: skip
    assert best > 0.55  # labels are random: chance is 0.5


def test_less_memory_means_no_probe_on_all_latents(
    make_sae: Callable[[int], SAE[Any]],
    model: HookedTransformer,
    texts: Mapping[str, ClassTexts],
    settings: Callable[..., SparseProbingSettings],
) -> None:
    outcome = run_sparse_probing(make_sae(0), model, texts, settings(lower_vram_usage=True))
    assert outcome.metrics["sae"]["sae_test_accuracy"] == -1  # mended upstream, if this fails
    assert "sae" not in outcome.corrected[DATASETS[0]].by_probe
    assert "sae_top_1" in outcome.corrected[DATASETS[0]].by_probe


def test_nothing_of_sae_bench_is_left_behind(
    make_sae: Callable[[int], SAE[Any]],
    model: HookedTransformer,
    texts: Mapping[str, ClassTexts],
    settings: Callable[..., SparseProbingSettings],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    modules = (main, dataset_utils, dataset_info, activation_collection)
    before = [dict(vars(module)) for module in modules]
    sae = make_sae(0)
    weights = sae.W_enc.clone()
    random.seed(5)
    torch.manual_seed(5)
    expected = random.Random(5).random(), torch.rand(1, generator=torch.Generator().manual_seed(5))
    with torch.enable_grad():
        run_sparse_probing(sae, model, texts, settings(k_values=(1,)))
        assert torch.is_grad_enabled()
    assert (random.random(), torch.rand(1)) == expected
    assert [dict(vars(module)) for module in modules] == before
    assert torch.equal(sae.W_enc, weights)
    assert list(tmp_path.iterdir()) == []
    assert capfd.readouterr() == ("", "")


def test_a_dataset_of_the_hub_is_read_by_sae_bench_itself(
    make_sae: Callable[[int], SAE[Any]],
    model: HookedTransformer,
    settings: Callable[..., SparseProbingSettings],
    texts: Mapping[str, ClassTexts],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    of = texts["tinyworld:tense"]
    rows = {
        split: {
            "text": [text for texts_of in part.values() for text in texts_of],
            "label": [i % 4 for i, texts_of in enumerate(part.values()) for _ in texts_of],
        }
        for split, part in (("train", of.train), ("test", of.test))
    }
    monkeypatch.setattr(dataset_utils, "load_dataset", lambda *_, **__: rows)
    monkeypatch.setitem(dataset_info.chosen_classes_per_dataset, "fancyzhx/ag_news", ["0", "1"])
    asked = settings(dataset_names=("fancyzhx/ag_news",), k_values=(1,))
    outcome = run_sparse_probing(make_sae(0), model, {}, asked)
    assert outcome.corrected["fancyzhx/ag_news"].classes == ("0", "1")


def test_codes_are_computed_at_full_length_where_cutting_changes_them(
    model: HookedTransformer, make_sae: Callable[[int], SAE[Any]]
) -> None:
    class LooksAround(torch.nn.Module):
        """Its codes depend on how many positions there are."""

        dtype = torch.float32

        def encode(self, x: torch.Tensor) -> torch.Tensor:
            return x * x.shape[1]

    torch.manual_seed(0)
    acts = torch.randn(20, 64, 4)
    acts[:, 30:] = 0
    sae = LooksAround()
    whole = activation_collection.get_sae_meaned_activations({"a": acts}, sae, 7)
    assert torch.equal(Encoder(sae).mean_codes({"a": acts}, 7)["a"], whole["a"])


def test_codes_of_cut_texts_are_those_of_padded_ones_at_every_length(
    make_sae: Callable[[int], SAE[Any]],
) -> None:
    sae = make_sae(0)
    torch.manual_seed(0)
    acts = torch.randn(128, 128, sae.cfg.d_in)
    for i in range(len(acts)):
        acts[i, i + 1 :] = 0
    encoder = Encoder(sae)
    cut = encoder.mean_codes({"a": acts}, 7)["a"]
    assert encoder._cuts  # pyright: ignore[reportPrivateUsage]
    assert torch.equal(
        cut, activation_collection.get_sae_meaned_activations({"a": acts}, sae, 7)["a"]
    )


def test_names_on_the_hub_are_sae_benchs() -> None:
    from sae_bench.evals.scr_and_tpp.eval_config import ScrAndTppEvalConfig
    from sae_bench.evals.sparse_probing.eval_config import SparseProbingEvalConfig

    assert list(SPARSE_PROBING_HUB) == SparseProbingEvalConfig().dataset_names
    assert list(SCR_AND_TPP_HUB) == ScrAndTppEvalConfig().dataset_names
    assert set(SPARSE_PROBING_HUB) == set(dataset_info.chosen_classes_per_dataset)


def test_a_k_beyond_d_sae_and_a_hook_that_is_not_there_are_refused(
    make_sae: Callable[[int], SAE[Any]],
    model: HookedTransformer,
    texts: Mapping[str, ClassTexts],
    settings: Callable[..., SparseProbingSettings],
) -> None:
    with pytest.raises(ConfigError, match=r"k_values has 100; it must be at most d_sae=64"):
        run_sparse_probing(make_sae(0), model, texts, settings(k_values=(1, 100)))
    with pytest.raises(ConfigError, match=r"context_length is 9999; it must be at most 256"):
        run_sparse_probing(make_sae(0), model, texts, settings(context_length=9999))
    with pytest.raises(SaeError, match=r"hook_name is 'blocks\.9\.hook_resid_post'"):
        run_sparse_probing(
            make_sae(0), model, texts, settings(hook_name="blocks.9.hook_resid_post")
        )


def test_settings_are_passed_on_under_sae_benchs_names(
    make_sae: Callable[[int], SAE[Any]],
    model: HookedTransformer,
    texts: Mapping[str, ClassTexts],
    settings: Callable[..., SparseProbingSettings],
) -> None:
    asked = settings(k_values=(1,))
    config = run_sparse_probing(make_sae(0), model, texts, asked).eval_config
    assert config.pop("llm_dtype") == "float32"
    ours = asdict(asked)
    ours.pop("hook_name")
    assert config == {k: list(v) if isinstance(v, tuple) else v for k, v in ours.items()}
