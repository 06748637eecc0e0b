"""RunConfig: everything a run depends on, in one place."""

from __future__ import annotations

from copy import deepcopy
from pathlib import Path
from typing import Annotated, Any, cast

from pydantic import Field, model_validator

from csae_bench.config.activations import GeneratorActivations, ModelActivations
from csae_bench.config.base import Dtype, Settings
from csae_bench.config.pairs import PairsSettings
from csae_bench.config.sae import ContrastiveTopKSae, SaeConfig, TrainedSae
from csae_bench.config.training import TrainingSettings

DEFAULT_EVALS: dict[str, dict[str, Any]] = {"core": {}}
"""Evals of a configuration that names none."""


class RunConfig(Settings):
    """Everything a run depends on."""

    model: str = "tiny-gemma2-it"
    """A name of `csae-bench list models`, a local Hugging Face folder, or a name on the hub."""

    hook_name: str | None = None
    """Hook at which the activations are taken; none: the model's default hook."""

    model_dtype: Dtype = "float32"
    """Type of the language model's weights."""

    device: str = "auto"
    """`auto` (cuda where there is one), `cpu`, `cuda`, `cuda:1`, `mps`."""

    seed: Annotated[int, Field(ge=0, lt=2**31)] = 0
    """Seed of everything that is random."""

    threads: Annotated[int, Field(ge=1, le=4096)] | None = None
    """Threads of torch, numpy and scipy on the CPU; none: their own choice."""

    activations: Annotated[ModelActivations | GeneratorActivations, Field(discriminator="kind")] = (
        ModelActivations()
    )
    """What the SAE is trained on: a language model's activations, or generated ones."""

    pairs: PairsSettings = PairsSettings()
    sae: SaeConfig = ContrastiveTopKSae()
    """The SAE: its architecture, and the settings that this architecture has."""

    training: TrainingSettings = TrainingSettings()
    evals: dict[str, dict[str, Any]] = Field(default_factory=lambda: deepcopy(DEFAULT_EVALS))
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
    """Overrides by `--set`, without the seed."""
