"""Texts cut where they end, on a real language model: activations as SAE-Bench reads them."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from sae_bench.sae_bench_utils import activation_collection, dataset_utils

from csae_bench import models
from csae_bench.activations.shared import SharedPasses
from csae_bench.engines.classes.drawing import Sizes, draw_classes
from csae_bench.models import smollm2
from csae_bench.upstream.cut_passes import read_texts
from csae_bench.upstream.isolation import without_shape_checks

pytestmark = [
    pytest.mark.real,
    pytest.mark.skipif(not smollm2.is_installed(), reason=smollm2.INSTALL),
]


@torch.no_grad()
def test_activations_of_cut_texts_are_those_of_padded_ones() -> None:
    model: Any = models.load(smollm2.MODEL_NAME)
    texts = {name: list(of) for name, of in draw_classes("ag_news", Sizes(40, 20), 0).test.items()}
    tokenized = dataset_utils.tokenize_data_dictionary(texts, model.tokenizer, 128, "cpu")
    place = model, 8, 10, "blocks.10.hook_resid_post"
    with without_shape_checks(activation_collection):
        ours = read_texts(tokenized, *place, SharedPasses())
        theirs = activation_collection.get_all_llm_activations(
            tokenized, *place, mask_bos_pad_eos_tokens=True
        )
    for name, acts in theirs.items():
        assert torch.equal(ours[name], acts)
