"""The bundled model, a few of its questions, and SAEs that know something or nothing of them."""

from __future__ import annotations

import os
from collections.abc import Callable, Generator, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from sae_lens import SAE, JumpReLUSAE, JumpReLUSAEConfig, TopKSAE, TopKSAEConfig
from sae_lens.saes.sae import SAEMetadata
from torch import Tensor
from transformer_lens import HookedTransformer

from csae_bench import models, tinyworld
from csae_bench.engines.unlearning.data import FORGET, RETAIN, UnlearningData
from csae_bench.engines.unlearning.sources import open_data
from csae_bench.tinyworld.questions import prompt
from csae_bench.upstream.unlearning import UnlearningSettings

NAME = tinyworld.MODEL_NAME
HOOK = tinyworld.DEFAULT_HOOK
N_QUESTIONS, N_TEXTS, D_SAE, N_KNOWING = 8, 60, 64, 12

MakeSettings = Callable[..., UnlearningSettings]


@pytest.fixture(scope="session", autouse=True)
def _few_threads() -> Generator[None]:
    """Tensors here are small, and the machine is shared."""
    before = torch.get_num_threads()
    torch.set_num_threads(min(2, os.cpu_count() or 1))
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="session")
def model() -> HookedTransformer:
    return models.load(NAME)


@pytest.fixture(scope="session")
def data() -> UnlearningData:
    """Eight questions of each subject and sixty texts of each kind, of tinyworld."""
    whole = open_data("tinyworld")
    return replace(
        whole,
        questions={name: asked[:N_QUESTIONS] for name, asked in whole.questions.items()},
        forget_texts=whole.forget_texts[:N_TEXTS],
        retain_texts=whole.retain_texts[:N_TEXTS],
    )


@pytest.fixture(scope="session")
def make_settings() -> MakeSettings:
    def make(**changes: Any) -> UnlearningSettings:
        values: dict[str, Any] = {
            "model_name": NAME,
            "model_fingerprint": "tiny",
            "hook_name": HOOK,
            "retain_thresholds": (0.001, 0.01),
            "n_features_list": (5, 10),
            "multipliers": (25, 100),
            "dataset_size": 32,
            "seq_len": 64,
            "batch_size": 16,
            "n_control": 2,
        }
        return UnlearningSettings(**(values | changes))

    return make


@pytest.fixture(scope="session")
def knowing_sae(model: HookedTransformer, data: UnlearningData) -> SAE[Any]:
    """Twelve latents that fire on the facts to forget and on nothing else, the rest random.

    Each of the twelve reads a direction that a ridge regression finds between activations on texts
    and questions to forget and those to retain, above the highest of the latter.
    """
    forget = _activations(model, [*data.forget_texts, *_prompts(data, (FORGET,))])
    retain = _activations(model, [*data.retain_texts, *_prompts(data, RETAIN)])
    rng = np.random.default_rng(0)
    directions = [
        _ridge(forget[rng.permutation(len(forget))[: len(forget) // 2]], retain)
        for _ in range(N_KNOWING)
    ]
    generator = torch.Generator().manual_seed(0)
    others = torch.randn(D_SAE - N_KNOWING, model.cfg.d_model, generator=generator)
    encoder = torch.nn.functional.normalize(torch.cat([torch.stack(directions), others]), dim=1)
    reached = retain @ encoder.T
    threshold = reached.quantile(0.95, dim=0)
    threshold[:N_KNOWING] = reached[:, :N_KNOWING].amax(0) * 1.05
    sae = JumpReLUSAE(JumpReLUSAEConfig(d_in=model.cfg.d_model, d_sae=D_SAE, metadata=_metadata()))
    sae.W_enc.data = encoder.T.contiguous()
    sae.W_dec.data = encoder.clone()
    sae.threshold.data = threshold
    return sae


@pytest.fixture(scope="session")
def random_sae(model: HookedTransformer) -> SAE[Any]:
    """Sixty-four random directions, eight of which are active at a time."""
    sae = TopKSAE(TopKSAEConfig(d_in=model.cfg.d_model, d_sae=D_SAE, k=8, metadata=_metadata()))
    generator = torch.Generator().manual_seed(1)
    directions = torch.randn(D_SAE, model.cfg.d_model, generator=generator)
    sae.W_dec.data = torch.nn.functional.normalize(directions, dim=1)
    sae.W_enc.data = sae.W_dec.data.T.clone()
    return sae


def _metadata() -> SAEMetadata:
    return SAEMetadata(model_name=NAME, hook_name=HOOK, prepend_bos=True)


def _prompts(data: UnlearningData, subjects: Sequence[str]) -> list[str]:
    return [
        prompt(name, tinyworld.FactQuestion(q.question, list(q.choices), q.answer))
        for name in subjects
        for q in data.questions[name]
    ]


@torch.no_grad()
def _activations(model: HookedTransformer, texts: Sequence[str]) -> Tensor:
    """At every token but `<bos>`: [n_tokens, d_model]."""
    tokens = model.to_tokens(list(texts), padding_side="right")
    _, cache = model.run_with_cache(tokens, names_filter=HOOK, stop_at_layer=3)
    tokenizer: Any = model.tokenizer
    special = torch.tensor([tokenizer.bos_token_id, tokenizer.pad_token_id])
    return cache[HOOK][~torch.isin(tokens, special)]


def _ridge(forget: Tensor, retain: Tensor) -> Tensor:
    acts = torch.cat([forget, retain])
    wanted = torch.cat([torch.ones(len(forget)), -torch.ones(len(retain))])
    centred = acts - acts.mean(0)
    gram = centred.T @ centred
    penalty = 1e-3 * gram.diagonal().mean() * torch.eye(len(gram))
    return torch.linalg.solve(gram + penalty, centred.T @ wanted)
