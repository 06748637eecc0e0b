"""Losses and gradients that are not finite: noticed before the weights are touched, and located."""

from __future__ import annotations

import math
import re
import warnings
from collections.abc import Generator, Mapping
from contextlib import contextmanager

import torch
from sae_lens.saes.sae import TrainStepOutput
from torch import Tensor

from csae_bench.errors import TrainingError

_FRAME = re.compile(r'File "(?P<file>[^"]+)", line (?P<line>\d+), in (?P<function>\S+)')


def check_finite(
    step: int,
    output: TrainStepOutput,
    gradient_norm: Tensor,
    norms: Mapping[str, float] | None = None,
) -> None:
    """Check that a step's losses and gradients are finite.

    Args:
        step: counted from 1.
        gradient_norm: of all parameters together.
        norms: of the gradients of single losses on the encoder, where they were measured. A term
            whose gradient is not finite has no coefficient yet, so it shows nowhere else.

    Raises:
        TrainingError: names the step, the loss and, where it is one, the activation as the cause.
    """
    values = {**output.losses, "loss": output.loss}
    together = torch.stack([value.detach().float() for value in values.values()])
    bad_norms = [name for name, norm in (norms or {}).items() if not math.isfinite(norm)]
    if not bad_norms and torch.isfinite(together.sum() + gradient_norm):
        return
    n_bad = int((~output.sae_in.isfinite()).sum())
    cause = f" {n_bad} of the activations of this batch are not finite." if n_bad else ""
    for name, value in values.items():
        if not torch.isfinite(value):
            raise TrainingError(f"Step {step}: {name} is {value.item()}.{cause}")
    of_which = f" of {bad_norms[0]}" if bad_norms else ""
    raise TrainingError(
        f"Step {step}: the gradient{of_which} is not finite, though every loss is.{cause} "
        "training.debug_gradients=true finds the operation."
    )


@contextmanager
def gradients_located(step: int, *, enabled: bool) -> Generator[None]:
    """Raise at the first operation whose gradient is NaN; wraps forward and backward pass.

    Raises:
        TrainingError: names the step, the operation and the line of code that it was called in.
    """
    if not enabled:
        yield
        return
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        try:
            with torch.autograd.detect_anomaly(check_nan=True):
                yield
        except RuntimeError as error:
            operation = re.search(r"Function '(\w+)' returned nan", str(error))
            if operation is None:
                raise
            raise TrainingError(
                f"Step {step}: the gradient of {operation[1].removesuffix('0')} is the first that "
                f"is not a number.{_origin(caught)}"
            ) from error


def _origin(caught: list[warnings.WarningMessage]) -> str:
    """Return where the forward pass called the operation, as torch's warning shows it."""
    for warning in reversed(caught):
        frames = list(_FRAME.finditer(str(warning.message)))
        ours = [frame for frame in frames if "/torch/" not in frame["file"]]
        if ours:
            last = ours[-1]
            return f" It was called in {last['file']}:{last['line']}, in {last['function']}."
    return ""
