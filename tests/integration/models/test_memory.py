"""Memory of loading: weights are held about once, and in the order in which they are multiplied."""

from __future__ import annotations

import gc
import warnings
import weakref
from pathlib import Path
from typing import Any

import pytest
import torch
import transformers
from torch import Tensor
from transformer_lens import HookedTransformer, HookedTransformerConfig
from transformer_lens.pretrained import weight_conversions
from transformer_lens.weight_processing import ProcessWeights

from csae_bench import models
from csae_bench.models import hub, loading
from csae_bench.models.layout import store_as_multiplied
from csae_bench.runs.session import Session
from tests.gemma_folder import SMALL_SHAPE, write_gemma_folder
from tests.model_folders import assert_no_matrix_is_copied


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_gemma_folder(tmp_path_factory.mktemp("memory") / "gemma", SMALL_SHAPE)


def test_the_published_model_is_let_go_before_its_weights_are_copied(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    published: list[weakref.ref[Any]] = []
    left: list[int] = []
    convert, take_over = weight_conversions.convert_gemma_weights, loading._take_over

    def watched_convert(model: Any, cfg: Any) -> dict[str, Tensor]:
        published.append(weakref.ref(model))
        return convert(model, cfg)

    def watched_take_over(hooked: Any, weights: dict[str, Tensor], device: Any) -> None:
        gc.collect()  # transformers' model holds itself
        assert published[0]() is None
        take_over(hooked, weights, device)
        left.append(len(weights))

    monkeypatch.setattr(weight_conversions, "convert_gemma_weights", watched_convert)
    monkeypatch.setattr(loading, "_take_over", watched_take_over)
    models.load(str(folder), dtype="bfloat16")
    assert left == [0]


SHAPES: dict[str, dict[str, Any]] = {
    "gemma2": {
        "act_fn": "gelu_pytorch_tanh",
        "gated_mlp": True,
        "n_key_value_heads": 2,
        "normalization_type": "RMS",
        "positional_embedding_type": "rotary",
    },
    "gpt2": {"act_fn": "gelu_new", "normalization_type": "LN"},
}


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_the_order_of_weights_in_memory_changes_no_bit(shape: str, dtype: torch.dtype) -> None:
    cfg = HookedTransformerConfig(
        n_layers=2, d_model=24, n_heads=4, d_head=8, d_mlp=40, n_ctx=16, d_vocab=50, seed=0,
        dtype=dtype, **SHAPES[shape],
    )  # fmt: skip
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "HookedTransformer", DeprecationWarning)
        model = HookedTransformer(cfg).eval()
    tokens = torch.randint(50, (3, 16), generator=torch.Generator().manual_seed(0))
    before = {name: parameter.clone() for name, parameter in model.named_parameters()}
    with torch.no_grad():
        expected = model(tokens)
        store_as_multiplied(model)
        assert torch.equal(model(tokens), expected)
    for name, parameter in model.named_parameters():
        assert torch.equal(parameter, before[name])
        assert parameter.requires_grad


@pytest.mark.parametrize("kind", ["folder", "bundled"])
def test_a_loaded_model_copies_no_matrix_of_weights_in_a_pass(kind: str, folder: Path) -> None:
    model = models.load(str(folder) if kind == "folder" else "tiny-gemma2-it")
    assert_no_matrix_is_copied(model)


def test_taken_over_weights_are_the_models_own(folder: Path) -> None:
    model = models.load(str(folder), dtype="bfloat16")
    # not views of a file: of the embedding and the unembedding, which are tied, one is scaled
    sizes = [
        p.untyped_storage().nbytes() - p.numel() * p.element_size() for p in model.parameters()
    ]
    assert max(sizes) == 0
    assert model.embed.W_E.data_ptr() != model.unembed.W_U.data_ptr()


class _Watched(dict[str, Tensor]):
    """A state dict that knows the types it was given."""

    def __init__(self, *args: Any) -> None:
        super().__init__(*args)
        self.types: set[torch.dtype] = set()

    def __setitem__(self, name: str, value: Tensor) -> None:
        self.types.add(value.dtype)
        super().__setitem__(name, value)


def _process(model: HookedTransformer) -> _Watched:
    weights = _Watched({"blocks.0.mlp.W_in": torch.ones(2, 2, dtype=torch.bfloat16)})
    ProcessWeights.process_weights(
        weights,
        model.cfg,
        fold_ln=False,
        center_writing_weights=False,
        center_unembed=False,
        fold_value_biases=False,
        refactor_factored_attn_matrices=False,
    )
    return weights


def test_a_hub_model_is_not_converted_to_float32_and_back(folder: Path) -> None:
    model = models.load(str(folder), dtype="bfloat16")
    assert _process(model).types >= {torch.float32}, "mended upstream: the context can go"
    with hub._without_float32_copy():
        assert _process(model).types == set()
    assert _process(model).types >= {torch.float32}


def test_two_folders_of_one_name_are_two_models(tmp_path: Path) -> None:
    one, other = (
        write_gemma_folder(tmp_path / parent / "gemma", SMALL_SHAPE, seed=seed)
        for parent, seed in (("a", 0), ("b", 1))
    )
    session = Session("cpu")
    first, second = (session.model(str(path), "bfloat16") for path in (one, other))
    assert first is not second
    assert session.model(str(one), "bfloat16") is first
    assert not torch.equal(first.embed.W_E, second.embed.W_E)


def test_the_large_shape_answers_as_the_bundled_model(folder: Path) -> None:
    from csae_bench import tinyworld

    own, large = models.load(tinyworld.MODEL_NAME), models.load(str(folder))
    tokens = own.to_tokens(list(tinyworld.documents("core", 8, seed=0)))[:, :64]
    with torch.no_grad():
        expected, given = own(tokens), large(tokens)
    n_words = expected.shape[-1]
    # random dimensions move the norms by about 1%, and bfloat16 each weight by 0.2%
    assert (given[..., :n_words].argmax(-1) == expected.argmax(-1)).float().mean() > 0.98
    assert float(given[..., n_words:].max()) < float(given[..., :n_words].amax(-1).min()) - 5
    assert transformers.AutoConfig.from_pretrained(folder).num_hidden_layers == 6
