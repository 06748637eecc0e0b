"""A language model of three layers, text for it, and SAEs with random weights."""

from __future__ import annotations

import copy
import json
import warnings
from collections.abc import Callable, Generator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from sae_lens import SAE, JumpReLUSAE, JumpReLUSAEConfig, TopKSAE, TopKSAEConfig
from sae_lens.saes.sae import SAEMetadata
from tokenizers import Tokenizer, models, pre_tokenizers
from transformer_lens import HookedTransformer, HookedTransformerConfig
from transformers import AutoTokenizer, PreTrainedTokenizerFast

from csae_bench.upstream.core import CoreSettings

WORDS = ["<bos>", "<eos>", "<pad>", "<unk>", *(f"w{i}" for i in range(60))]
HOOK_NAME = "blocks.1.hook_resid_post"
D_IN, D_SAE = 16, 40


@pytest.fixture(scope="package", autouse=True)
def _one_thread() -> Generator[None]:
    """Tensors here are tiny: threads would only wait for each other."""
    n_threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(n_threads)


@pytest.fixture(scope="session")
def make_model(tmp_path_factory: pytest.TempPathFactory) -> Callable[[], HookedTransformer]:
    """Makes the toy model, each time with the same weights."""
    folder = tmp_path_factory.mktemp("tokenizer")
    words = Tokenizer(models.WordLevel({w: i for i, w in enumerate(WORDS)}, unk_token="<unk>"))
    words.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    PreTrainedTokenizerFast(
        tokenizer_object=words,
        bos_token="<bos>",
        eos_token="<eos>",
        pad_token="<pad>",
        unk_token="<unk>",
    ).save_pretrained(folder)
    cfg = HookedTransformerConfig(
        model_name="toy",
        n_layers=3,
        d_model=D_IN,
        n_ctx=32,
        d_head=8,
        d_vocab=len(WORDS),
        act_fn="gelu",
        initializer_range=0.4,  # wide enough that activations and logits vary
        seed=0,
    )

    def make() -> HookedTransformer:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)
            return HookedTransformer(
                copy.deepcopy(cfg), tokenizer=AutoTokenizer.from_pretrained(folder)
            ).eval()

    return make


@pytest.fixture(scope="session")
def toy_model(make_model: Callable[[], HookedTransformer]) -> HookedTransformer:
    """The toy model; shared, so not to be changed."""
    return make_model()


@pytest.fixture(scope="session")
def write_text(tmp_path_factory: pytest.TempPathFactory) -> Callable[[int], Path]:
    """Writes so many documents of random words, 22 on average, to a folder of its own."""

    def write(n_documents: int) -> Path:
        rng = np.random.default_rng(0)
        folder = tmp_path_factory.mktemp("text")
        with (folder / "text.jsonl").open("w") as file:
            for _ in range(n_documents):
                words = rng.choice(WORDS[4:], size=rng.integers(5, 40))
                file.write(json.dumps({"text": " ".join(words)}) + "\n")
        return folder

    return write


@pytest.fixture(scope="session")
def text(write_text: Callable[[int], Path]) -> Path:
    """A folder with some 100 sequences of 16 tokens."""
    return write_text(70)


@pytest.fixture
def settings(text: Path) -> Callable[..., CoreSettings]:
    def make(**changes: Any) -> CoreSettings:
        values: dict[str, Any] = {
            "dataset_name": str(text),
            "model_name": "toy",
            "hook_name": HOOK_NAME,
            "context_size": 16,
            "batch_size_prompts": 4,
            "n_eval_reconstruction_batches": 3,
            "n_eval_sparsity_variance_batches": 5,
        }
        return CoreSettings(**(values | changes))

    return make


@pytest.fixture(scope="session")
def make_sae() -> Callable[..., Any]:
    """Makes a stock SAE of random weights: `topk`, `jumprelu`, `layer_norm`, or all `zero`."""

    def make(name: str = "topk", sae_class: type[SAE[Any]] = TopKSAE) -> SAE[Any]:
        metadata = SAEMetadata(
            model_name="toy", hook_name=HOOK_NAME, context_size=16, prepend_bos=True
        )
        shape: dict[str, Any] = {"d_in": D_IN, "d_sae": D_SAE, "metadata": metadata}
        if name == "layer_norm":
            shape["normalize_activations"] = "layer_norm"
        sae: SAE[Any] = (
            JumpReLUSAE(JumpReLUSAEConfig(**shape))
            if name == "jumprelu"
            else sae_class(TopKSAEConfig(k=4, **shape))
        )
        generator = torch.Generator().manual_seed(1)
        for parameter in sae.parameters():
            scale = 0.0 if name == "zero" else 0.3
            parameter.data = torch.randn(parameter.shape, generator=generator) * scale
        if name == "jumprelu":
            sae.threshold.data.fill_(0.5)
        return sae

    return make
