"""The table of contrastive loss terms: a name, its settings, and the function that computes it.

To add a term: write its function in `csae_bench/saes/losses/` and one row here. In YAML a term
is `sae.losses.<name>`; a weight above 0 switches it on.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import Annotated, Literal, get_args

from pydantic import Field, field_validator

from csae_bench.config.base import Positive
from csae_bench.support.strict import Strict

Share = Annotated[float, Field(gt=0, le=1)]
PositiveKind = Literal["same_sequence", "paraphrase"]
"""Kinds of pairs whose two rows are alike."""
PairKind = Literal[PositiveKind, "minimal"]
POSITIVE_KINDS: tuple[PositiveKind, ...] = get_args(PositiveKind)
TermInput = Literal["codes", "pre_activations", "union"]
"""The objects that a term compares.

`codes`: the sparse codes. `pre_activations`: ReLU of the encoder's output before sparsity.
`union`: the sparse codes, but where a latent is active in one view of a pair and silent in the
other the gradient on its 0 passes straight to its pre-activation, below 0 too: a missing activation
can be raised. (Were the pre-activations compared there, unrelated views would look anticorrelated:
a latent that is silent in the one is low there because it is active in the other.)"""


class TermSettings(Strict):
    """Settings that every term has."""

    weight: float = Field(default=0.0, ge=0, allow_inf_nan=False)
    """Strength of the term; 0 switches it off. What it measures is `training.weighting.kind`'s
    matter: the share of the reconstruction's gradient (`ratio`) or a coefficient (`constant`)."""

    warm_up_steps: int = Field(default=0, ge=0)
    """Steps over which the strength rises linearly from 0, from where the curriculum starts it."""

    pairs: Annotated[tuple[PositiveKind, ...], Field(min_length=1)] | None = None
    """Kinds of pairs that the term looks at, of those in the batch; none: all whose rows are alike.
    Where none of them is in the batch the term is off."""

    @field_validator("pairs")
    @classmethod
    def _one_order(cls, value: tuple[PairKind, ...] | None) -> tuple[PairKind, ...] | None:
        """Sort the kinds, so that terms with the same kinds share their statistics."""
        return None if value is None else tuple(sorted(set(value)))

    def sees(self, kinds: Collection[str]) -> bool:
        """Return whether pairs of these kinds give the term anything to compare."""
        return bool(set(self.pairs or POSITIVE_KINDS) & set(kinds))


class RowsSettings(TermSettings):
    """Sample-wise InfoNCE: the codes of a pair against those of the batch's other pairs."""

    temperature: Positive | Literal["learned"] = 0.2
    """Divisor of the cosine similarities; lower is harder. `learned`: trained, starting at 0.2."""

    latent_fraction: Share = 1.0
    """Share of the latents that take part: the first round(latent_fraction * d_sae) of them."""

    on: TermInput = "codes"
    """The objects compared."""

    invariance_weighted: bool = False
    """Multiply each latent by its invariance, the chance-corrected probability that it fires in one
    view where it fires in the other."""

    minimal_negatives: bool = False
    """Take the text that differs from the anchor in one factor as one more negative of its pair:
    needs pairs.minimal.with_paraphrases."""

    projection: Literal["none", "linear", "mlp"] = "none"
    """A head between latents and cosine, trained along and dropped on saving."""

    projection_width: int = Field(default=128, ge=1)
    """Width of the head's output, and of the mlp's hidden layer."""


class TripletSettings(TermSettings):
    """Sample-wise: a pair must be closer than the anchor is to its hardest negative."""

    margin: Positive = 0.2
    """Required margin, in cosine."""

    latent_fraction: Share = 1.0
    """Share of the latents that take part: the first round(latent_fraction * d_sae) of them."""

    on: TermInput = "codes"
    """The objects compared."""

    minimal_negatives: bool = False
    """Take the text that differs from the anchor in one factor as one more negative of its pair:
    needs pairs.minimal.with_paraphrases."""


class TemporalSettings(TermSettings):
    """T-SAE's temporal loss, as a yardstick: InfoNCE by inner products on the first latents."""

    latent_fraction: Share = 0.2
    """Share of the latents that take part: the first round(latent_fraction * d_sae) of them."""

    on: TermInput = "codes"
    """The objects compared."""

    pairs: Annotated[tuple[PositiveKind, ...], Field(min_length=1)] | None = ("same_sequence",)
    """Kinds of pairs that the term looks at. Published are neighbouring tokens
    (pairs.same_sequence.max_distance=1) and random earlier ones."""


class ColumnsSettings(TermSettings):
    """Feature-wise InfoNCE: the pattern of a latent across the batch in one view against the
    patterns of the other latents in the other view."""

    temperature: Positive = 0.2
    """Divisor of the correlations; lower is harder."""

    n_latents: int = Field(default=2048, ge=2)
    """Latents sampled at most, evenly over their firing rates."""

    min_firings: int = Field(default=8, ge=1)
    """Times that a latent must fire in each view of the batch to be sampled."""

    max_co_firing: float = Field(default=0.5, gt=0, le=1)
    """Two latents are not pushed apart where one fires in more than this share of the rows in which
    the other does: a parent and its child do so by right. 1 pushes all apart."""

    on: TermInput = "union"
    """The objects compared."""


class BarlowSettings(TermSettings):
    """Feature-wise: the cross-correlation of the two views' latents shall be the identity."""

    off_diagonal: float = Field(default=5e-3, ge=0, allow_inf_nan=False)
    """Weight of the redundancy term."""

    n_latents: int = Field(default=2048, ge=2)
    """Latents sampled at most, evenly over their firing rates."""

    min_firings: int = Field(default=8, ge=1)
    """Times that a latent must fire in each view of the batch to be sampled."""

    on: TermInput = "union"
    """The objects compared."""


class CrossViewSettings(TermSettings):
    """Feature-wise: each latent's correlation between the views, weighted by its invariance."""

    min_invariance: float = Field(default=0.1, ge=0, lt=1)
    """Latents that are less invariant than this take no part."""

    min_latents: int = Field(default=8, ge=1)
    """With fewer eligible latents the term is 0 for that batch."""

    on: TermInput = "codes"
    """The objects compared."""


class PushUpSettings(TermSettings):
    """Raises a latent that fires in one view and is silent in the other."""

    height: Positive = 1.25
    """Target, in units of the smallest active value of a batch, on average."""

    min_latents: int = Field(default=8, ge=1)
    """With fewer latents that ever fire in both views the term is 0 for that batch."""


class MixingSettings(TermSettings):
    """Targeted feature mixing: some latents of an anchor are exchanged for another sequence's, the
    mixture is decoded and encoded again; what was exchanged must differ, the rest must not."""

    targeting: Literal["targeted", "random"] = "targeted"
    """`targeted` exchanges latents that pairs share above chance, `random` any."""

    temperature: Positive = 0.5
    """Temperature of targeting: low swaps what pairs share most (hard), high is near `random`."""

    share: Share = 0.5
    """Share of the active latents of anchor and donor that is exchanged."""

    margin: Positive = 0.5
    """Margin, in cosine, by which the anchor must be closer to its positive than to the mixture."""


class ShiftSettings(TermSettings):
    """Terms that look at the change of the code between the two rows of a pair."""

    on: TermInput = "union"
    """The objects compared."""


class SparseShiftSettings(ShiftSettings):
    """Concentrates the change of the code over a minimal pair in few latents, by the ratio of its
    norms. Nobody need say which factor differs."""

    # another type than the base's: where little may change, the pairs need not be minimal ones
    pairs: Annotated[tuple[PairKind, ...], Field(min_length=1)] = ("minimal",)  # pyright: ignore[reportIncompatibleVariableOverride]
    """Kinds of pairs that the term looks at."""


class SwapSettings(ShiftSettings):
    """Turns the change of the code over a minimal pair to the latents of the value that goes and of
    the one that comes. Needs the names of the values."""

    n_values: int = Field(default=64, ge=2)
    """Profiles: at least the values of all factors together."""

    pairs: Annotated[tuple[Literal["minimal"], ...], Field(min_length=1)] = ("minimal",)  # pyright: ignore[reportIncompatibleVariableOverride]
    """Kinds of pairs that the term looks at."""


LOSS_TERMS: dict[str, type[TermSettings]] = {
    "rows": RowsSettings,
    "columns": ColumnsSettings,
    "triplet": TripletSettings,
    "barlow": BarlowSettings,
    "cross_view": CrossViewSettings,
    "push_up": PushUpSettings,
    "mixing": MixingSettings,
    "sparse_shift": SparseShiftSettings,
    "swap": SwapSettings,
    "temporal": TemporalSettings,
}
"""Name of a term -> its settings; `csae_bench.saes.losses.<name>` is its function."""
