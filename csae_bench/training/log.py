"""The training log: one JSON object a logged step, in `training_log.jsonl`."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from pathlib import Path

import torch
from jaxtyping import Float
from sae_lens.saes.sae import TrainStepOutput
from torch import Tensor

from csae_bench.config.loss_terms import LOSS_TERMS
from csae_bench.saes.objective import ContrastiveStepOutput
from csae_bench.saes.pair_ids import PairIds
from csae_bench.training.held_out_pairs import minimal_participation

LOG_FILE = "training_log.jsonl"


class TrainingLog:
    """Log file to which lines are appended; each is on disk once `write` returns.

    Written every `every` steps, at the first step and at the last.
    """

    def __init__(self, path: Path, *, every: int) -> None:
        self._path = path
        self._every = every

    def is_due(self, step: int, *, last: int) -> bool:
        """Decide whether step number `step`, counted from 1, gets a line."""
        return step in (1, last) or step % self._every == 0

    def write(self, line: Mapping[str, float | str]) -> None:
        """Append one line; a number that is not finite becomes null."""
        finite = {
            key: value if isinstance(value, str) or math.isfinite(value) else None
            for key, value in line.items()
        }
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
    """Return the measurements of a step: its losses, L0, explained variance and redundancy.

    `mse_loss` is the squared error of a row, summed over d_in, averaged over rows. `loss/<name>`
    are SAELens's other losses as they enter the sum; `loss/<term>` of a contrastive term is its
    value before the coefficient, so that it can be read while the coefficient still is 0.
    `explained_variance` is 1 - E||x - x_hat||^2 / E||x - mean||^2 over the batch, undefined where
    all rows are equal. `redundant_latents`: see `redundant_latents`.
    """
    unexplained = unexplained_variance(output)
    codes = output.feature_acts
    line = {
        "loss": as_float(output.loss),
        "mse_loss": as_float(output.losses["mse_loss"]),
        "l0": as_float(codes.bool().sum()) / len(output.sae_in),
        "explained_variance": math.nan if unexplained is None else 1 - unexplained,
        "redundant_latents": redundant_latents(codes.to_dense() if codes.is_sparse else codes),
    }
    for name, loss in output.losses.items():
        if name != "mse_loss":
            raw = output.metrics.get(f"raw/{name}", loss) if name in LOSS_TERMS else loss
            line[f"loss/{name}"] = as_float(raw)
    return line


@torch.no_grad()
def pair_measurements(
    output: TrainStepOutput, pairs: PairIds, W_dec: Float[Tensor, "d_sae d_in"]
) -> dict[str, float]:
    """Measure the batch's minimal pairs, before the step learns from them; {} without any."""
    if "minimal" not in pairs.kinds:
        return {}
    codes = output.feature_acts.detach()
    codes = codes.to_dense() if codes.is_sparse else codes
    changed = minimal_participation(codes, pairs, W_dec)
    return {"shift_participation": as_float(changed.mean()) if len(changed) else math.nan}


def unexplained_variance(output: TrainStepOutput) -> float | None:
    """Compute E||x - x_hat||^2 / E||x - mean||^2 over the batch; None if all rows are equal."""
    x, x_hat = output.sae_in.float(), output.sae_out.float()
    error = (x - x_hat).square_().sum()
    variance = (x - x.mean(0)).square_().sum()
    return as_float(error) / as_float(variance) if variance > 0 else None


@torch.no_grad()
def redundant_latents(codes: Float[Tensor, "n_rows d_sae"], n_latents: int = 512) -> float:
    """Compute the share of latents that correlate above .9 with another: collapsed columns.

    Looked at are the latents that are active in at least 8 rows, evenly spaced where these are more
    than `n_latents`; NaN where there are fewer than 2.
    """
    alive = (codes.bool().sum(0) >= 8).nonzero().squeeze(1)
    if len(alive) > n_latents:
        alive = alive[torch.linspace(0, len(alive) - 1, n_latents, device=alive.device).long()]
    if len(alive) < 2:
        return math.nan
    columns = codes.index_select(1, alive).float()
    columns = columns - columns.mean(0)
    columns = columns / columns.norm(dim=0).clamp_min(1e-12)
    correlation = (columns.T @ columns).fill_diagonal_(0)
    return as_float((correlation.amax(1) > 0.9).float().mean())


def term_measurements(
    output: ContrastiveStepOutput, coefficients: Mapping[str, float], norms: Mapping[str, float]
) -> dict[str, float]:
    """Measure the strength of each contrastive term's gradient.

    `coefficient/T`; `grad_norm/T`, the norm of the gradient of coefficient * term on W_enc, and
    `grad_norm/mse_loss`; `grad_share/T`, the one over the other; `compared/T`, the number of
    pairs, latents or mixtures that the term was computed on.

    Args:
        norms: of the gradients of the values before their coefficients, and of `mse_loss`.
    """
    of_reconstruction = norms["mse_loss"]
    line = {"grad_norm/mse_loss": of_reconstruction}
    for name, term in output.terms.items():
        of_term = coefficients[name] * norms[name]
        line |= {
            f"coefficient/{name}": coefficients[name],
            f"grad_norm/{name}": of_term,
            f"grad_share/{name}": of_term / of_reconstruction if of_reconstruction else math.nan,
            f"compared/{name}": term.n_compared,
        }
    return line


def gradient_norms(output: TrainStepOutput, W_enc: Tensor) -> dict[str, float]:
    """Compute gradient norms on W_enc: of `mse_loss`, and of each term before its coefficient.

    Costs a backward pass for each; the graph is kept for the pass that trains.
    """
    losses = {"mse_loss": output.losses["mse_loss"]}
    if isinstance(output, ContrastiveStepOutput):
        losses |= {name: term.value for name, term in output.terms.items()}
    return as_floats({name: _gradient_norm(loss, W_enc) for name, loss in losses.items()})


def _gradient_norm(loss: Tensor, weights: Tensor) -> Tensor:
    if not loss.requires_grad:
        return weights.new_zeros(())
    (gradient,) = torch.autograd.grad(loss, weights, retain_graph=True, materialize_grads=True)
    return gradient.norm()


def as_floats(numbers: Mapping[str, Tensor]) -> dict[str, float]:
    """Convert tensors of one element on one device, which is waited for once."""
    if not numbers:
        return {}
    together = torch.stack([number.detach().double() for number in numbers.values()])
    return dict(zip(numbers, together.tolist(), strict=True))


def as_float(number: object) -> float:
    """Convert a number that may be a tensor of one element, with a gradient or without."""
    return number.item() if isinstance(number, Tensor) else float(number)  # pyright: ignore[reportArgumentType]
