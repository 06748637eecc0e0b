"""The sets of paraphrases that have a name. To add one: a row of NAMED_PARAPHRASES."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from csae_bench.corpora import SAE_PROBES, TINYWORLD, Paraphrases, corpus_fingerprint
from csae_bench.paraphrases.labelled import labelled_fingerprint, labelled_paraphrases

ENGLISH = "english"


@dataclass(frozen=True)
class TinyworldParaphrases:
    """Tinyworld's, without end; groups of two, in training templates and words alone."""

    seed: int

    n_groups: None = None

    def texts(self, group: int) -> tuple[str, ...]:
        """Return the texts of a group, always the same."""
        from csae_bench.tinyworld import paraphrases

        return next(paraphrases(1, seed=self.seed, start=group))


def _english(seed: int) -> Paraphrases:
    from csae_bench.paraphrases.english import EnglishParaphrases

    return EnglishParaphrases(seed)


def _english_fingerprint() -> str:
    from csae_bench.paraphrases.english import english_fingerprint

    return english_fingerprint()


@dataclass(frozen=True, kw_only=True)
class NamedParaphrases:
    """A set of paraphrases that the configuration names."""

    what: str
    """Phrase for what they are."""
    open: Callable[[int], Paraphrases]
    """Function that makes them of a seed, or raises a UsageError."""
    fingerprint: Callable[[], str]
    """Function that returns what changes when they do; it raises nothing."""


NAMED_PARAPHRASES: Mapping[str, NamedParaphrases] = {
    TINYWORLD: NamedParaphrases(
        what="tinyworld's paraphrases",
        open=TinyworldParaphrases,
        fingerprint=lambda: corpus_fingerprint(TINYWORLD, split="sae"),
    ),
    ENGLISH: NamedParaphrases(
        what="English sentences of the grid `english`, in its training templates and words",
        open=_english,
        fingerprint=_english_fingerprint,
    ),
    SAE_PROBES: NamedParaphrases(
        what="paraphrases of MRPC and QQP that sae-probes ships",
        open=labelled_paraphrases,
        fingerprint=labelled_fingerprint,
    ),
}
"""Sets of paraphrases by the name that `pairs.paraphrase.dataset` has them under."""
