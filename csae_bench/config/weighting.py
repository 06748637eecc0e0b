"""How strongly the contrastive terms pull beside the reconstruction, and L0 held at a target."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from csae_bench.config.base import Count, NonNegative, Positive, Settings


class WeightingSettings(Settings):
    """From the weights of the terms to their coefficients in the loss."""

    kind: Literal["ratio", "constant", "gradnorm", "uncertainty"] = "ratio"
    """`ratio`: a term's gradient on the encoder is `weight` times the reconstruction's.
    `constant`: the coefficient is `weight`. `gradnorm`: gradients are balanced by how fast each
    loss falls (Chen et al. 2018). `uncertainty`: by learned noise scales (Kendall et al. 2018)."""

    every: Count = 20
    """Steps between measurements of the gradients (`ratio`, `gradnorm`)."""

    decay: Annotated[float, Field(ge=0, lt=1)] = 0.9
    """Decay of the running mean of the measured ratios (`ratio`)."""

    max_coefficient: Positive = 1e4
    """No coefficient is larger: a loss that is almost 0 would be amplified without end."""

    max_unexplained_rise: NonNegative | None = 0.01
    """The guard (`ratio`): terms are weakened while the share of unexplained variance lies more
    than this above its lowest running mean; none: no guard."""

    gradnorm_alpha: NonNegative = 1.5
    """How strongly slow losses are favoured (`gradnorm`)."""

    learning_rate: Positive = 0.025
    """Step size of the balancing (`gradnorm`, `uncertainty`)."""


class HoldL0Settings(Settings):
    """Controls the sparsity penalty of ReLU and JumpReLU such that L0 comes to a target."""

    target: Positive
    """Active latents per row."""

    every: Count = 5
    """Steps between adjustments."""

    gain: Positive = 0.05
    """How far the logarithm of the penalty's coefficient moves for an L0 off by a factor of e."""
