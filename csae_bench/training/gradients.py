"""Where a gradient stops being finite: torch's anomaly detection, in one sentence."""

from __future__ import annotations

import re
import warnings
from collections.abc import Generator
from contextlib import contextmanager

import torch

from csae_bench.errors import TrainingError

_FRAME = re.compile(r'File "(?P<file>[^"]+)", line (?P<line>\d+), in (?P<function>\S+)')


@contextmanager
def gradients_located(step: int, *, enabled: bool) -> Generator[None]:
    """Around forward and backward pass: the first operation whose gradient is NaN is an error.

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
    """Where the operation was called in the forward pass, as torch's warning shows it."""
    for warning in reversed(caught):
        frames = list(_FRAME.finditer(str(warning.message)))
        ours = [frame for frame in frames if "/torch/" not in frame["file"]]
        if ours:
            last = ours[-1]
            return f" It was called in {last['file']}:{last['line']}, in {last['function']}."
    return ""
