"""The training log: one JSON object a logged step, in `training_log.jsonl`."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from pathlib import Path

import torch
from sae_lens.saes.sae import TrainStepOutput

from csae_bench.loss_terms import LOSS_TERMS

LOG_FILE = "training_log.jsonl"


class TrainingLog:
    """Appends lines to a file; each is on disk once `write` returns.

    Written every `every` steps, at the first step and at the last.
    """

    def __init__(self, path: Path, *, every: int) -> None:
        self._path = path
        self._every = every

    def is_due(self, step: int, *, last: int) -> bool:
        """Whether step number `step`, counted from 1, gets a line."""
        return step in (1, last) or step % self._every == 0

    def write(self, line: Mapping[str, float]) -> None:
        """Append one line; what is not a finite number becomes null."""
        finite = {key: value if math.isfinite(value) else None for key, value in line.items()}
        with self._path.open("a", encoding="utf-8") as file:
            file.write(json.dumps(finite, allow_nan=False) + "\n")

    def drop_after(self, step: int) -> None:
        """Forget the lines after `step`, and a last one that was cut off in the middle."""
        if not self._path.exists():
            return
        kept: list[str] = []
        for line in self._path.read_text(encoding="utf-8").splitlines(keepends=True):
            if not line.endswith("\n") or json.loads(line)["step"] > step:
                break
            kept.append(line)
        unfinished = self._path.with_suffix(".tmp")
        unfinished.write_text("".join(kept), encoding="utf-8")
        unfinished.replace(self._path)


@torch.no_grad()
def measurements(output: TrainStepOutput) -> dict[str, float]:
    """What a step's output tells: its losses, L0 and explained variance.

    `mse_loss` is the squared error of a row, summed over d_in, averaged over rows. `loss/<name>`
    are SAELens's other losses as they enter the sum; `loss/<term>` of a contrastive term is its
    value before the coefficient, so that it can be read while the coefficient still is 0.
    `explained_variance` is 1 - E||x - x_hat||^2 / E||x - mean||^2 over the batch, undefined where
    all rows are equal.
    """
    x, x_hat = output.sae_in.float(), output.sae_out.float()
    error = (x - x_hat).square_().sum()
    variance = (x - x.mean(0)).square_().sum()
    line = {
        "loss": _value(output.loss),
        "mse_loss": _value(output.losses["mse_loss"]),
        "l0": _value(output.feature_acts.bool().sum()) / len(x),
        "explained_variance": 1 - _value(error) / _value(variance) if variance > 0 else math.nan,
    }
    for name, loss in output.losses.items():
        if name != "mse_loss":
            raw = output.metrics.get(f"raw/{name}", loss) if name in LOSS_TERMS else loss
            line[f"loss/{name}"] = _value(raw)
    return line


def _value(number: object) -> float:
    return number.item() if isinstance(number, torch.Tensor) else float(number)  # pyright: ignore[reportArgumentType]
