"""SAE-Bench's tpp and scr on the bundled model: its own numbers, and what it gets wrong."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, Literal

import pytest
import torch
from sae_bench.evals.scr_and_tpp import dataset_creation, main
from sae_bench.evals.scr_and_tpp.eval_config import ScrAndTppEvalConfig
from sae_bench.evals.sparse_probing import probe_training
from sae_bench.sae_bench_utils import activation_collection, dataset_info
from sae_lens import SAE, TopKSAE, TopKSAEConfig
from sae_lens.saes.sae import SAEMetadata
from transformer_lens import HookedTransformer

from csae_bench import models
from csae_bench.activations.shared import SharedPasses
from csae_bench.engines.classes.drawing import Sizes, draw_classes, draw_pairs
from csae_bench.engines.perturbation.settings import PerturbationSettings
from csae_bench.errors import ConfigError, SaeError
from csae_bench.upstream.adapting import formatted_copy
from csae_bench.upstream.class_data import sae_bench_reads
from csae_bench.upstream.isolation import without_shape_checks
from csae_bench.upstream.perturbation import PerturbationOutcome, run_perturbation
from csae_bench.upstream.perturbation_steps import FastSteps

HOOK_NAME = "blocks.2.hook_resid_post"
MODEL = "tiny-gemma2-it"
DATASETS = {
    "tpp": ("tinyworld:tense", "tinyworld:sentiment"),
    "scr": ("tinyworld:sentiment*gender",),
}
SIZES = Sizes(80, 40)
D_SAE = 64
EvalName = Literal["scr", "tpp"]
Run = Callable[..., PerturbationOutcome]
MakeSae = Callable[..., SAE[Any]]


@pytest.fixture(scope="module")
def model() -> HookedTransformer:
    return models.load(MODEL)


@pytest.fixture(scope="module")
def make_sae(model: HookedTransformer) -> MakeSae:
    def make(seed: int, **settings: Any) -> SAE[Any]:
        torch.manual_seed(seed)
        metadata = SAEMetadata(hook_name=HOOK_NAME, model_name=MODEL, prepend_bos=True)
        shape = {"d_in": model.cfg.d_model, "d_sae": D_SAE, "k": 8, "metadata": metadata}
        sae = TopKSAE(TopKSAEConfig(**shape, **settings))
        with torch.no_grad():
            sae.b_dec.normal_()  # so that latents are active at zero too
        return sae

    return make


def _settings(eval_name: EvalName, **changes: Any) -> PerturbationSettings:
    values: dict[str, Any] = {
        "eval_name": eval_name,
        "model_name": MODEL,
        "hook_name": HOOK_NAME,
        "dataset_names": DATASETS[eval_name],
        "train_set_size": SIZES.train,
        "test_set_size": SIZES.test,
        "context_length": 64,
        "probe_train_batch_size": 16,
        "probe_epochs": 5,
        "probe_lr": 1e-2,
        "probe_l1_penalty": 1e-3,
        "early_stopping_patience": 5,
        "sae_batch_size": 25,
        "llm_batch_size": 16,
        "n_values": (2, 20),
        "lower_vram_usage": False,
        "random_seed": 42,
        "n_control": 1,
    }
    return PerturbationSettings(**(values | changes))


def _texts(eval_name: EvalName) -> dict[str, Any]:
    draw: Any = draw_pairs if eval_name == "scr" else draw_classes
    return {name: draw(name, SIZES, 42) for name in DATASETS[eval_name]}


@pytest.fixture
def run(model: HookedTransformer, make_sae: MakeSae) -> Run:
    def run_one(
        eval_name: EvalName, seed: int = 0, shared: SharedPasses | None = None, **changes: Any
    ) -> PerturbationOutcome:
        texts = _texts(eval_name)
        return run_perturbation(
            make_sae(seed), model, texts, _settings(eval_name, **changes), shared
        )

    return run_one


@pytest.fixture
def upstream(
    model: HookedTransformer, make_sae: MakeSae, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Callable[..., Any]:
    """SAE-Bench's own `run_eval_single_sae` on the same texts, all its functions its own."""

    def data(texts: Any, scr: bool, sizes: tuple[int, int, int], pair: Any, second: Any) -> Any:
        if not scr:
            return tuple(
                {k: list(v) for k, v in part.items()} for part in (texts.train, texts.test)
            )
        import pandas

        tables = (
            pandas.DataFrame(list(rows), columns=pandas.Index(["text", "first", "second"]))
            for rows in (texts.train, texts.test)
        )
        return tuple(
            dataset_creation.get_spurious_corr_data(
                table, pair, second, texts.name, size // 4, sizes[2]
            )
            for table, size in zip(tables, sizes[:2], strict=True)
        )

    def run_one(outcome: PerturbationOutcome, eval_name: EvalName, seed: int) -> Any:
        texts = _texts(eval_name)
        own = formatted_copy(make_sae(seed), model, MODEL, HOOK_NAME)
        monkeypatch.setattr(
            dataset_creation,
            "get_train_test_data",
            lambda name, scr, *rest: data(texts[name], scr, rest[:3], *rest[3:]),
        )
        for name, of in texts.items():
            second = of.second if eval_name == "scr" else None
            monkeypatch.setitem(main.COLUMN2_VALS_LOOKUP, name, second)
            if eval_name == "tpp":
                monkeypatch.setitem(dataset_info.chosen_classes_per_dataset, name, list(of.train))
                continue
            mapping = {value: value for pair in of.first_pairs for value in pair}
            monkeypatch.setitem(
                dataset_info.dataset_metadata,
                name,
                {
                    "text_column_name": "text", "column1_name": "first", "column2_name": "second",
                    "column1_mapping": mapping, "column2_mapping": {v: v for v in of.second},
                },
            )  # fmt: skip
        config = ScrAndTppEvalConfig(**outcome.eval_config)
        with (
            torch.random.fork_rng(),
            torch.no_grad(),
            without_shape_checks(activation_collection, probe_training),
        ):
            return main.run_eval_single_sae(config, own, model, "cpu", str(tmp_path), False)

    return run_one


@pytest.mark.parametrize("eval_name", ["tpp", "scr"])
def test_numbers_are_those_of_sae_benchs_own_eval(
    run: Run, upstream: Callable[..., Any], eval_name: EvalName
) -> None:
    outcome = run(eval_name)
    results, by_class = upstream(outcome, eval_name, 0)
    assert outcome.by_class == by_class
    assert outcome.by_dataset == {k: v for k, v in results.items() if isinstance(v, dict)}
    ours = {k: v for k, v in outcome.metrics.items() if v is not None}
    assert ours == {k: v for k, v in results.items() if not isinstance(v, dict)}
    assert any(value != 0 for value in ours.values())


@pytest.mark.parametrize("eval_name", ["tpp", "scr"])
def test_scores_do_not_depend_on_the_order_of_saes(run: Run, eval_name: EvalName) -> None:
    def judged(seeds: tuple[int, ...]) -> dict[int, Any]:
        shared = SharedPasses(n_users=2)
        outcomes = {seed: run(eval_name, seed, shared) for seed in seeds}
        return {
            seed: (outcome.by_dataset, repr(outcome.tpp), repr(outcome.scr))
            for seed, outcome in outcomes.items()
        }

    assert judged((0, 1)) == judged((1, 0))


def test_steps_are_sae_benchs_own_where_ours_differ_by_a_bit(
    model: HookedTransformer, make_sae: MakeSae
) -> None:
    sae: Any = make_sae(0)
    whole = sae.encode
    sae.encode = lambda x: whole(x) * x.shape[1] if x.ndim == 3 else whole(x)
    acts = torch.randn(10, 20, model.cfg.d_model)
    acts[:, 12:] = 0
    is_ablated = torch.arange(D_SAE) < 30
    ours = FastSteps(sae).ablated(acts, sae, is_ablated, 4)
    assert torch.equal(ours, main.ablated_precomputed_activations(acts, sae, is_ablated, 4))


def test_sae_benchs_clean_and_ablated_accuracies_are_still_of_different_rows(
    run: Run, upstream: Callable[..., Any]
) -> None:
    """Mended upstream, tpp's rows need no correction: ablating nothing would change nothing."""
    torch.manual_seed(0)
    acts = {name: torch.randn(20, 6) for name in ("a", "b", "c")}
    probe = probe_training.Probe(6, torch.float32)
    with without_shape_checks(probe_training):
        accuracies = {
            main.get_probe_test_accuracy({"a": probe}, ["a"], acts, 500, False)["a"]  # pyright: ignore
            for _ in range(10)
        }
    assert len(accuracies) > 1


def test_ablating_nothing_changes_no_corrected_accuracy(run: Run) -> None:
    outcome = run("tpp")
    for dataset in outcome.tpp.values():
        assert dataset.clean.keys() == set(dataset.classes)
        for of_class in dataset.ablated.values():
            assert {len(rows) for rows in of_class.values()} == {SIZES.test}


def test_sae_bench_still_counts_what_ablation_changes_at_padding(make_sae: MakeSae) -> None:
    """Mended upstream, `AblatedTexts` has no row for padding to keep."""
    sae = make_sae(0)
    torch.manual_seed(1)
    acts = torch.randn(4, 16, sae.cfg.d_in)
    padded = torch.cat([acts, torch.zeros(4, 48, sae.cfg.d_in)], dim=1)
    every = torch.ones(D_SAE, dtype=torch.bool)
    short, long = (main.ablated_precomputed_activations(x, sae, every, 4) for x in (acts, padded))
    assert not torch.allclose(short, long, atol=0.1)


def test_sae_benchs_scr_still_has_no_value_where_directions_tie() -> None:
    classes = ("male / female", "professor / nurse")
    biased = "male_professor / female_nurse"
    clean = {
        "male / female": 0.9,
        "professor / nurse": 0.9,
        **{f"{biased} probe on {name} data": 0.7 for name in classes},
    }
    ablated = {name: {2: clean} for name in classes}
    with without_shape_checks(main):
        values = main.get_scr_plotting_dict(ablated, clean)
    assert "scr_dir1_threshold_2" in values
    assert "scr_metric_threshold_2" not in values


def test_negative_codes_count_by_their_magnitude_in_the_corrected_effects() -> None:
    """SAE-Bench's clamp drops a latent whose code is more negative in the class."""
    from csae_bench.upstream.class_probes import Schedule
    from csae_bench.upstream.perturbation_control import DatasetActs, PooledDataset, tpp_texts

    class Signed:
        """One latent, which is negative in class a, and one that is noise."""

        W_dec = torch.eye(2)

        def decode(self, codes: torch.Tensor) -> torch.Tensor:
            return codes @ self.W_dec

    generator = torch.Generator().manual_seed(0)

    def texts(n: int) -> dict[str, torch.Tensor]:
        noise = torch.randn(2, n, 2, generator=generator) * 0.1
        return {"a": noise[0] - torch.tensor([2.0, 0.0]), "b": noise[1]}

    acts = DatasetActs(texts(60), texts(30))
    schedule = Schedule(batch_size=8, epochs=20, lr=0.1)
    with without_shape_checks(probe_training):
        made = tpp_texts(
            Signed(), PooledDataset(acts, acts), (2,), schedule, "signed", 0, SharedPasses()
        )
    assert made is not None
    assert made.clean["a"].mean() == 1
    assert made.ablated["a", 2]["a"].mean() < 0.7
    codes_of_class = acts.train["a"].mean(0) - acts.train["b"].mean(0)
    assert codes_of_class.clamp(min=0)[0] == 0  # what SAE-Bench multiplies the probe's weight with


def test_an_sae_whose_decoder_is_not_affine_has_no_corrected_values(
    model: HookedTransformer, make_sae: MakeSae, monkeypatch: pytest.MonkeyPatch
) -> None:
    sae = make_sae(0)
    monkeypatch.setattr(TopKSAE, "decode", lambda self, codes: (codes @ self.W_dec).tanh())
    outcome = run_perturbation(sae, model, _texts("scr"), _settings("scr"))
    assert not outcome.is_affine
    assert outcome.scr == {}


def test_more_latents_than_there_are_and_an_sae_that_forgets_are_refused(
    run: Run, model: HookedTransformer, make_sae: MakeSae
) -> None:
    with pytest.raises(ConfigError, match=r"evals\.tpp\.n_values has 500; it must be at most"):
        run("tpp", n_values=(2, 500))
    forgetful = make_sae(0, normalize_activations="layer_norm")
    with pytest.raises(SaeError, match="SAE-Bench's scr decodes twice"):
        run_perturbation(forgetful, model, _texts("scr"), _settings("scr"))


def test_nothing_of_sae_bench_is_left_behind_after_an_error() -> None:
    modules = (main, dataset_creation, dataset_info, activation_collection, probe_training)
    before = [dict(vars(module)) for module in modules]
    with (
        pytest.raises(ZeroDivisionError),
        sae_bench_reads(_texts("scr"), SharedPasses(), seed=0),
    ):
        raise ZeroDivisionError
    assert [dict(vars(module)) for module in modules] == before
