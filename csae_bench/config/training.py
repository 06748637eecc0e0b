"""Settings of the trainer."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, field_validator

from csae_bench.config.base import Count, Positive, Settings
from csae_bench.config.curriculum import Stage
from csae_bench.config.weighting import HoldL0Settings, WeightingSettings


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
    """Course of the learning rate between warm-up and decay."""

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

    weighting: WeightingSettings = WeightingSettings()
    """Method that turns the weights of the contrastive terms into coefficients."""

    curriculum: tuple[Stage, ...] = ()
    """Stages, in order; none: all that is switched on counts from the first step to the last."""

    hold_l0: HoldL0Settings | None = None
    """L0 held at a target, of ReLU and JumpReLU; none: it follows from the penalty."""

    debug_gradients: bool = False
    """Find the operation whose gradient is the first that is not finite; slow."""

    dead_latent_window: Count = 200
    """Steps without firing after which a latent counts as dead."""

    autocast: bool = False
    """Run the forward pass of the SAE in bfloat16."""

    compile_sae: bool = False
    """Compile the forward pass of a step by `torch.compile`: the first step waits for the compiler,
    and sums are taken in another order. benchmarks/README.md says where it pays."""

    calibration_tokens: Annotated[int, Field(ge=0)] = 65_536
    """Rows from which the inference threshold of the BatchTopK kinds is set at the end, so that
    L0 at inference is that of training; 0 keeps SAELens's running mean."""

    log_every: Count = 10
    """Steps between lines of the training log."""

    checkpoint_every: Annotated[int, Field(ge=0)] = 200
    """Steps between the states that `--resume` starts from; 0: none."""

    wandb: WandbSettings | None = None
    """Logging to Weights & Biases, besides the training log; none: off."""

    @field_validator("batch_size")
    @classmethod
    def _batch_holds_whole_pairs(cls, value: int) -> int:
        if value % 2:
            raise ValueError(f"batch_size is {value}; it must be even, since a pair is two rows")
        return value

    @field_validator("curriculum")
    @classmethod
    def _fractions_rise_to_1(cls, value: tuple[Stage, ...]) -> tuple[Stage, ...]:
        ends = [stage.until for stage in value]
        if ends and (ends != sorted(set(ends)) or ends[-1] != 1):
            raise ValueError(
                f"the stages' until are {', '.join(map(str, ends))}; they must rise and end in 1"
            )
        if len({stage.name for stage in value}) < len(value):
            raise ValueError("two stages have the same name")
        return value

    @property
    def n_steps(self) -> int:
        """Number of steps: n_tokens / batch_size, rounded down."""
        return self.n_tokens // self.batch_size
