"""Schedule of the objective: what of the objective changes from step to step.

The curriculum says which terms count and which pairs a batch is made of, the weighting how strongly
each term pulls, the L0 controller how strong the sparsity penalty is. The schedule carries it into
SAELens's trainer, and stops a training whose terms do nothing.
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from sae_lens.saes.sae import TrainingSAE, TrainStepOutput
from sae_lens.training.optim import CoefficientScheduler

from csae_bench.config import (
    HoldL0Settings,
    PairsSettings,
    RunConfig,
    Stage,
    WeightingSettings,
)
from csae_bench.config.loss_terms import TermSettings
from csae_bench.errors import ConfigError, TrainingError
from csae_bench.pairs import PairBatches
from csae_bench.saes.curriculum import Curriculum
from csae_bench.saes.l0_controller import L0Controller
from csae_bench.saes.losses import TermValue
from csae_bench.saes.objective import ContrastiveStepOutput, ContrastiveTraining
from csae_bench.saes.weighting import Measurement, weighting
from csae_bench.training.log import as_float, as_floats, unexplained_variance

PATIENCE = 50
"""Steps that a term may be exactly 0, or without a gradient, before training stops."""

_LAGS = {"l1": 30, "l0": 60}
"""Names of the coefficients of SAELens's sparsity penalties, of ReLU and of JumpReLU, and in how
many steps L0 follows each, as measured: thresholds move more slowly than biases."""


@dataclass(frozen=True, kw_only=True)
class ObjectiveScheduleSettings:
    """Parts of a configuration that control the objective."""

    weighting: WeightingSettings = field(default_factory=WeightingSettings)
    curriculum: tuple[Stage, ...] = ()
    hold_l0: HoldL0Settings | None = None
    pairs: PairsSettings = field(default_factory=PairsSettings)

    @classmethod
    def of(cls, config: RunConfig) -> ObjectiveScheduleSettings:
        """Return those of a configuration."""
        training = config.training
        return cls(
            weighting=training.weighting,
            curriculum=training.curriculum,
            hold_l0=training.hold_l0,
            pairs=config.pairs,
        )


class ObjectiveSchedule:
    """Per-training state of the objective."""

    def __init__(
        self,
        sae: TrainingSAE[Any],
        stream: PairBatches,
        schedulers: dict[str, CoefficientScheduler],
        settings: ObjectiveScheduleSettings,
        *,
        planned_steps: int,
    ) -> None:
        self.curriculum = Curriculum(settings.curriculum, planned_steps, settings.pairs)
        self.weighting = weighting(settings.weighting)
        self._sae = sae
        self._stream = stream
        self._schedulers = schedulers
        self._terms: dict[str, TermSettings] = (
            sae.cfg.active_terms() if isinstance(sae, ContrastiveTraining) else {}
        )
        self._first_steps = {
            name: self.curriculum.first_step_of(name, self._terms) for name in self._terms
        }
        for name, first in self._first_steps.items():
            if first is None:
                warnings.warn(
                    f"The term '{name}' counts at no step of this training.", stacklevel=2
                )
        self._stage: Stage | None = None
        self._idle = {name: _Idle() for name in self._terms}
        self._hold_l0: L0Controller | None = None
        if settings.hold_l0 is not None:
            name, self._penalty = _penalty(schedulers)
            self._hold_l0 = L0Controller(settings.hold_l0, default_lag=_LAGS[name])
            self._coefficient = self._penalty.final_value

    @property
    def terms(self) -> dict[str, TermSettings]:
        """The terms that count at the present step, with the settings of its stage."""
        return self._sae.terms if isinstance(self._sae, ContrastiveTraining) else {}

    def before_step(self, step: int) -> None:
        """Set the stage, the coefficients and the penalty of step `step`, counted from 0.

        Called before the batch of that step is drawn.
        """
        stage = self.curriculum.at(step)
        if stage is not self._stage:
            if self._stage is not None:
                self.weighting.new_stage()
            self._stage = stage
            if isinstance(self._sae, ContrastiveTraining):
                self._sae.terms = self.curriculum.objective(self._terms, stage)
            self._stream.set_shares(self.curriculum.shares(stage))
        coefficients = self.weighting.coefficients(self._strengths(step))
        for name in self._terms:
            _set(self._schedulers[name], coefficients.get(name, 0.0))
        if self._hold_l0 is not None:
            _rescale(self._penalty, self._coefficient * self._hold_l0.factor)

    def must_measure(self, step: int) -> bool:
        """Decide whether the gradients of this step's terms affect later coefficients."""
        return bool(self.terms) and self.weighting.is_due(step, self.terms)

    def learn(self, step: int, output: TrainStepOutput, norms: Mapping[str, float] | None) -> None:
        """Learn from a step.

        Args:
            norms: of the gradients on the encoder (see `gradient_norms`), where they were measured.

        Raises:
            TrainingError: a term that is on has been exactly 0, or without a gradient, for too
                long.
        """
        if self._hold_l0 is not None:
            active = output.feature_acts.detach()
            n_active = active.values() if active.is_sparse else active
            self._hold_l0.update(int((n_active != 0).sum()) / len(output.sae_in))
        if not isinstance(output, ContrastiveStepOutput):
            return
        # the control's pairs have nothing in common: a term that finds nothing there is right
        shuffled = self.curriculum.pairs.shuffled_kinds
        values = as_floats({name: term.value for name, term in output.terms.items()})
        for name, term in output.terms.items():
            self._idle[name].see(term, values[name], None if norms is None else norms.get(name))
            if not self._terms[name].sees(shuffled):
                self._idle[name].raise_if_too_long(name, step + 1)
        if self.must_measure(step):
            self.weighting.update(_measurement(output, values, norms or {}))

    def measurements(self) -> dict[str, float | str]:
        """Return the log's entries: the stage, the guard's factor where there is one, and zero pull
        for terms that the stage leaves out.
        """
        line: dict[str, float | str] = {}
        for name in self._terms.keys() - self.terms.keys():
            line |= {
                f"loss/{name}": math.nan,
                f"coefficient/{name}": 0.0,
                f"grad_share/{name}": 0.0,
            }
        if len(self.curriculum.stages) > 1 and self._stage is not None:
            line["stage"] = self._stage.name
        guard = getattr(self.weighting, "guard_factor", None)
        if self._terms and guard is not None:
            line["guard"] = guard
        if self._hold_l0 is not None:
            line["penalty"] = self._penalty.value
        return line

    def state_dict(self) -> dict[str, Any]:
        """Return everything that decides later steps and does not follow from the step alone."""
        return {
            "weighting": self.weighting.state_dict(),
            "hold_l0": None if self._hold_l0 is None else self._hold_l0.state_dict(),
            "idle": {name: vars(idle).copy() for name, idle in self._idle.items()},
        }

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Resume from where `state` was taken."""
        self.weighting.load_state_dict(state["weighting"])
        if self._hold_l0 is not None:
            self._hold_l0.load_state_dict(state["hold_l0"])
        self._idle = {name: _Idle(**idle) for name, idle in state["idle"].items()}

    def _strengths(self, step: int) -> dict[str, float]:
        strengths: dict[str, float] = {}
        for name, term in self.terms.items():
            first = self._first_steps[name] or 0
            ramp = 1.0
            if term.warm_up_steps:
                ramp = min(1.0, (step - first + 1) / term.warm_up_steps)
            strengths[name] = term.weight * ramp
        return strengths


def _measurement(
    output: ContrastiveStepOutput, values: Mapping[str, float], norms: Mapping[str, float]
) -> Measurement:
    return Measurement(
        losses=values,
        gradient_norms={name: norms[name] for name in output.terms if name in norms},
        reconstruction_loss=as_float(output.losses["mse_loss"]),
        reconstruction_norm=norms.get("mse_loss", 0.0),
        unexplained_variance=unexplained_variance(output),
    )


@dataclass
class _Idle:
    """Number of steps for which a term has had no effect."""

    steps_at_zero: int = 0
    steps_since_gradient: int = 0
    reason: str = ""

    def see(self, term: TermValue, value: float, gradient_norm: float | None) -> None:
        if term.n_compared == 0 or value == 0:
            self.steps_at_zero += 1
            self.reason = f"{term.n_compared} {term.compared}"
        else:
            self.steps_at_zero = 0
        self.steps_since_gradient += 1
        if gradient_norm is None:
            # not measured: nothing is known since, so nothing is held against the term
            self.steps_since_gradient = min(self.steps_since_gradient, PATIENCE)
        elif gradient_norm != 0:
            self.steps_since_gradient = 0

    def raise_if_too_long(self, name: str, step: int) -> None:
        advice = f"Fix this, or disable the term with sae.losses.{name}.weight=0."
        if self.steps_at_zero >= PATIENCE:
            raise TrainingError(
                f"Step {step}: the term '{name}' is switched on and has been exactly 0 for "
                f"{self.steps_at_zero} steps: {self.reason}. {advice}"
            )
        if self.steps_since_gradient > PATIENCE:
            raise TrainingError(
                f"Step {step}: the term '{name}' is switched on and has had no gradient on the "
                f"encoder for {PATIENCE} steps. {advice}"
            )


def _set(scheduler: CoefficientScheduler, value: float) -> None:
    scheduler.warm_up_steps = 0
    scheduler.final_value = scheduler.current_value = value


def _rescale(scheduler: CoefficientScheduler, final_value: float) -> None:
    """Give a scheduler another final value, at the place in its warm-up where it stands."""
    scheduler.final_value = final_value
    done = scheduler.current_step / scheduler.warm_up_steps if scheduler.warm_up_steps else 1.0
    scheduler.current_value = final_value * min(done, 1.0)


def _penalty(schedulers: Mapping[str, CoefficientScheduler]) -> tuple[str, CoefficientScheduler]:
    for name in _LAGS:
        if name in schedulers:
            return name, schedulers[name]
    raise ConfigError(
        [
            "training.hold_l0 is set, but this architecture has no sparsity penalty: its L0 is k. "
            "Leave training.hold_l0 out, or take standard, jumprelu, contrastive or "
            "contrastive_jumprelu."
        ]
    )
