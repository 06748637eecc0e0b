"""Questions that are answered right under each setting of the intervention."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Bool, Int
from numpy.typing import NDArray

from csae_bench.engines.unlearning.data import FORGET


class Setting(NamedTuple):
    """One setting of the intervention."""

    retain_threshold: float
    """Latents that fire on this share of the retain text's tokens or more are not clamped."""
    n_features: int
    """Latents that are clamped: as many as asked for, or all there are."""
    multiplier: int
    """Active latents are clamped to minus this value."""
    latents: tuple[int, ...]


@dataclass(frozen=True, kw_only=True, eq=False)
class Sweep:
    """Answers under every setting to the questions that are answered right without any."""

    settings: tuple[Setting, ...]
    questions: Mapping[str, Int[NDArray[Any], " n_questions"]]
    """Rows asked of each subject: those answered right in all 24 orders of their choices."""
    rights: Mapping[str, Bool[NDArray[Any], "n_settings n_questions"]]
    """Whether the answer is right, by subject."""

    @property
    def forget(self) -> Bool[NDArray[Any], "n_settings n_questions"]:
        """Answers to questions about what is to be forgotten."""
        return self.rights[FORGET]

    @property
    def retain(self) -> Bool[NDArray[Any], "n_settings n_questions"]:
        """Answers to all other questions, subject after subject."""
        return np.concatenate([self.rights[name] for name in self.retained], axis=1)

    @property
    def retained(self) -> list[str]:
        """Subjects to retain."""
        return [name for name in self.questions if name != FORGET]

    @property
    def retain_subjects(self) -> Int[NDArray[Any], " n_questions"]:
        """Number of the subject of each column of `retain`."""
        return np.repeat(
            np.arange(len(self.retained)), [len(self.questions[name]) for name in self.retained]
        )
