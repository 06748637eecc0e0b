"""What a judge is, and what the settings of each kind say."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from csae_bench.engines.autointerp.messages import Messages
from csae_bench.evals.inputs import Input
from csae_bench.support.strict import Strict

if TYPE_CHECKING:
    from transformer_lens import HookedTransformer


Judge = Callable[[Messages, int], str]
"""Answers SAE-Bench's two prompts: of a chat and the tokens that it grants an answer the answer, or
an EvalError. Several threads may ask at once."""


@dataclass(frozen=True, kw_only=True)
class Opening:
    """What a judge may need to be opened."""

    model_name: str
    """Name or path of the run's language model."""
    load_model: Callable[[str], HookedTransformer]


class JudgeSettings(Strict):
    """Base of the settings of every kind of judge."""

    if TYPE_CHECKING:
        kind: Any
        """The name that tells the classes apart; each has it as its own Literal."""

    @abstractmethod
    def open(self, opening: Opening) -> Judge:
        """Return the judge.

        Raises:
            CsaeBenchError: it cannot be had.
        """

    @abstractmethod
    def called(self, model: str) -> str:
        """Return what the judge is called in a result: all that decides its answers."""

    def inputs(self, model: str) -> tuple[Input, ...]:
        """Return what it reads, such as a dataset or another model."""
        return ()

    def problems(self) -> tuple[str, ...]:
        """Return what keeps it from answering, as far as known before a run; a sentence each."""
        return ()

    @property
    def n_control(self) -> int:
        """Known latents, and as many random ones, on which it is scored unless a setting says so.

        None where asking costs money.
        """
        return 0
