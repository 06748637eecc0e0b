"""The kinds of pairs that are made of texts: how each one's texts are opened, checked, identified.

To add one: a row of PAIR_TEXTS here, and its source in `csae_bench.training.text_pairs`. Importing
this imports neither torch nor datasets.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from csae_bench.minimal_pairs import (
    NAMED_MINIMAL_PAIRS,
    minimal_pair_fingerprint,
    minimal_pair_status,
    open_minimal_pairs,
)
from csae_bench.paraphrases import (
    NAMED_PARAPHRASES,
    open_paraphrases,
    paraphrase_fingerprint,
    paraphrase_status,
)

Status = tuple[Literal["ok", "problem", "unknown"], str]


@dataclass(frozen=True, kw_only=True)
class PairTexts:
    """Texts of one kind of pairs. Each function takes the kind's settings."""

    named: Collection[str]
    """Names of sets of texts that need no file."""
    open: Callable[..., Any]
    """Function of the settings and, by keyword, the seed; it raises DataError or UsageError."""
    status: Callable[[Any], Status]
    """Function that checks the texts as far as possible without a model."""
    fingerprint: Callable[[Any], str]
    """Function that returns what changes when the texts do."""


PAIR_TEXTS: Mapping[str, PairTexts] = {
    "paraphrase": PairTexts(
        named=NAMED_PARAPHRASES,
        open=open_paraphrases,
        status=paraphrase_status,
        fingerprint=paraphrase_fingerprint,
    ),
    "minimal": PairTexts(
        named=NAMED_MINIMAL_PAIRS,
        open=open_minimal_pairs,
        status=minimal_pair_status,
        fingerprint=minimal_pair_fingerprint,
    ),
}
"""Kind of pairs -> its texts; kinds that are made of running text are not here."""
