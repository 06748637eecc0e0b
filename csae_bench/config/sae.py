"""The SAEs that are trained: SAELens's, and ours with the contrastive objective.

A settings class has the fields of SAELens's training config of the same architecture, under the
same names; SAELens documents their meaning in detail. `baselines` has
the SAEs that need no training.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, Literal, Union

from pydantic import (
    BaseModel,
    Field,
    SerializeAsAny,
    create_model,
    field_validator,
    model_validator,
)

from csae_bench.config.base import (
    Count,
    Fraction,
    NonNegative,
    Positive,
    SaeSettings,
    Settings,
)
from csae_bench.config.baselines import BASELINES, BaselineSae
from csae_bench.config.loss_terms import LOSS_TERMS, TermSettings


class TrainedSae(SaeSettings):
    """Settings of every SAE that is trained."""

    apply_b_dec_to_input: bool = True
    """Subtract the decoder's bias before encoding."""

    d_sae: Count = 1024
    """Latents."""

    dtype: Literal["float32", "bfloat16"] = "float32"
    """Type of the weights."""

    normalize_activations: Literal["none", "expected_average_only_in"] = "none"
    """`expected_average_only_in` scales activations to a mean norm of sqrt(d_in) while training and
    folds the factor into the weights at the end."""

    decoder_init_norm: Positive | None = 0.1
    """Norm of the decoder's rows at the start; none leaves Kaiming's."""


class StandardSae(TrainedSae):
    """ReLU with an L1 penalty."""

    architecture: Literal["standard"] = "standard"
    l1_coefficient: NonNegative = 1.0
    """Weight of the L1 penalty on codes times decoder norms."""
    lp_norm: Positive = 1.0
    """Exponent of the penalty's norm."""
    l1_warm_up_steps: Annotated[int, Field(ge=0)] = 0
    """Steps over which the penalty rises from 0."""


class TopKSae(TrainedSae):
    """The k largest pre-activations of each row."""

    architecture: Literal["topk"] = "topk"
    k: Count = 16
    """Active latents per row."""
    aux_loss_coefficient: NonNegative = 1.0
    """Weight of the loss that lets dead latents explain the residual."""
    rescale_acts_by_decoder_norm: bool = True
    """Choose the k largest after multiplying by the decoder's norms."""


class AbsTopKSae(TopKSae):
    """The k pre-activations of each row that are largest in magnitude, with their signs."""

    architecture: Literal["abstopk"] = "abstopk"  # pyright: ignore[reportIncompatibleVariableOverride]


class GatedSae(TrainedSae):
    """ReLU for the magnitude, and a gate of its own for what is active; L1 on the gate."""

    architecture: Literal["gated"] = "gated"
    l1_coefficient: NonNegative = 1.0
    """Weight of the L1 penalty on the gate's pre-activations times decoder norms."""
    l1_warm_up_steps: Annotated[int, Field(ge=0)] = 0
    """Steps over which the penalty rises from 0."""


class MatchingPursuitSae(TrainedSae):
    """One latent after the other, each the one that explains most of what is left.

    The encoder is the transposed decoder. A row takes a pass over all latents for each active one.
    """

    architecture: Literal["matching_pursuit"] = "matching_pursuit"
    residual_threshold: NonNegative = 0.01
    """Norm of what is left at which a row has enough latents."""
    max_iterations: Count | None = None
    """Most active latents per row; none: d_in."""
    stop_on_duplicate_support: bool = True
    """Stop a row where a latent is chosen again."""
    decoder_init_norm: Annotated[float, Field(ge=1, le=1)] = 1.0  # pyright: ignore[reportIncompatibleVariableOverride]
    """Norm of the decoder's rows at the start, which must be 1."""


class BatchTopKSae(TrainedSae):
    """The k * rows largest pre-activations of each batch; JumpReLU at inference."""

    architecture: Literal["batchtopk"] = "batchtopk"
    k: Positive = 16.0
    """Active latents per row, on average."""
    aux_loss_coefficient: NonNegative = 1.0
    """Weight of the loss that lets dead latents explain the residual."""
    rescale_acts_by_decoder_norm: bool = True
    """Choose after multiplying by the decoder's norms."""
    topk_threshold_lr: Fraction = 0.01
    """Rate of the running mean of the threshold."""


class MatryoshkaBatchTopKSae(BatchTopKSae):
    """BatchTopK with nested reconstruction losses; JumpReLU at inference."""

    architecture: Literal["matryoshka_batchtopk"] = "matryoshka_batchtopk"  # pyright: ignore[reportIncompatibleVariableOverride]
    matryoshka_widths: tuple[Count, ...] = ()
    """Rising widths of the nested levels, the last one d_sae; empty: d_sae / 8, / 4, / 2, / 1."""
    use_matryoshka_aux_loss: bool = False
    """Let the dead latents of a level explain that level's residual."""

    @model_validator(mode="after")
    def _widths_rise_to_d_sae(self) -> MatryoshkaBatchTopKSae:
        widths = self.matryoshka_widths
        if widths and (list(widths) != sorted(set(widths)) or widths[-1] != self.d_sae):
            raise ValueError(
                f"matryoshka_widths is {list(widths)}; it must rise and end in d_sae={self.d_sae}"
            )
        return self

    def widths(self) -> tuple[int, ...]:
        """Return the widths of the levels, with the default filled in."""
        return self.matryoshka_widths or tuple(
            sorted({max(1, self.d_sae // part) for part in (8, 4, 2, 1)})
        )


class JumpReluSae(TrainedSae):
    """ReLU with a learned threshold and an L0 penalty."""

    architecture: Literal["jumprelu"] = "jumprelu"
    jumprelu_init_threshold: Positive = 0.01
    """Threshold at the start."""
    jumprelu_bandwidth: Positive = 0.05
    """Width of the kernel through which the threshold gets its gradient."""
    jumprelu_sparsity_loss_mode: Literal["step", "tanh", "quadratic"] = "step"
    """`step`: L0; `tanh`: tanh of the codes; `quadratic`: squared distance of L0 to target_l0."""
    l0_coefficient: NonNegative = 1.0
    """Weight of the penalty."""
    l0_warm_up_steps: Annotated[int, Field(ge=0)] = 0
    """Steps over which the penalty rises from 0."""
    pre_act_loss_coefficient: NonNegative | None = None
    """Weight of the loss that lifts dead latents' pre-activations; none: off."""
    jumprelu_tanh_scale: Positive = 4.0
    """Scale within the tanh."""
    jumprelu_ste_to_input: bool = False
    """Let the straight-through gradient reach the encoder too."""
    target_l0: Positive | None = None
    """L0 aimed at in `quadratic` mode."""

    @model_validator(mode="after")
    def _quadratic_has_a_target(self) -> JumpReluSae:
        if self.jumprelu_sparsity_loss_mode == "quadratic" and self.target_l0 is None:
            raise ValueError("target_l0 is missing; jumprelu_sparsity_loss_mode=quadratic needs it")
        return self


_ROWS: dict[str, Any] = {name: (row, row()) for name, row in LOSS_TERMS.items()}
_LOSSES: type[BaseModel] = create_model("Losses", __base__=Settings, **_ROWS)
"""A model made from the table, so that a wrong key is reported with its term's name."""


class Contrastive(Settings):
    """Mixin for the settings of a backbone: the contrastive terms in addition to its own losses."""

    losses: dict[str, SerializeAsAny[TermSettings]] = Field(default_factory=dict)
    """Terms by name; see `csae_bench/config/loss_terms.py`. A weight of 0 switches a term off."""

    @field_validator("losses", mode="before")
    @classmethod
    def _terms_by_name(cls, value: Any) -> Any:
        if not isinstance(value, dict):
            return value
        terms = _LOSSES.model_validate(value)
        return {name: getattr(terms, name) for name in LOSS_TERMS if name in value}

    def active_terms(self) -> dict[str, TermSettings]:
        """Return the terms whose weight is above 0."""
        return {name: term for name, term in self.losses.items() if term.weight > 0}


class ContrastiveSae(StandardSae, Contrastive):
    """ReLU and L1 with the contrastive objective, as in the experiment this project starts from."""

    architecture: Literal["contrastive"] = "contrastive"  # pyright: ignore[reportIncompatibleVariableOverride]


class ContrastiveTopKSae(TopKSae, Contrastive):
    """TopK with the contrastive objective."""

    architecture: Literal["contrastive_topk"] = "contrastive_topk"  # pyright: ignore[reportIncompatibleVariableOverride]


class ContrastiveBatchTopKSae(BatchTopKSae, Contrastive):
    """BatchTopK with the contrastive objective."""

    architecture: Literal["contrastive_batchtopk"] = "contrastive_batchtopk"  # pyright: ignore[reportIncompatibleVariableOverride]


class ContrastiveJumpReluSae(JumpReluSae, Contrastive):
    """JumpReLU with the contrastive objective."""

    architecture: Literal["contrastive_jumprelu"] = "contrastive_jumprelu"  # pyright: ignore[reportIncompatibleVariableOverride]


class ContrastiveMatryoshkaBatchTopKSae(MatryoshkaBatchTopKSae, Contrastive):
    """Matryoshka BatchTopK with the contrastive objective."""

    architecture: Literal["contrastive_matryoshka_batchtopk"] = "contrastive_matryoshka_batchtopk"  # pyright: ignore[reportIncompatibleVariableOverride]


TRAINED: tuple[type[TrainedSae], ...] = (
    StandardSae,
    TopKSae,
    BatchTopKSae,
    MatryoshkaBatchTopKSae,
    JumpReluSae,
    AbsTopKSae,
    GatedSae,
    MatchingPursuitSae,
    ContrastiveSae,
    ContrastiveTopKSae,
    ContrastiveBatchTopKSae,
    ContrastiveJumpReluSae,
    ContrastiveMatryoshkaBatchTopKSae,
)

if TYPE_CHECKING:
    SaeConfig = TrainedSae | BaselineSae
else:  # a union of what tables hold, which a type checker cannot read
    SaeConfig = Annotated[
        Union[(*TRAINED, *(row.settings for row in BASELINES.values()))],
        Field(discriminator="architecture"),
    ]
