"""Result of a training, as stored in `training.json` next to the checkpoint.

Importing this imports neither torch nor sae_lens.
"""

from __future__ import annotations

import json
import os
from dataclasses import asdict, dataclass
from pathlib import Path

from csae_bench.errors import ResultError, reason_of
from csae_bench.support.regular_files import MIB, read_regular_text

OUTCOME_FILE = "training.json"


@dataclass(frozen=True, kw_only=True)
class TrainingOutcome:
    """Result of a training, finished or stopped; `inference/` exists only where it is finished."""

    planned_steps: int
    """n_tokens / batch_size, rounded down."""
    executed_steps: int
    """Equal to the planned ones where training finished."""
    n_tokens_used: int
    """Rows trained on: executed steps * batch size."""
    final_loss: float | None
    """Loss of the last step; None before the first, or where it is not a number."""
    wall_seconds: float
    """Time of all attempts together, where training was resumed; with those side by side."""
    peak_memory_gib: float
    epochs: int
    """Passes over a finite dataset that were completed; 0 where no row was repeated."""
    n_side_by_side: int = 1
    """SAEs that were trained on the same rows at the same time, this one included."""
    l0_training: float | None = None
    """Mean active latents on fresh rows of running text, in the form that was trained; of
    paraphrases where there are no others."""
    l0_inference: float | None = None
    """The same for the saved inference form, on the same rows."""
    pair_separation: float | None = None
    """On held-out pairs, mean cosine of the codes of a pair minus that of rows of different pairs.

    Codes of the inference form; within -2 and 2."""
    pair_separation_by_kind: dict[str, float | None] | None = None
    """The same for each kind of pairs by itself."""
    shift_participation: float | None = None
    """On held-out minimal pairs, mean number of latents that make the change of the code:
    (|u|_1 / |u|_2)^2, 1 to d_sae, u the change times the norms of the decoder's rows."""
    threshold: float | None = None
    """Threshold of the saved JumpReLU, where the architecture is a BatchTopK."""


def write_outcome(folder: Path, outcome: TrainingOutcome) -> None:
    """Write `training.json`, whole or not at all."""
    path = folder / OUTCOME_FILE
    unfinished = path.with_suffix(".tmp")
    unfinished.write_text(json.dumps(asdict(outcome), indent=2, allow_nan=False) + "\n")
    os.replace(unfinished, path)


def read_outcome(folder: Path) -> TrainingOutcome:
    """Read the outcome in a checkpoint folder.

    Raises:
        ResultError: there is none, or it is malformed.
    """
    path = folder / OUTCOME_FILE
    try:
        return TrainingOutcome(**json.loads(read_regular_text(path, at_most=MIB)))
    except (OSError, ValueError, TypeError, RecursionError) as error:
        raise ResultError(
            f"{path}: cannot be read as a training's outcome: {reason_of(error)}."
        ) from error
