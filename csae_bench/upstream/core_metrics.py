"""The metrics of SAE-Bench's core eval, and of the values that correct them.

Importing this imports neither torch nor sae_bench.
"""

from __future__ import annotations

from typing import Any

from csae_bench.evals.metric_rows import Direction, Metric

_HIGHER, _LOWER, _NONE = Direction.HIGHER, Direction.LOWER, Direction.NONE
_BATCHED = "SAE-Bench's value depends on the batch size; core.corrected has the right one."
_BEHAVIOR, _PERFORMANCE = "model_behavior_preservation", "model_performance_preservation"
_QUALITY, _SHRINKAGE, _SPARSITY = "reconstruction_quality", "shrinkage", "sparsity"
_MISC, _TOKENS = "misc_metrics", "token_stats"
_LOSS: dict[str, Any] = {"direction": _LOWER, "high": None, "margin": None}
_RATIO: dict[str, Any] = {"direction": Direction.TARGET, "target": 1.0}
_BESIDE: dict[str, Any] = {"direction": _NONE, "is_supporting": True}


def _raw(title: str, category: str, description: str, **more: Any) -> Metric:
    """Return the row of a value that SAE-Bench computes."""
    return Metric(
        title=title, description=description, category=category, is_sae_bench=True, **more
    )


def _right(title: str, description: str, *, gates: bool = False, **more: Any) -> Metric:
    """Return the row of a value by its correct formula, over all tokens used and in float64."""
    return Metric(title=title, description=description, category="corrected", gates=gates, **more)


# Of two that say the same, such as a loss and its score, one may gate: each costs the others
# power through Holm's correction. Those that say most come first.
METRICS = {
    "ce_loss_score": _raw(
        "CE loss score", _PERFORMANCE,
        "Share of the cross-entropy that ablating the hook costs which the SAE restores.",
        direction=_HIGHER, low=None, high=None, sd_between_seeds=0.0015,
        note="1: nothing lost; 0: as bad as ablation.",
    ),
    "corrected.explained_variance": _right(
        "Explained variance, corrected",
        "1 minus the residual's variance over the activations', both summed over all tokens.",
        direction=_HIGHER, low=None, gates=True, short="explained variance",
        gist="share of the activations' variance that is reconstructed",
        sd_between_seeds=0.0027,
    ),
    "explained_variance": _raw(
        "Explained variance", _QUALITY,
        "Share of the activations' variance that is reconstructed, a mean over batches.",
        direction=_HIGHER, low=None, gates=False, note=_BATCHED,
        fault="It takes the square of the mean square, not of the mean, off the mean square, so "
        "that it depends on the scale of the activations.",
    ),
    "l0": _raw(
        "L0", _SPARSITY, "Mean number of latents that fire on a token.",
        direction=_NONE, high=None, unit="latents", note="Compare SAEs at equal L0.",
    ),
    "frac_alive": _raw(
        "Alive latents", _MISC, "Share of the latents that fire at all on the tokens read.",
        direction=_HIGHER, sd_between_seeds=0.01,
        fault="It takes negative codes for silence.",
    ),
    "kl_div_score": _raw(
        "KL divergence score", _BEHAVIOR,
        "1 minus the KL divergence with the SAE over that with the hook ablated.",
        direction=_HIGHER, low=None, sd_between_seeds=0.0016,
    ),
    "cossim": _raw(
        "Cosine similarity", _QUALITY, "Mean cosine of an activation and its reconstruction.",
        direction=_HIGHER, low=-1.0, gates=False,
        fault="One token whose activation or reconstruction is 0 makes it NaN, stored as -1.",
    ),
    "l2_ratio": _raw(
        "L2 ratio", _SHRINKAGE, "Mean ratio of a reconstruction's norm to its activation's.",
        **_RATIO, gates=False, high=None, note="Below 1 the SAE shrinks activations.",
        fault="An activation shorter than .0001 counts as one of length 1.",
    ),
    "relative_reconstruction_bias": _raw(
        "Relative reconstruction bias", _SHRINKAGE,
        "Mean squared norm of reconstructions over their mean product with the activations.",
        **_RATIO, gates=False, low=None, high=None,
        note="E|y|^2 / E[x . y]; arXiv:2404.16014, eq. 10.",
        fault="It is a mean of one ratio for each batch.",
    ),
    "mse": _raw(
        "MSE", _QUALITY, "Mean squared error of the reconstruction.",
        **_LOSS, gates=False, note=_BATCHED,
        fault="The mean over tokens is divided by the number of tokens in a batch.",
    ),
    "ce_loss_with_sae": _raw(
        "CE with the SAE", _PERFORMANCE,
        "The language model's cross-entropy with the SAE put in place.",
        **_LOSS, gates=False, unit="nats",
    ),
    "kl_div_with_sae": _raw(
        "KL with the SAE", _BEHAVIOR,
        "KL divergence of the predictions with the SAE from those without.",
        **_LOSS, gates=False, unit="nats",
    ),
    "explained_variance_legacy": _raw(
        "Explained variance, legacy", _QUALITY, "Mean of one ratio for each token.",
        direction=_HIGHER, low=None, gates=False,
        note="A mean of ratios, one for each token: SAE-Bench's earlier formula.",
    ),
    "l1": _raw(
        "L1", _SPARSITY, "Mean sum of a token's codes.", direction=_NONE, low=None, high=None,
        note="Codes of SAEs that have signs are summed with them; core.corrected has magnitudes.",
    ),
    "corrected.ce_loss_score": _right(
        "CE loss score, corrected", "CE loss score over all tokens alike.",
        direction=_HIGHER, low=None, high=None, short="CE score",
        gist="how well the model works with the SAE; 0: as with the activations ablated, "
        "1: as without the SAE",
    ),
    "corrected.kl_div_score": _right(
        "KL divergence score, corrected", "KL divergence score over all tokens alike.",
        direction=_HIGHER, low=None,
    ),
    "corrected.frac_alive": _right(
        "Alive latents, corrected",
        "Alive latents, negative codes counted; null where no token was read.",
        direction=_HIGHER, short="alive", gist="share of the latents that ever fire",
    ),
    "corrected.dead_fraction": _right(
        "Dead latents, corrected", "1 minus alive latents.", direction=_LOWER
    ),
    "corrected.cossim": _right(
        "Cosine similarity, corrected",
        "Cosine similarity; null where an activation or a reconstruction is 0.",
        direction=_HIGHER, low=-1.0,
    ),
    "corrected.cossim_where_defined": _right(
        "Cosine similarity where defined", "Cosine similarity over the tokens that have one.",
        direction=_HIGHER, low=-1.0,
        note="Leaves out tokens whose reconstruction is 0, so a dead SAE may look good.",
    ),
    "corrected.l2_ratio": _right(
        "L2 ratio, corrected", "L2 ratio over the tokens whose activation is not 0.",
        **_RATIO, high=None,
    ),
    "corrected.relative_reconstruction_bias": _right(
        "Relative reconstruction bias, corrected", "Both means over all tokens, then their ratio.",
        **_RATIO, low=None, high=None,
    ),
    "corrected.mse": _right(
        "MSE, corrected", "Squared length of the error, mean over all tokens.",
        **_LOSS, unit="squared activation",
    ),
    "corrected.ce_loss_with_sae": _right(
        "CE with the SAE, corrected", "CE with the SAE over all tokens alike.",
        **_LOSS, unit="nats",
    ),
    "corrected.kl_div_with_sae": _right(
        "KL with the SAE, corrected", "KL with the SAE over all tokens alike.",
        **_LOSS, unit="nats",
    ),
    "corrected.l0": _right(
        "L0, corrected", "L0 over all tokens alike.",
        direction=_NONE, high=None, unit="latents", short="L0",
        gist="latents that fire on a token; compare SAEs at equal L0",
    ),
    "ce_loss_without_sae": _raw(
        "CE without the SAE", _PERFORMANCE, "The language model's own cross-entropy.",
        **_BESIDE, high=None, unit="nats",
    ),
    "ce_loss_with_ablation": _raw(
        "CE with ablation", _PERFORMANCE, "Cross-entropy with the activations set to 0.",
        **_BESIDE, high=None, unit="nats",
    ),
    "kl_div_with_ablation": _raw(
        "KL with ablation", _BEHAVIOR, "KL divergence with the activations set to 0.",
        **_BESIDE, high=None, unit="nats",
    ),
    "l2_norm_in": _raw(
        "L2 norm of activations", _SHRINKAGE, "Mean over tokens.", **_BESIDE, high=None
    ),
    "l2_norm_out": _raw(
        "L2 norm of reconstructions", _SHRINKAGE, "Mean over tokens.", **_BESIDE, high=None
    ),
    **{
        f"{prefix}freq_over_{percent}_percent": _raw(
            f"{'Normalized f' if prefix else 'F'}requency over {percent}%", _MISC,
            ("Share of all firings that are of latents that" if prefix else "Share of latents that")
            + f" fire on more than {percent}% of the tokens.",
            **_BESIDE,
        )
        for prefix in ("", "normalized_")
        for percent in (1, 10)
    },
    **{
        f"average_max_{side}_cosine_sim": _raw(
            f"Average largest {side} cosine", _MISC,
            f"Largest cosine of a latent's {side} direction with another's, mean over latents.",
            **_BESIDE, low=-1.0,
        )
        for side in ("encoder", "decoder")
    },
    **{
        f"total_tokens_eval_{phase}": _raw(
            f"Tokens, {phase.replace('_', ' and ')}", _TOKENS,
            "Tokens as SAE-Bench counts them, special ones included.",
            **_BESIDE, high=None, unit="tokens",
        )
        for phase in ("reconstruction", "sparsity_variance")
    },
    **{
        f"corrected.{name}": _right(f"{title}, corrected", text, **_BESIDE, high=None, unit=unit)
        for name, title, text, unit in (
            ("ce_loss_without_sae", "CE without the SAE", "Over all tokens alike.", "nats"),
            ("ce_loss_with_ablation", "CE with ablation", "Over all tokens alike.", "nats"),
            ("kl_div_with_ablation", "KL with ablation", "Over all tokens alike.", "nats"),
            ("l1", "L1", "Mean sum of the magnitudes of a token's codes.", ""),
            ("l2_norm_in", "L2 norm of activations", "Mean over all tokens.", ""),
            ("l2_norm_out", "L2 norm of reconstructions", "Mean over all tokens.", ""),
            ("total_tokens_eval_reconstruction", "Tokens, reconstruction",
             "Tokens that were used.", "tokens"),
            ("total_tokens_eval_sparsity_variance", "Tokens, sparsity and variance",
             "Tokens that were used.", "tokens"),
            ("n_tokens_reconstruction", "Tokens used, reconstruction",
             "Tokens that were used.", "tokens"),
            ("n_tokens_sparsity_variance", "Tokens used, sparsity and variance",
             "Tokens that were used.", "tokens"),
            ("n_tokens_cossim_undefined", "Tokens without a cosine",
             "Tokens whose activation or reconstruction is 0.", "tokens"),
        )
    },
}  # fmt: skip
