"""Inputs of an eval besides the SAE and the language model, and its requirements.

An input says what is known of it before a run (`status`) and what changes when it does
(`fingerprint`); neither loads a model, and neither imports torch. Importing this imports neither
corpora nor factors, since `compare` imports evals for the rows of their metrics.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, Protocol

if TYPE_CHECKING:
    from csae_bench.corpora import CorpusSplit

CheckOutcome = Literal["ok", "problem", "unknown"]
"""Result of a check before a run; `unknown`: it cannot be checked on this machine."""

Status = tuple[CheckOutcome, str]
"""Outcome and one sentence."""


class Input(Protocol):
    """Data that an eval reads."""

    @property
    def kind(self) -> str:
        """`factors`, `corpus`, `questions`, `probes` or a kind of a third party's own."""
        ...

    @property
    def name(self) -> str:
        """Its name in the settings: a registered name, a path, or a name on the Hub."""
        ...

    @property
    def key(self) -> str:
        """Setting of the eval that names it; empty if several do."""
        ...

    def status(self) -> list[Status]:
        """Return what can be said of it before a run, a sentence each; files are read."""
        ...

    def fingerprint(self) -> str | None:
        """Return what changes when the data does; None if nothing can be known of it."""
        ...


@dataclass(frozen=True)
class FactorInput:
    """A factor dataset by name or path, `auto` resolved."""

    name: str
    key: str = "factors"
    kind: str = "factors"

    def status(self) -> list[Status]:
        """Return whether the dataset is there and well formed."""
        from csae_bench.factors import factor_status

        return [factor_status(self.name)]

    def fingerprint(self) -> str | None:
        """Return a hash of the code or the stamps of the files that make it."""
        from csae_bench.factors import factor_fingerprint

        return factor_fingerprint(self.name)


@dataclass(frozen=True)
class CorpusInput:
    """Text by name or path."""

    name: str
    split: CorpusSplit
    key: str = "dataset"
    kind: str = "corpus"

    def status(self) -> list[Status]:
        """Return whether the text is there."""
        from csae_bench.corpora import corpus_status

        return [corpus_status(self.name)]

    def fingerprint(self) -> str | None:
        """Return a hash of the split's text, or of its files' stamps."""
        from csae_bench.corpora import corpus_fingerprint

        return corpus_fingerprint(self.name, split=self.split)


@dataclass(frozen=True, kw_only=True)
class Needs:
    """Requirements of an eval with some language model."""

    model: bool = True
    """Whether it runs a language model."""
    inputs: tuple[Input, ...] = ()
    batch_size: int = 16
    """Prompts in one forward pass, for the estimate of memory."""
    context_size: int | None = None
    """Tokens in a prompt; must fit the model's context. None: the eval fits itself to the model."""
    prompt_tokens: int | None = None
    """Tokens in a prompt, for the estimate of memory; None: `context_size`."""
    n_logits: int | None = None
    """Positions of a prompt whose logits are computed, for the estimate of memory; None: all."""
    skip: str | None = None
    """Reason to skip this eval with the run's model; None to run it."""
    problems: tuple[str, ...] = ()
    """Problems of the settings with this model, one sentence each."""
