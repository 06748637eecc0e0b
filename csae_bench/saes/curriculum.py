"""Which stage of the curriculum a step lies in, and the objective that holds there."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Mapping
from dataclasses import dataclass

from csae_bench.config import Stage
from csae_bench.loss_terms import TermSettings


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

    def __post_init__(self) -> None:
        if not self.stages:
            object.__setattr__(self, "stages", (Stage(name="all", until=1.0),))

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
        """The stage that a step lies in; from n_steps on, the last one."""
        return self.stages[self._place(step)]

    def start_of(self, step: int) -> int:
        """First step of the stage that a step lies in."""
        return self.starts[self._place(step)]

    def is_start(self, step: int) -> bool:
        """Whether a stage begins with this step."""
        return self.start_of(step) == step

    def first_step_of(self, term: str, weights: Mapping[str, float]) -> int | None:
        """First step at which a term counts, from which its warm-up runs; None: it never does.

        Args:
            weights: weight of each term in `sae.losses`, which a stage's strength multiplies; a
                term that is not among them has the weight 0.
        """
        if weights.get(term, 0.0) == 0:
            return None
        for stage, start, length in zip(self.stages, self.starts, self.lengths, strict=True):
            if length > 0 and stage.strength_of(term) > 0:
                return start
        return None

    def _place(self, step: int) -> int:
        if step < 0:
            raise ValueError(f"step is {step}; steps count from 0.")
        return bisect_right(self.starts, step) - 1


def objective_at(terms: Mapping[str, TermSettings], stage: Stage) -> dict[str, TermSettings]:
    """The terms that count in a stage, with the settings that they have there.

    A term's weight is multiplied by the stage's strength, and the stage's settings replace its
    own. Terms whose weight is then 0 are left out, whatever the stage sets of them.
    """
    changed = {
        name: term.model_copy(
            update={**stage.settings.get(name, {}), "weight": term.weight * stage.strength_of(name)}
        )
        for name, term in terms.items()
    }
    return {name: term for name, term in changed.items() if term.weight > 0}
