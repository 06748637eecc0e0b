"""Muon: momentum whose singular values are made equal before each step.

For the weight matrices of hidden layers; embeddings and norms take AdamW. Jordan et al.
2024, https://kellerjordan.github.io/posts/muon. torch's own rounds to bfloat16, which is
slow on a CPU and came only with torch 2.9.
"""

from collections.abc import Callable, Iterable
from typing import Any

import torch
from torch import Tensor

_QUINTIC = (3.4445, -4.7750, 2.0315)
_ITERATIONS = 5


class Muon(torch.optim.Optimizer):
    """Steps of equal size in all directions of a matrix, with Nesterov momentum."""

    def __init__(self, params: Iterable[Tensor], lr: float, momentum: float = 0.95) -> None:
        super().__init__(params, {"lr": lr, "momentum": momentum})

    @torch.no_grad()
    def step(self, closure: Callable[[], float] | None = None) -> Any:
        """Move each matrix by lr * 0.2 * sqrt(its longer side): a root mean square of 0.2 lr."""
        loss = None if closure is None else closure()
        for group in self.param_groups:
            for matrix in group["params"]:
                if matrix.grad is None:
                    continue
                state = self.state[matrix]
                if not state:
                    state["momentum"] = torch.zeros_like(matrix)
                held = state["momentum"]
                held.lerp_(matrix.grad, 1 - group["momentum"])
                update = orthogonalised(matrix.grad.lerp(held, group["momentum"]))
                matrix.add_(update, alpha=-group["lr"] * 0.2 * max(matrix.shape) ** 0.5)
        return loss


def orthogonalised(matrix: Tensor) -> Tensor:
    """The matrix with all singular values near 1 (0.7 to 1.2), by Newton-Schulz iteration."""
    x = matrix if matrix.shape[0] <= matrix.shape[1] else matrix.T
    x = x / (x.norm() + 1e-7)
    a, b, c = _QUINTIC
    for _ in range(_ITERATIONS):
        gram = x @ x.T
        x = a * x + (b * gram + c * gram @ gram) @ x
    return x if matrix.shape[0] <= matrix.shape[1] else x.T
