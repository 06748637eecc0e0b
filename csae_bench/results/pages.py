"""The pages and pictures that the evals of a run have written."""

from __future__ import annotations

from pathlib import Path

from csae_bench.results.schema import RunRecord
from csae_bench.results.store import Store

_SUFFIXES = (".html", ".png")


def pages_of(record: RunRecord, store: Store) -> list[Path]:
    """Return the paths of the pages, then the pictures, of each eval that is ok.

    Repetitions under other seeds of the eval are left out: the first one stands for them.
    """
    pages: list[Path] = []
    for cell in record.cells.values():
        if cell.status != "ok" or cell.result is None or "eval_seed" in cell.differs:
            continue
        folder = store.artifacts_of(cell.result)
        for suffix in _SUFFIXES:
            pages += sorted(folder.glob(f"*{suffix}"))
    return pages
