"""The contrastive objective, mixed into any of SAELens's training classes.

`ContrastiveTrainingConfig` adds the field `losses` to a training config, `ContrastiveTraining`
adds the terms that it switches on to the backbone's loss. With none switched on, both leave the
backbone as it is, to the last bit.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from pydantic import ValidationError
from sae_lens.saes.sae import (
    TrainCoefficientConfig,
    TrainingSAE,
    TrainStepInput,
    TrainStepOutput,
)
from torch import Tensor
from typing_extensions import override

from csae_bench.errors import ConfigError, TrainingError, UnknownNameError
from csae_bench.loss_terms import LOSS_TERMS, TermSettings
from csae_bench.saes import losses
from csae_bench.saes.step import PairedStepInput

_NOT_THE_FUNCTIONS = {*TermSettings.model_fields, "on", "latent_fraction"}
"""Settings of a term that say how it is used; all others are arguments of its function."""


@dataclass(kw_only=True)
class ContrastiveTrainingConfig:
    """Mixed into a training config of SAELens, before it.

    It is no subclass of SAELens's TrainingSAEConfig on purpose: a dataclass takes the defaults of
    the leftmost base, so such a mixin would overwrite a backbone's own with the general ones.
    """

    losses: dict[str, dict[str, Any]] = field(default_factory=dict[str, dict[str, Any]])
    """Terms by name with their settings, as in `sae.losses`; all settings after construction."""

    def __post_init__(self) -> None:
        self.losses = {name: term.model_dump() for name, term in _parsed(self.losses).items()}
        super().__post_init__()  # pyright: ignore[reportAttributeAccessIssue]

    def active_terms(self) -> dict[str, TermSettings]:
        """The terms whose weight is above 0."""
        return {name: term for name, term in _parsed(self.losses).items() if term.weight > 0}


class ContrastiveTraining(TrainingSAE[Any]):
    """Mixed into a training SAE of SAELens, before it; `cfg` is a ContrastiveTrainingConfig."""

    @override
    def get_coefficients(self) -> dict[str, float | TrainCoefficientConfig]:
        """The backbone's coefficients, and one for each term that is switched on."""
        return {
            **super().get_coefficients(),  # pyright: ignore[reportAbstractUsage]
            **{
                name: TrainCoefficientConfig(term.weight, term.warm_up_steps)
                for name, term in self.cfg.active_terms().items()
            },
        }

    @override
    def training_forward_pass(self, step_input: TrainStepInput) -> TrainStepOutput:
        """The backbone's forward pass and, for each term T, coefficient * value.

        `losses[T]` is the product, `metrics["raw/T"]` the value alone.

        Raises:
            TrainingError: a term is switched on, but nobody says which rows are pairs.
        """
        terms = self.cfg.active_terms()
        if not terms:
            return super().training_forward_pass(step_input)
        if not isinstance(step_input, PairedStepInput):
            raise TrainingError(
                f"The term '{next(iter(terms))}' of architecture '{self.cfg.architecture()}' needs "
                "pairs, but the rows of this trainer are not pairs. Train with csae_bench's "
                "ContrastiveSAETrainingRunner, or switch the term off with a weight of 0."
            )
        output = super().training_forward_pass(step_input)
        for name, term in terms.items():
            anchors, positives = _views(output, term)
            settings = term.model_dump(exclude=_NOT_THE_FUNCTIONS)
            value = getattr(losses, name)(anchors, positives, step_input.pairs, **settings)
            output.losses[name] = step_input.coefficients[name] * value
            output.loss = output.loss + output.losses[name]
            output.metrics[f"raw/{name}"] = value.detach()
        return output


def _views(output: TrainStepOutput, term: TermSettings) -> tuple[Tensor, Tensor]:
    """What the term compares, of the anchors and of the positives: [n_pairs, n_latents] each."""
    on_codes = getattr(term, "on", "codes") == "codes"
    acts = output.feature_acts if on_codes else output.hidden_pre
    if acts.is_sparse:  # SAELens's use_sparse_activations
        acts = acts.to_dense()
    n_latents = max(1, round(getattr(term, "latent_fraction", 1.0) * acts.shape[1]))
    acts = acts[:, :n_latents]
    if not on_codes:
        acts = acts.relu()
    return acts[0::2], acts[1::2]


def _parsed(losses: Mapping[str, Any]) -> dict[str, TermSettings]:
    """The settings of each term, checked.

    Raises:
        UnknownNameError: there is no such term.
        ConfigError: a term has no such setting, or a setting no such value.
    """
    terms: dict[str, TermSettings] = {}
    problems: list[str] = []
    for name, settings in losses.items():
        if name not in LOSS_TERMS:
            raise UnknownNameError("loss term", name, LOSS_TERMS)
        try:
            terms[name] = LOSS_TERMS[name].model_validate(settings)
        except ValidationError as error:
            for found in error.errors():
                key = ".".join(str(part) for part in ("losses", name, *found["loc"]))
                problems.append(f"{key} is {found['input']!r}: {found['msg']}.")
    if problems:
        raise ConfigError(problems)
    return terms
