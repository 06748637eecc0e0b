"""Activations of tokens at a hook of a language model."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import torch
from jaxtyping import Float, Int64
from torch import Tensor

from csae_bench.errors import ModelError, did_you_mean
from csae_bench.support.transfers import to_device

if TYPE_CHECKING:
    from transformer_lens import HookedTransformer

ReadActivations = Callable[[Int64[Tensor, "n_texts n_pos"]], Float[Tensor, "n_texts n_pos d_in"]]
"""Activations of tokens, at one hook."""


def check_hook(model: HookedTransformer, hook_name: str) -> None:
    """Check that the model has the hook.

    Raises:
        ModelError: it has not.
    """
    if hook_name not in model.hook_dict:
        raise ModelError(
            f"hook_name is '{hook_name}'; {model.cfg.model_name} has none of that name."
            f"{did_you_mean(hook_name, model.hook_dict)}"
        )


def activations_at(
    model: HookedTransformer, hook_name: str, *, device: torch.device | str = "cpu"
) -> ReadActivations:
    """Read float32 activations at a hook; the model stops after the hook's layer.

    Raises:
        ModelError: the model has no such hook.
    """
    from sae_lens.util import extract_stop_at_layer_from_tlens_hook_name

    check_hook(model, hook_name)
    stop_at_layer = extract_stop_at_layer_from_tlens_hook_name(hook_name)

    def read(
        tokens: Int64[Tensor, "n_texts n_pos"],
    ) -> Float[Tensor, "n_texts n_pos d_in"]:
        _, cache = model.run_with_cache(
            to_device(tokens, model.cfg.device or "cpu"),
            names_filter=[hook_name],
            stop_at_layer=stop_at_layer,
            prepend_bos=False,
        )
        return cache[hook_name].flatten(2).to(device=device, dtype=torch.float32)

    return read
