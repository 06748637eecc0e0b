"""The corpora that have a name. To add one: a row of NAMED_CORPORA."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from csae_bench.corpora.files import sha256
from csae_bench.corpora.sae_probes_text import (
    documents,
    sae_probes_parts,
    sae_probes_rows,
    sae_probes_summary,
)

CorpusSplit = Literal["sae", "core"]
"""Use of the text. A named corpus has separate documents for training SAEs (`sae`) and
for measuring them (`core`); of a folder or a hub dataset both are the same rows."""

TINYWORLD = "tinyworld"
SAE_PROBES = "sae_probes"
_ENDLESS = 10**12
"""Documents in tinyworld's stream."""


@dataclass(frozen=True, kw_only=True)
class NamedCorpus:
    """A corpus whose text, or its order, differs from seed to seed."""

    rows: Callable[[CorpusSplit, int], Iterator[tuple[int, dict[str, str]]]]
    """Function that yields the documents of a split and a seed, numbered."""
    check: Callable[[], object]
    """Function that raises a UsageError if the text cannot be had."""
    summary: Callable[[], str]
    """Function that says what there is, or raises as `check` does."""
    parts: Callable[[], list[str]]
    """Function that returns what decides the text, for its fingerprint; it raises nothing."""


def _tinyworld_rows(split: CorpusSplit, seed: int) -> Iterator[tuple[int, dict[str, str]]]:
    from csae_bench.tinyworld import documents

    for index, text in enumerate(documents(split, _ENDLESS, seed=seed)):
        yield index, {"text": text}


def _tinyworld_parts() -> list[str]:
    world = Path(__file__).parents[1] / "tinyworld"
    files = sorted([*world.rglob("*.py"), *world.rglob("tokenizer*.json")])
    return [f"{path.relative_to(world)} {sha256(path.read_bytes())}" for path in files]


NAMED_CORPORA: Mapping[str, NamedCorpus] = {
    TINYWORLD: NamedCorpus(
        rows=_tinyworld_rows,
        check=lambda: None,
        summary=lambda: "tinyworld's text",
        parts=_tinyworld_parts,
    ),
    SAE_PROBES: NamedCorpus(
        rows=sae_probes_rows,
        check=documents,
        summary=sae_probes_summary,
        parts=sae_probes_parts,
    ),
}
"""Corpora by the name that `dataset` has them under."""
