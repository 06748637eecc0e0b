"""The training log: one JSON object a logged step, in `training_log.jsonl`."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from pathlib import Path

import torch
from sae_lens.saes.sae import TrainStepOutput
from torch import Tensor

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


def term_measurements(
    output: TrainStepOutput, coefficients: Mapping[str, float], W_enc: Tensor
) -> dict[str, float]:
    """Of each contrastive term its coefficient, and its share of the gradient:

    |gradient of coefficient * term| / |gradient of mse_loss|, both on W_enc. Costs a backward pass
    for each term and one for the reconstruction; the graph is kept for the pass that trains.
    """
    terms = [name for name in output.losses if name in LOSS_TERMS]
    if not terms:
        return {}
    line: dict[str, float] = {}
    of_reconstruction = _gradient_norm(output.losses["mse_loss"], W_enc)
    for name in terms:
        of_term = _gradient_norm(output.losses[name], W_enc)
        share = of_term / of_reconstruction if of_reconstruction > 0 else math.nan
        line |= {f"coefficient/{name}": coefficients[name], f"grad_share/{name}": share}
    return line


def _gradient_norm(loss: Tensor, weights: Tensor) -> float:
    if not loss.requires_grad:
        return 0.0
    (gradient,) = torch.autograd.grad(loss, weights, retain_graph=True, materialize_grads=True)
    return gradient.norm().item()


def _value(number: object) -> float:
    return number.item() if isinstance(number, Tensor) else float(number)  # pyright: ignore[reportArgumentType]
