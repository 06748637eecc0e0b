"""A hook whose ablation changes nothing: SAE-Bench divides by zero, and core says why."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import pytest
import torch
from transformer_lens import HookedTransformer

from csae_bench.corpora import open_corpus
from csae_bench.errors import EvalError
from csae_bench.upstream.core import CoreSettings, run_core


@pytest.mark.parametrize(
    ("dtype", "remedy"),
    [
        (torch.float32, r"so ablated\. Name a hook"),
        (torch.bfloat16, r"so ablated\. Set model_dtype=float32, .* or name a hook"),
    ],
)
def test_a_hook_without_effect_is_named_with_both_cross_entropies(
    dtype: torch.dtype,
    remedy: str,
    make_model: Callable[[], HookedTransformer],
    make_sae: Callable[..., Any],
    settings: Callable[..., CoreSettings],
) -> None:
    model = make_model()
    model.unembed.W_U.data.zero_()
    ask = settings()
    corpus = open_corpus(ask.dataset_name, split="core")
    # the logarithm of the 64 words
    message = rf"hook_resid_post to zero, which is 0 in {str(dtype)[6:]}: .* is 4\.15888 .*4\.15888"
    with pytest.raises(EvalError, match=f"{message} {remedy}"):
        run_core(make_sae(), model.to(dtype), corpus, ask)


def test_an_effect_that_bfloat16_rounds_away_is_told_apart(
    make_model: Callable[[], HookedTransformer],
    make_sae: Callable[..., Any],
    settings: Callable[..., CoreSettings],
) -> None:
    model = make_model()
    model.unembed.W_U.data *= 1e-3
    ask = settings()
    with pytest.raises(EvalError, match=r"is 4\.\d+ as it is and 4\.\d+ so ablated") as caught:
        run_core(
            make_sae(), model.to(torch.bfloat16), open_corpus(ask.dataset_name, split="core"), ask
        )
    clean, ablated = re.findall(r"4\.\d+", str(caught.value))
    assert clean != ablated
