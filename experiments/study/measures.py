"""What the study's page shows of its lines, and what its protocol asks of them."""

from __future__ import annotations

from typing import NamedTuple


class Measure(NamedTuple):
    """A number of a line."""

    title: str
    place: str
    twin_place: str = ""
    """Where the twins have it, if elsewhere."""
    is_relative: bool = False
    """Whether differences are shares of the twin's value."""


VALUE_MIG = Measure("value MIG, last token (primary)", "scores/mig.value_mig")
BEST_LATENT = Measure("best latent's information", "scores/mig.value_mig_best_latent")
VARIANCE = Measure("explained variance, running text", "scores/core.explained_variance")
AT_PAIRS = Measure("explained variance, minimal pairs", "controls/explained_variance_pairs")
CE_SCORE = Measure("cross-entropy score", "scores/core.ce_loss_score")
L0 = Measure("L0 (difference as a share)", "scores/core.l0", is_relative=True)
PARTICIPATION = Measure("latents that make a change (participation)", "controls/participation")
MEASURES = (
    VALUE_MIG,
    Measure("value MIG, latents chosen on other templates", "scores/mig.value_mig_held_out"),
    Measure("MIG", "scores/mig.mig"),
    BEST_LATENT,
    PARTICIPATION,
    VARIANCE,
    AT_PAIRS,
    CE_SCORE,
    L0,
    Measure("probes on the codes (AUC)", "controls/explicitness"),
    Measure("the same, without the leaders", "controls/without_leaders"),
    Measure("probes on the reconstruction error (AUC)", "controls/of_error"),
    Measure(
        "value MIG, twins' runners-up pruned", "controls/value_mig", "controls/pruned_value_mig"
    ),
    Measure("effect of clamping leaders (nats)", "scores/factor_probing.clamp_effect"),
    Measure("effect of clamping random latents", "scores/factor_probing.random_clamp_effect"),
    Measure("specificity of clamping leaders", "scores/factor_probing.clamp_specificity"),
)
BOUNDS = (
    (VALUE_MIG, 0.10, None),
    (BEST_LATENT, -0.01, None),
    (VARIANCE, -0.005, None),
    (AT_PAIRS, -0.01, None),
    (CE_SCORE, -0.005, None),
    (L0, -0.02, 0.02),
)
"""What the protocol asks of means of paired differences to the twin: at least, at most."""
SLICED = (VALUE_MIG, BEST_LATENT, PARTICIPATION, VARIANCE, AT_PAIRS)
SEARCHED = (VALUE_MIG, BEST_LATENT, VARIANCE, AT_PAIRS, PARTICIPATION)
