"""What two results folders are compared by: all that does not tell when and where it was made."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from safetensors.torch import load_file

TIMES = {"datetime_epoch_millis", "eval_id", "wall_seconds", "peak_memory_gib", "started"}
PLACES = {"source", "location"}


def results_of(folder: Path) -> dict[str, Any]:
    """Return the eval results by eval and file name."""
    return {
        f"{path.parent.name}/{path.name}": _without(json.loads(path.read_text()), TIMES | PLACES)
        for path in folder.glob("*/*_eval_results.json")
    }


def weights_of(folder: Path) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield the weights of each checkpoint with its path."""
    for path in sorted(folder.glob("checkpoints/*/*/inference/sae_weights.safetensors")):
        yield str(path.relative_to(folder)), load_file(path)


def assert_equal_results(one: Path, other: Path, *, n: int) -> None:
    """Assert that both folders hold the same n results and the same weights, to the bit."""
    assert results_of(one) == results_of(other)
    assert len(results_of(one)) == n
    for (name, mine), (other_name, theirs) in zip(weights_of(one), weights_of(other), strict=True):
        assert name == other_name
        assert all((mine[key] == theirs[key]).all() for key in mine)


def _without(value: Any, names: set[str]) -> Any:
    if isinstance(value, dict):
        return {k: _without(v, names) for k, v in value.items() if k not in names}
    return [_without(v, names) for v in value] if isinstance(value, list) else value
