"""Strength of the contrastive terms relative to the reconstruction, and L0 held at a target."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from csae_bench.config.base import Count, Fraction, NonNegative, Positive, Settings


class WeightingSettings(Settings):
    """Method that turns the weights of the terms into their coefficients in the loss."""

    kind: Literal["ratio", "constant", "gradnorm", "uncertainty"] = "ratio"
    """`ratio`: a term's gradient on the encoder is `weight` times the reconstruction's.
    `constant`: the coefficient is `weight`. `gradnorm`: gradients are balanced by how fast each
    loss falls (Chen et al. 2018). `uncertainty`: by learned noise scales (Kendall et al. 2018)."""

    every: Count = 20
    """Steps between measurements of the gradients (`ratio`, `gradnorm`)."""

    decay: Annotated[float, Field(ge=0, lt=1)] = 0.9
    """Decay of the running means of the measured gradient norms (`ratio`)."""

    max_coefficient: Positive = 1e4
    """No coefficient is larger: a loss that is almost 0 would be amplified without end."""

    max_unexplained_rise: NonNegative | None = 0.01
    """The guard (`ratio`): terms are weakened while the share of unexplained variance lies more
    than this above its lowest running mean of the stage; none: no guard."""

    gradnorm_alpha: NonNegative = 1.5
    """Strength with which slow losses are favoured (`gradnorm`)."""

    learning_rate: Fraction = 0.025
    """Step size of the balancing: on the logarithm of weights at each measurement (`gradnorm`), of
    variances at each step (`uncertainty`)."""


class HoldL0Settings(Settings):
    """Control of the sparsity penalty of ReLU and JumpReLU that brings L0 to a target."""

    target: Positive
    """Active latents per row."""

    every: Count = 5
    """Steps between adjustments."""

    gain: Positive = 0.6
    """Change in the logarithm of the penalty's coefficient when that of L0 changes by 1.
    Higher settles faster, and oscillates where L0 answers strongly."""

    lag: Count | None = None
    """Steps within which the logarithm of the coefficient moves by `gain` for an L0 that stays off
    by a factor of e; none: 30 for ReLU, 60 for JumpReLU, right for learning rates about 1e-3. L0
    follows the penalty more slowly at lower ones, and oscillates unless this is longer too."""
