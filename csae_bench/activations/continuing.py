"""The rest of a model after a hook: the layer that runs next, and the final logits."""

from __future__ import annotations

import re
from typing import Any
from weakref import WeakKeyDictionary

import torch
from jaxtyping import Float, Int
from torch import Tensor
from transformer_lens import HookedTransformer

_BETWEEN_LAYERS = re.compile(r"blocks\.(\d+)\.hook_resid_(pre|post)")


def layer_after(hook_name: str) -> int | None:
    """Return the first layer after the residual stream at this hook; None at any other hook.

    It is the number of layers after the last one.
    """
    match = _BETWEEN_LAYERS.fullmatch(hook_name)
    return None if match is None else int(match[1]) + (match[2] == "post")


def final_logits(
    model: HookedTransformer,
    resid: Float[Tensor, "n n_pos d_model"],
    dtype: torch.dtype | None = None,
) -> Float[Tensor, "n n_pos d_vocab"]:
    """Logits of a residual stream that has passed the last layer: norm, unembedding, soft cap.

    Args:
        dtype: of the logits and their soft cap; none: the model's.
    """
    if model.cfg.normalization_type is not None:
        resid = model.ln_final(resid)
    logits = model.unembed(resid).to(dtype)
    cap = model.cfg.output_logits_soft_cap
    return cap * (logits / cap).tanh() if cap > 0 else logits


def last_residual(
    model: HookedTransformer,
    resid: Float[Tensor, "n n_pos d_model"],
    start: int,
    positions: Int[Tensor, " n"],
) -> Float[Tensor, "n 1 d_model"]:
    """Compute the residual stream after the last layer at one position of each row.

    Of the last layer only that position runs, with the keys and values of those before it; where
    the model's architecture does not allow that, all of it runs.

    Args:
        start: the first layer that runs on `resid`.
    """
    n_layers = model.cfg.n_layers
    if start < n_layers - 1:
        resid = model(resid, start_at_layer=start, stop_at_layer=n_layers - 1)
    if start >= n_layers:
        return _at(resid, positions)
    if model not in _CAN_RUN_AT_ONE_POSITION:
        _CAN_RUN_AT_ONE_POSITION[model] = _is_equal_at_one_position(model, resid, positions)
    if not _CAN_RUN_AT_ONE_POSITION[model]:
        return _at(_last_layer(model, resid), positions)
    return _last_layer_at(model, resid, positions)


_CAN_RUN_AT_ONE_POSITION: WeakKeyDictionary[HookedTransformer, bool] = WeakKeyDictionary()
"""Whether the last layer gives the same at one position alone as among all, tried once."""


def _at(
    resid: Float[Tensor, "n n_pos d_model"], positions: Int[Tensor, " n"]
) -> Float[Tensor, "n 1 d_model"]:
    return resid[torch.arange(len(resid), device=resid.device), positions][:, None]


def _last_layer(model: HookedTransformer, resid: Tensor) -> Tensor:
    block: Any = model.blocks[model.cfg.n_layers - 1]
    return block(resid)


def _last_layer_at(
    model: HookedTransformer,
    resid: Float[Tensor, "n n_pos d_model"],
    positions: Int[Tensor, " n"],
) -> Float[Tensor, "n 1 d_model"]:
    """Run the last layer at one position of each row, as generation runs it at the last one.

    Rows are moved so that their positions come to stand at the end; what is before a row is
    padding, which the layer does not attend to and does not count.
    """
    from transformer_lens.cache.key_value_cache_entry import TransformerLensKeyValueCacheEntry

    length = int(positions.max()) + 1
    missing = length - 1 - positions
    mask: Tensor | None = None
    if bool(missing.any()):
        place = torch.arange(length, device=resid.device) - missing[:, None]
        mask = (place >= 0).int()
        resid = resid.gather(1, place.clamp_min(0)[..., None].expand(-1, -1, resid.shape[-1]))
    block: Any = model.blocks[model.cfg.n_layers - 1]
    before = block.ln1(resid[:, : length - 1])
    _, keys, values = block.attn.calculate_qkv_matrices(before[:, :1], before, before)
    past = TransformerLensKeyValueCacheEntry(past_keys=keys, past_values=values)
    at_end = resid[:, length - 1 : length]
    return block(at_end, past_kv_cache_entry=past, attention_mask=mask)


def _is_equal_at_one_position(
    model: HookedTransformer, resid: Tensor, positions: Int[Tensor, " n"]
) -> bool:
    """Try it with a row at its position alone, and with the same row at another one beside it."""
    if resid.dtype not in (torch.float32, torch.float64) or int(positions[0]) < 2:
        return False
    rows = resid[:1].expand(2, -1, -1)
    both = torch.stack([positions[0], positions[0] - 1])
    whole = _at(_last_layer(model, rows), both)
    try:
        beside = _last_layer_at(model, rows, both)
        alone = _last_layer_at(model, rows[:1], both[:1])
    except (AttributeError, IndexError, RuntimeError, TypeError, ValueError):
        return False  # an architecture whose attention takes other inputs
    result, expected = torch.cat([beside, alone]), torch.cat([whole, whole[:1]])
    return torch.allclose(result, expected, rtol=1e-4, atol=1e-4 * float(whole.abs().max()))
