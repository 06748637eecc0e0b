"""sae-probes on the bundled model: its own numbers, and nothing of it left behind."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any, Literal, cast

import numpy as np
import pandas
import pytest
import torch
from sae_lens import SAE, TopKSAE, TopKSAEConfig
from sae_lens.saes.sae import SAEMetadata
from transformer_lens import HookedTransformer

from csae_bench import models
from csae_bench.engines.sae_probes.data import chosen_files
from csae_bench.engines.sae_probes.results import details, metrics
from csae_bench.errors import ConfigError, SaeError
from csae_bench.upstream.sae_probes import ProbeSettings, run_sae_probes

HOOK_NAME = "blocks.2.hook_resid_post"
SHIPPED = ["21_headline_istrump", "22_headline_isobama"]
D_SAE = 64


@pytest.fixture(scope="module")
def model() -> HookedTransformer:
    return models.load("tiny-gemma2-it")


@pytest.fixture(scope="module")
def sae(model: HookedTransformer) -> SAE[Any]:
    torch.manual_seed(0)
    metadata = SAEMetadata(hook_name=HOOK_NAME, model_name="tiny-gemma2-it", prepend_bos=True)
    return TopKSAE(TopKSAEConfig(d_in=model.cfg.d_model, d_sae=D_SAE, k=8, metadata=metadata))


@pytest.fixture(scope="module")
def dataset(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Whether a text ends on one of two words that the bundled model knows, in its own form."""
    rng = np.random.default_rng(0)
    ends = ["a physician", "a comet"] * 80
    prompts = [f"{'the queen saw ' * int(rng.integers(1, 4))}{end}" for end in ends]
    folder = tmp_path_factory.mktemp("datasets")
    template = pandas.DataFrame({"prompt": prompts, "target": ["doctor", "sky"] * 80})
    template.to_csv(folder / "ends.csv.zst", index=False, compression="zstd")
    return folder / "ends.csv.zst"


@pytest.fixture
def settings() -> Callable[..., ProbeSettings]:
    def make(
        *,
        reg_type: Literal["l1", "l2"] = "l1",
        ks: tuple[int, ...] = (1, 2, 5),
        hook_name: str = HOOK_NAME,
        max_seq_len: int = 1024,
        with_baseline: bool = True,
    ) -> ProbeSettings:
        return ProbeSettings(
            hook_name=hook_name,
            ks=ks,
            reg_type=reg_type,
            binarize=False,
            mean_diff_normalization="mean",
            seed=42,
            batch_size=32,
            max_seq_len=max_seq_len,
            with_baseline=with_baseline,
            device="cpu",
        )

    return make


@pytest.mark.filterwarnings("ignore:lbfgs failed to converge")
def test_numbers_are_those_of_sae_benchs_own_eval(
    sae: SAE[Any],
    model: HookedTransformer,
    settings: Callable[..., ProbeSettings],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    from sae_bench.evals.sparse_probing_sae_probes import main
    from sae_bench.evals.sparse_probing_sae_probes.eval_config import (
        SparseProbingSaeProbesEvalConfig,
    )
    from sae_probes.generate_model_activations import ensure_dataset_activations

    monkeypatch.chdir(tmp_path)
    # it would load a model by this name, were the activations not there
    cache, name = tmp_path / "activations", "tinyworld"
    ensure_dataset_activations(
        name, SHIPPED, [HOOK_NAME], cache, device="cpu", max_seq_len=model.cfg.n_ctx, model=model
    )
    config = SparseProbingSaeProbesEvalConfig(
        model_name=name,
        dataset_names=SHIPPED,
        results_path=str(tmp_path / "probes"),
        model_cache_path=str(cache),
    )
    with torch.no_grad():
        result = main.run_eval(config, [("sae", sae)], "cpu", str(tmp_path / "results"))
    (upstream,) = result.values()

    outcome = run_sae_probes(sae, model, chosen_files("package", SHIPPED), settings())
    ours = metrics(outcome.datasets, n_resamples=1000, seed=0)
    for category in ("llm", "sae"):
        theirs = upstream["eval_result_metrics"][category]
        assert ours[category].keys() <= theirs.keys()
        for name, value in ours[category].items():
            # the two sum over datasets in another order
            assert theirs[name] == (value if value is None else pytest.approx(value, rel=1e-12))
    entries = {entry["dataset_name"]: entry for entry in upstream["eval_result_details"]}
    for entry in details(outcome.datasets):
        theirs = entries[entry["dataset_name"]]
        shared = entry.keys() & theirs.keys()
        assert len(shared) > 20
        assert {name: theirs[name] for name in shared} == {name: entry[name] for name in shared}


def test_a_folders_dataset_is_probed_by_the_same_protocol(
    sae: SAE[Any],
    model: HookedTransformer,
    settings: Callable[..., ProbeSettings],
    dataset: Path,
) -> None:
    (result,) = run_sae_probes(sae, model, [dataset], settings()).datasets
    assert (result.name, result.n_rows, result.n_train, result.n_truncated) == ("ends", 160, 60, 0)
    assert result.llm is not None
    assert result.llm.auc == 1.0  # the last token is another
    assert {k: len(latents) for k, latents in result.latents.items()} == {1: 1, 2: 2, 5: 5}
    assert result.latents[5][:2] == result.latents[2]
    assert all(0 <= latent < D_SAE for latent in result.latents[5])


def test_an_sae_with_a_latent_for_the_class_needs_one_latent(
    model: HookedTransformer, settings: Callable[..., ProbeSettings], dataset: Path
) -> None:
    rows = pandas.read_csv(dataset, compression="zstd")
    with torch.no_grad():
        last = torch.stack(
            [
                model.run_with_cache(prompt, names_filter=HOOK_NAME)[1][HOOK_NAME][0, -1]
                for prompt in rows["prompt"]
            ]
        )
    is_sky = torch.tensor((rows["target"] == "sky").to_numpy())
    direction = last[is_sky].mean(0) - last[~is_sky].mean(0)
    middle = (last[is_sky].mean(0) + last[~is_sky].mean(0)) / 2
    torch.manual_seed(0)
    planted = TopKSAE(TopKSAEConfig(d_in=model.cfg.d_model, d_sae=D_SAE, k=D_SAE))
    with torch.no_grad():
        planted.W_enc.mul_(0.01)
        planted.b_enc.fill_(1.0)  # the others fire on everything
        planted.W_enc[:, 7] = direction
        planted.b_enc[7] = -(middle @ direction)
    asked = settings(ks=(1,), with_baseline=False)
    (result,) = run_sae_probes(planted, model, [dataset], asked).datasets
    assert result.latents[1] == (7,)
    assert result.sae[1].auc == 1.0
    assert result.llm is None


def test_nothing_of_sae_probes_is_left_behind(
    sae: SAE[Any],
    model: HookedTransformer,
    settings: Callable[..., ProbeSettings],
    dataset: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> None:
    from sae_probes import utils_data

    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("TMPDIR", str(tmp_path / "temporary"))
    monkeypatch.setattr("tempfile.tempdir", None)
    (tmp_path / "temporary").mkdir()
    tokenizer: Any = model.tokenizer
    monkeypatch.setattr(tokenizer, "truncation_side", "right")
    monkeypatch.setattr(tokenizer, "padding_side", "left")
    before = (dict(utils_data.get_dataset_sizes()), utils_data.read_numbered_dataset_df)
    filters, weights = list(warnings.filters), sae.W_enc.clone()
    with torch.enable_grad():
        run_sae_probes(sae, model, [dataset], settings(ks=(1,)))
        assert torch.is_grad_enabled()
    assert (dict(utils_data.get_dataset_sizes()), utils_data.read_numbered_dataset_df) == before
    assert len(before[0]) == 113
    assert (tokenizer.truncation_side, tokenizer.padding_side) == ("right", "left")
    assert warnings.filters == filters
    assert torch.equal(sae.W_enc, weights)
    assert [path.name for path in tmp_path.rglob("*")] == ["temporary"]
    assert capfd.readouterr() == ("", "")


def test_the_fence_is_left_after_an_error_too(
    sae: SAE[Any],
    model: HookedTransformer,
    settings: Callable[..., ProbeSettings],
    dataset: Path,
) -> None:
    from sae_probes import utils_data

    reader = utils_data.read_numbered_dataset_df
    unknown = replace(settings(), mean_diff_normalization=cast(Any, "median"))
    with pytest.raises(ValueError, match="Invalid mean_diff_normalization: median"):
        run_sae_probes(sae, model, [dataset], unknown)
    assert utils_data.read_numbered_dataset_df is reader
    assert len(utils_data.get_dataset_sizes()) == 113


def test_sae_probes_still_sets_the_tokenizers_sides(model: HookedTransformer) -> None:
    """Mended upstream, `_tokenizer_kept` can go."""
    from sae_probes.generate_model_activations import _get_tokenizer  # pyright: ignore[reportPrivateUsage]

    tokenizer: Any = model.tokenizer
    sides = tokenizer.truncation_side, tokenizer.padding_side
    try:
        tokenizer.truncation_side = "right"
        assert _get_tokenizer(model).truncation_side == "left"
    finally:
        tokenizer.truncation_side, tokenizer.padding_side = sides


def test_long_prompts_are_cut_from_the_left_and_counted(
    sae: SAE[Any],
    model: HookedTransformer,
    settings: Callable[..., ProbeSettings],
    dataset: Path,
) -> None:
    (result,) = run_sae_probes(sae, model, [dataset], settings(max_seq_len=6)).datasets
    assert 0 < result.n_truncated < 160
    assert result.llm is not None
    assert result.llm.auc == 1.0  # the end, which has the class, is read


def test_a_k_beyond_d_sae_is_refused(
    sae: SAE[Any],
    model: HookedTransformer,
    settings: Callable[..., ProbeSettings],
    dataset: Path,
) -> None:
    with pytest.raises(ConfigError, match=r"ks has 100; it must be at most d_sae=64"):
        run_sae_probes(sae, model, [dataset], settings(ks=(1, 100)))


def test_a_hook_that_is_not_there_is_refused(
    sae: SAE[Any],
    model: HookedTransformer,
    settings: Callable[..., ProbeSettings],
    dataset: Path,
) -> None:
    with pytest.raises(SaeError, match=r"hook_name is 'blocks\.9\.hook_resid_post'"):
        run_sae_probes(sae, model, [dataset], settings(hook_name="blocks.9.hook_resid_post"))


class PlainReLU(torch.nn.Module):
    """A module in half precision, without anything of SAELens."""

    def __init__(self, d_in: int) -> None:
        super().__init__()
        directions = torch.randn(D_SAE, d_in, generator=torch.Generator().manual_seed(0))
        self.W_dec = torch.nn.Parameter(directions.to(torch.bfloat16), requires_grad=False)

    def encode(self, x: torch.Tensor) -> torch.Tensor:
        return torch.relu(x @ self.W_dec.T)

    def decode(self, feature_acts: torch.Tensor) -> torch.Tensor:
        return feature_acts @ self.W_dec


def test_a_plain_module_is_probed(
    model: HookedTransformer, settings: Callable[..., ProbeSettings], dataset: Path
) -> None:
    plain = PlainReLU(model.cfg.d_model)
    (result,) = run_sae_probes(
        plain, model, [dataset], settings(ks=(1,), with_baseline=False)
    ).datasets
    assert 0 <= result.sae[1].auc <= 1
    with pytest.raises(ConfigError, match=f"at most d_sae={D_SAE}"):
        run_sae_probes(plain, model, [dataset], settings(ks=(D_SAE + 1,)))
