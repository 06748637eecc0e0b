"""Inputs of a checkpoint, which explain why an SAE is made again.

<checkpoint>/made_from.json has the training identity of which the folder's name is the hash.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from csae_bench.errors import ResultError
from csae_bench.results.keys import differences
from csae_bench.results.store import Store, read_json, write_json
from csae_bench.runs.resolving import ResolvedSae

MADE_FROM_FILE = "made_from.json"

_IN_WORDS = {
    "model": "the language model has other weights",
    "corpus": "the text is another",
    "of": "the SAE that it permutes is another",
    "version": "csae-bench trains otherwise since",
}
_MAX_SHOWN = 8


def write_made_from(sae: ResolvedSae) -> None:
    """Write what an SAE is made from into its checkpoint's folder.

    Raises:
        ResultError: the folder cannot be written.
    """
    write_json(sae.checkpoint / MADE_FROM_FILE, dict(sae.made_from or {}))


def why_made_again(sae: ResolvedSae, store: Store) -> str | None:
    """Return why an SAE that has a finished checkpoint under its name has to be made again.

    None if its weights are there, or where none were made under its name before. The sentence
    names each key that decides the weights and differs from the newest checkpoint.
    """
    if sae.is_ready or sae.training_hash is None:
        return None
    own = store.checkpoint(sae.release, sae.sae_id, sae.training_hash)
    earlier = _newest_finished(own)
    if earlier is None:
        return None
    try:
        before = read_json(earlier / MADE_FROM_FILE)
    except ResultError:
        before = None
    changed = _changed(before, dict(sae.made_from or {})) if before else []
    what = "; ".join(changed) or "it does not say what it was made from"
    return f"{sae.sae_id} is made again, other than {earlier}: {what}."


def _newest_finished(own: Path) -> Path | None:
    """Return the newest other checkpoint of the same name that is finished."""
    finished = [
        path.parents[1]
        for path in own.parent.glob("*/inference/cfg.json")
        if path.parents[1] != own
    ]
    return max(finished, key=lambda path: path.stat().st_mtime, default=None)


def _changed(before: dict[str, Any], now: dict[str, Any]) -> list[str]:
    changed = differences(before, now)
    shown = [
        _IN_WORDS.get(key) or f"{key.removeprefix('config.')} is {new}, was {old}"
        for key, (old, new) in changed.items()
    ]
    more = len(shown) - _MAX_SHOWN
    return [*shown[:_MAX_SHOWN], *([f"and {more} more keys"] if more > 0 else [])]
