"""`csae_bench.train`."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any


def train(
    sae: str | Path,
    *,
    set: Mapping[str, Any] | None = None,
    model: str | None = None,
    results: str | Path = "results",
    seed: int | None = None,
    device: str | None = None,
    force: bool = False,
    resume: bool = True,
    progress: bool = False,
) -> Path:
    """Train an SAE unless its checkpoint exists, and return the checkpoint's absolute path.

    Args:
        sae: name or path of a configuration.
        set: dotted key -> value, what `--set` changes, such as {"training.n_tokens": 200_000}.
        model: language model instead of the configuration's.
        results: folder for records and checkpoints.
        seed: instead of the configuration's.
        device: instead of the configuration's.
        force: train again, whatever is there.
        resume: continue training that was interrupted.
        progress: show a bar on stderr.

    Raises:
        UsageError, PreflightError: something is wrong; nothing was started.
        TrainingError: training stopped.

    Examples:
        >>> import csae_bench, tempfile
        >>> with tempfile.TemporaryDirectory() as results:
        ...     checkpoint = csae_bench.train("identity", results=results)
        ...     (checkpoint / "inference" / "cfg.json").is_file()
        True
    """
    from csae_bench.runs.request import RunRequest
    from csae_bench.runs.run import run

    request = RunRequest(
        source=str(sae),
        results=Path(results),
        model=model,
        seed=seed,
        device=device,
        sets=tuple(f"{key}={json.dumps(value)}" for key, value in (set or {}).items()),
        force=force,
        resume=resume,
        progress=progress,
    )
    checkpoint = run(request, train_only=True).checkpoint
    assert checkpoint is not None, "a training that ended well has its checkpoint"
    return checkpoint
