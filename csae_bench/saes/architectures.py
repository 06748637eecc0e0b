"""The architectures that SAELens and csae-bench load, and the tensors that each consists of.

Data only, so that a folder can be checked in milliseconds; importing sae_lens takes seconds. A test
compares it with SAELens's registry.
"""

from __future__ import annotations

from typing import Any

_ENCODER = {"W_enc": ("d_in", "d_sae")}
_DECODER = {"W_dec": ("d_sae", "d_in"), "b_dec": ("d_in",)}
_AFFINE = {**_ENCODER, "b_enc": ("d_sae",), **_DECODER}

Shape = tuple[str, ...]

INFERENCE: dict[str, dict[str, Shape]] = {
    "standard": _AFFINE,
    "topk": _AFFINE,
    "abstopk": _AFFINE,
    "jumprelu": {**_AFFINE, "threshold": ("d_sae",)},
    "gated": {
        **_ENCODER,
        **dict.fromkeys(("b_gate", "r_mag", "b_mag"), ("d_sae",)),
        **_DECODER,
    },
    "matching_pursuit": _DECODER,
    "contrastive": _AFFINE,
    "contrastive_topk": _AFFINE,
}
"""Architecture of inference -> its tensors -> their shapes, as keys of cfg.json."""

JUMPRELU_AFTER_TRAINING = frozenset(
    {
        "batchtopk",
        "matryoshka_batchtopk",
        "contrastive_batchtopk",
        "contrastive_jumprelu",
        "contrastive_matryoshka_batchtopk",
    }
)
"""Trained under this name; their inference form is `jumprelu`."""

TRAINING: dict[str, dict[str, Shape]] = {
    **INFERENCE,
    **dict.fromkeys(JUMPRELU_AFTER_TRAINING, _AFFINE),
}
"""Architecture of training -> tensors that its training form has at least, under these names."""

OURS = frozenset({"contrastive", "contrastive_topk"})
"""Inference forms that sae_lens alone does not load."""

RENAMED = {"threshold": ("log_threshold",)}
"""Tensors that older versions of SAELens saved under another name."""

ALLOWED_EXTRA = frozenset({"scaling_factor"})
"""Additional tensors that older versions saved, and that SAELens drops."""

CHOOSES_K = frozenset({"topk", "abstopk", "contrastive_topk"})
"""Whole number of latents per token, in the key `k`."""

CHOOSES_K_ON_AVERAGE = frozenset(
    {
        "batchtopk",
        "matryoshka_batchtopk",
        "contrastive_batchtopk",
        "contrastive_matryoshka_batchtopk",
    }
)


def architecture_of(cfg: dict[str, Any]) -> Any:
    """Return the architecture that cfg.json names; files older than SAELens 3 name none.

    Those before version 6 wrote TopK as the standard architecture with another activation
    function.
    """
    architecture = cfg.get("architecture", "standard")
    activation = cfg.get("activation_fn_str", cfg.get("activation_fn"))
    return "topk" if architecture == "standard" and activation == "topk" else architecture


def k_of(cfg: dict[str, Any]) -> Any:
    """Return `k`, or its predecessor before SAELens 6; None where there is neither."""
    if "k" in cfg:
        return cfg["k"]
    settings = cfg.get("activation_fn_kwargs")
    return settings.get("k") if isinstance(settings, dict) else None
