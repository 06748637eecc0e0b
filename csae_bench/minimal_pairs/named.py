"""The sets of minimal pairs that have a name. To add one: a row of NAMED_MINIMAL_PAIRS."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from csae_bench.corpora import TINYWORLD, corpus_fingerprint
from csae_bench.corpora.files import files_sha256, sha256
from csae_bench.corpora.minimal_pairs import MinimalPairTexts
from csae_bench.minimal_pairs.factors import allowed_factors

ENGLISH = "english"


def _tinyworld(seed: int, wanted: Sequence[str] | None) -> MinimalPairTexts:
    from csae_bench.minimal_pairs.tinyworld import FACTORS, TinyworldPairs

    return TinyworldPairs(seed, allowed_factors(wanted, tuple(FACTORS), what=TINYWORLD))


def _tinyworld_fingerprint() -> str:
    own = files_sha256(_code_files("tinyworld"))
    return sha256(f"{corpus_fingerprint(TINYWORLD, split='sae')} {own}".encode())


def _english(seed: int, wanted: Sequence[str] | None) -> MinimalPairTexts:
    from csae_bench.minimal_pairs.english import FACTORS, EnglishPairs

    return EnglishPairs(seed, allowed_factors(wanted, tuple(FACTORS), what=ENGLISH))


def _english_fingerprint() -> str:
    from csae_bench.factors.datasets import english

    return files_sha256([*english.code_files(), *_code_files("english")])


def _code_files(name: str) -> list[Path]:
    return [Path(__file__).parent / f"{module}.py" for module in (name, "factors")]


@dataclass(frozen=True, kw_only=True)
class NamedMinimalPairs:
    """A set of minimal pairs that the configuration names."""

    what: str
    """Phrase for what they are."""
    open: Callable[[int, Sequence[str] | None], MinimalPairTexts]
    """Function that makes them of a seed and the factors that may differ (none: any)."""
    fingerprint: Callable[[], str]
    """Function that returns what changes when they do; it raises nothing."""


NAMED_MINIMAL_PAIRS: Mapping[str, NamedMinimalPairs] = {
    TINYWORLD: NamedMinimalPairs(
        what="tinyworld's minimal pairs",
        open=_tinyworld,
        fingerprint=_tinyworld_fingerprint,
    ),
    ENGLISH: NamedMinimalPairs(
        what="minimal pairs and translations of the grid `english`, in its training templates and "
        "words",
        open=_english,
        fingerprint=_english_fingerprint,
    ),
}
"""Sets of minimal pairs by the name that `pairs.minimal.dataset` has them under."""
