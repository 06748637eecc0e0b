"""The table of contrastive loss terms: a name, its settings, and the function that computes it.

To add a term: write its function in `csae_bench/saes/losses.py` and one row here. In YAML a term
is `sae.losses.<name>`; a weight above 0 switches it on.
"""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field


class TermSettings(BaseModel):
    """What every term has."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    weight: float = Field(default=0.0, ge=0, allow_inf_nan=False)
    """Coefficient of the term beside the reconstruction loss; 0 switches it off."""

    warm_up_steps: int = Field(default=0, ge=0)
    """Steps over which the coefficient rises linearly from 0 to `weight`."""


class RowsSettings(TermSettings):
    """Sample-wise InfoNCE: the codes of a pair against those of the batch's other pairs."""

    temperature: float = Field(default=0.2, gt=0, allow_inf_nan=False)
    """Divides the cosine similarities; lower is harder."""

    latent_fraction: float = Field(default=1.0, gt=0, le=1)
    """Share of the latents that take part: the first round(latent_fraction * d_sae) of them."""

    on: Literal["codes", "pre_activations"] = "codes"
    """`codes`: the sparse codes. `pre_activations`: ReLU of the encoder's output before sparsity,
    so that gradients reach latents that are not active."""


LOSS_TERMS: dict[str, type[TermSettings]] = {
    "rows": RowsSettings,
}
"""Name of a term -> its settings; `csae_bench.saes.losses.<name>` is its function."""
