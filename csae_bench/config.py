"""RunConfig: everything a run depends on, strictly checked, every problem reported at once.

A field stands in one place and has its default there. Reading YAML, merging `--set` and turning
pydantic's findings into sentences is `config_loading.py`.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Literal, cast

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    SerializeAsAny,
    create_model,
    field_validator,
    model_validator,
)

from csae_bench.loss_terms import LOSS_TERMS, TermSettings

Fraction = Annotated[float, Field(gt=0, le=1)]
Positive = Annotated[float, Field(gt=0, allow_inf_nan=False)]
NonNegative = Annotated[float, Field(ge=0, allow_inf_nan=False)]
Count = Annotated[int, Field(ge=1)]
Dtype = Literal["float32", "bfloat16", "float16"]


class Settings(BaseModel):
    """Base of every settings block: frozen, and an unknown key is an error."""

    model_config = ConfigDict(extra="forbid", frozen=True, use_attribute_docstrings=True)


class ModelActivations(Settings):
    """Activations of a language model on text."""

    kind: Literal["model"] = "model"

    dataset: str = "embedded"
    """`embedded` (the text of the embedded world), a folder of .jsonl or .parquet files with a
    `text` column, or the name of a dataset on the Hugging Face hub."""

    context_size: Count = 128
    """Tokens in a sequence, `<bos>` included."""

    batch_size_prompts: Count = 32
    """Sequences in one forward pass of the language model."""

    pairs_in_buffer: Count = 8192
    """Pairs held for shuffling; the buffer costs 8 * d_in bytes for each."""


class GeneratorActivations(Settings):
    """Sparse combinations of random directions: activations without a language model.

    A sequence draws `n_slow_features` that stay active throughout it and, at every position,
    `n_fast_features` more, with lognormal magnitudes and Gaussian noise.
    """

    kind: Literal["generator"] = "generator"

    d_in: Count = 2304
    """Width of an activation."""

    n_features: Count = 4608
    """Directions in the world, in superposition where above d_in."""

    n_slow_features: Count = 8
    """Features that a whole sequence shares; what a same-sequence pair has in common."""

    n_fast_features: Count = 24
    """Features drawn anew at every position."""

    noise: NonNegative = 0.05
    """Standard deviation of the noise, in units of one feature's median magnitude."""

    context_size: Count = 128
    """Positions in a sequence."""

    batch_size_prompts: Count = 32
    """Sequences made at once."""

    pairs_in_buffer: Count = 8192
    """Pairs held for shuffling."""


class PairsSettings(Settings):
    """Which rows are anchor and positive."""

    kind: Literal["same_sequence"] = "same_sequence"
    """`same_sequence`: two positions of one sequence."""

    min_distance: Count = 1
    """Smallest distance of the two positions, in tokens."""

    max_distance: Count | None = None
    """Largest distance; none: as far as the sequence reaches. 1 gives adjacent positions."""


class SaeSettings(Settings):
    """What every SAE has."""

    apply_b_dec_to_input: bool = True
    """Subtract the decoder's bias before encoding."""


class TrainedSae(SaeSettings):
    """What every SAE that is trained has."""

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
        """The levels' widths, the default filled in."""
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


_LOSSES: type[BaseModel] = create_model(
    "Losses", __base__=Settings, **{name: (row, row()) for name, row in LOSS_TERMS.items()}
)  # pyright: ignore[reportCallIssue, reportArgumentType]
"""A model made from the table, so that a wrong key is reported with its term's name."""


class Contrastive(Settings):
    """Mixed into the settings of a backbone: the contrastive terms beside its own losses."""

    losses: dict[str, SerializeAsAny[TermSettings]] = {}
    """Terms by name; see `csae_bench/loss_terms.py`. A weight of 0 switches a term off."""

    @field_validator("losses", mode="before")
    @classmethod
    def _terms_by_name(cls, value: Any) -> Any:
        if not isinstance(value, dict):
            return value
        terms = _LOSSES.model_validate(value)
        return {name: getattr(terms, name) for name in LOSS_TERMS if name in value}

    def active_terms(self) -> dict[str, TermSettings]:
        """The terms whose weight is above 0."""
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


class IdentitySae(SaeSettings):
    """A baseline: passes activations through, as x = relu(x) - relu(-x). The ceiling."""

    architecture: Literal["identity"] = "identity"


class PcaSae(SaeSettings):
    """A baseline: the projection on the leading principal components."""

    architecture: Literal["pca"] = "pca"
    n_components: Count = 16
    """Components kept; each becomes two latents, for its two signs, so L0 is n_components."""
    n_fit_tokens: Count = 200_000
    """Tokens the components are estimated from."""


class RandomSae(SaeSettings):
    """A control: a frozen random decoder, its transpose as the encoder, and TopK."""

    architecture: Literal["random"] = "random"
    d_sae: Count = 1024
    """Latents."""
    k: Count = 16
    """Active latents per row."""
    n_fit_tokens: Count = 50_000
    """Tokens the decoder's bias and one common scale are estimated from."""


class PermutedSae(SaeSettings):
    """A control: another SAE with the rows of its decoder permuted."""

    architecture: Literal["permuted"] = "permuted"
    of: str = "custom_sae"
    """The other SAE: a config's name or path, or a checkpoint folder."""


SaeConfig = Annotated[
    StandardSae
    | TopKSae
    | BatchTopKSae
    | MatryoshkaBatchTopKSae
    | JumpReluSae
    | ContrastiveSae
    | ContrastiveTopKSae
    | ContrastiveBatchTopKSae
    | ContrastiveJumpReluSae
    | ContrastiveMatryoshkaBatchTopKSae
    | IdentitySae
    | PcaSae
    | RandomSae
    | PermutedSae,
    Field(discriminator="architecture"),
]


class WandbSettings(Settings):
    """Logging to Weights & Biases through SAELens's logger."""

    project: str = "csae-bench"
    """Project that receives the run."""
    entity: str | None = None
    """Account or team."""
    run_name: str | None = None
    """Name of the run."""


class TrainingSettings(Settings):
    """SAELens's trainer."""

    n_tokens: Count = 1_000_000
    """Rows of activations, anchors and positives together. A rest below one batch is not used."""

    batch_size: Count = 2048
    """Rows in a step: batch_size / 2 pairs."""

    learning_rate: Positive = 1e-3
    """Adam's learning rate after the warm-up."""

    lr_scheduler: Literal["constant", "cosineannealing"] = "constant"
    """What the learning rate does between warm-up and decay."""

    lr_warm_up_steps: Annotated[int, Field(ge=0)] = 0
    """Steps of linear rise at the start."""

    lr_decay_steps: Annotated[int, Field(ge=0)] = 0
    """Steps of linear fall to 0 at the end."""

    adam_beta1: Annotated[float, Field(ge=0, lt=1)] = 0.9
    """Adam's first decay rate."""

    adam_beta2: Annotated[float, Field(ge=0, lt=1)] = 0.999
    """Adam's second decay rate."""

    gradient_clip_norm: Positive = 1.0
    """Largest norm of the gradient of all losses together."""

    dead_latent_window: Count = 200
    """Steps without firing after which a latent counts as dead."""

    autocast: bool = False
    """Run the forward pass of the SAE in bfloat16."""

    calibration_tokens: Annotated[int, Field(ge=0)] = 65_536
    """Rows from which the inference threshold of the BatchTopK kinds is set at the end, so that
    L0 at inference is that of training; 0 keeps SAELens's running mean."""

    log_every: Count = 10
    """Steps between lines of the training log."""

    checkpoint_every: Annotated[int, Field(ge=0)] = 200
    """Steps between the states that `--resume` starts from; 0: none."""

    wandb: WandbSettings | None = None
    """Where to log besides the training log; none: nowhere."""

    @field_validator("batch_size")
    @classmethod
    def _batch_holds_whole_pairs(cls, value: int) -> int:
        if value % 2:
            raise ValueError(f"batch_size is {value}; it must be even, since a pair is two rows")
        return value

    @property
    def n_steps(self) -> int:
        """Steps that the tokens suffice for: n_tokens / batch_size, rounded down."""
        return self.n_tokens // self.batch_size


class RunConfig(Settings):
    """Everything a run depends on."""

    model: str = "tiny-gemma2-it"
    """A name of `csae-bench list models`, a local Hugging Face folder, or a name on the hub."""

    hook_name: str | None = None
    """Where the activations are taken; none: the model's default hook."""

    model_dtype: Dtype = "float32"
    """Type of the language model's weights."""

    device: str = "auto"
    """`auto` (cuda where there is one), `cpu`, `cuda`, `cuda:1`, `mps`."""

    seed: Annotated[int, Field(ge=0, lt=2**31)] = 0
    """Seed of everything that is random."""

    threads: Count | None = None
    """Threads of torch on the CPU; none: torch's own choice."""

    activations: Annotated[ModelActivations | GeneratorActivations, Field(discriminator="kind")] = (
        ModelActivations()
    )
    pairs: PairsSettings = PairsSettings()
    sae: SaeConfig = ContrastiveTopKSae()
    training: TrainingSettings = TrainingSettings()
    evals: dict[str, dict[str, Any]] = {"core": {}}
    """Evals to run, in this order, each with its settings."""

    @model_validator(mode="before")
    @classmethod
    def _kinds_have_defaults(cls, value: Any) -> Any:
        if not isinstance(value, dict):
            return value
        filled = dict(cast(dict[str, Any], value))
        for block, key, default in (
            ("sae", "architecture", "contrastive_topk"),
            ("activations", "kind", "model"),
        ):
            if isinstance(filled.get(block), dict):
                filled[block] = {key: default, **filled[block]}
        return filled

    @property
    def is_trained(self) -> bool:
        """Whether this configuration trains anything; baselines do not."""
        return isinstance(self.sae, TrainedSae)


class Change(Settings):
    """One `--set key=value`."""

    key: str
    value: Any


class ResolvedConfig(Settings):
    """A RunConfig together with where it and each of its values came from."""

    name: str
    """The configuration's name: its file's stem."""
    path: Path
    """The file it was read from."""
    config: RunConfig
    origins: dict[str, str]
    """Dotted key -> `default`, `file` or `flag`."""
    changes: tuple[Change, ...] = ()
    """What `--set` changed, the seed left out."""
