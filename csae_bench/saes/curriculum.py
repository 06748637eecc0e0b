"""Stages of the curriculum by step, and the objective of each."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Mapping
from dataclasses import dataclass, field

from csae_bench.config import PairsSettings, RunConfig, Stage
from csae_bench.config.loss_terms import TermSettings


@dataclass(frozen=True)
class Curriculum:
    """The stages of a training in steps; steps count from 0.

    A stage ends before step round(until * n_steps). Where training is short a stage may hold no
    step; none is ever given for a step then, and preflight reports it.
    """

    stages: tuple[Stage, ...]
    """In order; given none, there is one, named `all`, in which everything counts in full."""

    n_steps: int
    """Planned steps of the whole training."""

    pairs: PairsSettings = field(default_factory=PairsSettings)
    """The kinds of pairs that are on."""

    def __post_init__(self) -> None:
        if not self.stages:
            object.__setattr__(self, "stages", (Stage(name="all", until=1.0),))

    @classmethod
    def of(cls, config: RunConfig) -> Curriculum:
        """Return the curriculum of a configuration; without steps if that trains nothing."""
        return cls(config.training.curriculum, config.training.n_steps, config.pairs)

    @property
    def starts(self) -> tuple[int, ...]:
        """First step of each stage."""
        return (0, *(round(stage.until * self.n_steps) for stage in self.stages[:-1]))

    @property
    def lengths(self) -> tuple[int, ...]:
        """Steps of each stage."""
        ends = (*self.starts[1:], self.n_steps)
        return tuple(end - start for start, end in zip(self.starts, ends, strict=True))

    def at(self, step: int) -> Stage:
        """Return the stage that a step lies in; from n_steps on, the last one."""
        return self.stages[self._place(step)]

    def start_of(self, step: int) -> int:
        """First step of the stage that a step lies in."""
        return self.starts[self._place(step)]

    def is_start(self, step: int) -> bool:
        """Test whether a stage begins with this step."""
        return self.start_of(step) == step

    def shares(self, stage: Stage) -> dict[str, float]:
        """Share of each kind of pairs in the batches of a stage."""
        return self.pairs.shares(stage.pairs)

    def objective(self, terms: Mapping[str, TermSettings], stage: Stage) -> dict[str, TermSettings]:
        """Return the terms that count in a stage, with the settings that they have there.

        A term's weight is multiplied by the stage's strength, and the stage's settings replace its
        own. Terms whose weight is then 0 are left out, whatever the stage sets of them, and so are
        those that look at kinds of pairs alone that the stage's batches do not hold.
        """
        # a stage without any pairs is an error that preflight reports
        kinds = self.pairs.in_batch(stage.pairs) or self.pairs.in_batch()
        changed = {
            name: term.model_copy(
                update={
                    **stage.settings.get(name, {}),
                    "weight": term.weight * stage.strength_of(name),
                }
            )
            for name, term in terms.items()
        }
        return {n: term for n, term in changed.items() if term.weight > 0 and term.sees(kinds)}

    def first_step_of(self, name: str, terms: Mapping[str, TermSettings]) -> int | None:
        """First step at which a term counts, from which its warm-up runs; None: it never does."""
        for stage, start, length in zip(self.stages, self.starts, self.lengths, strict=True):
            if length > 0 and name in self.objective(terms, stage):
                return start
        return None

    def _place(self, step: int) -> int:
        if step < 0:
            raise ValueError(f"step is {step}; steps count from 0.")
        return bisect_right(self.starts, step) - 1
