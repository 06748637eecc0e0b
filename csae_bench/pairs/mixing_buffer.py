"""A buffer that shuffles pairs of activations and can be saved and restored exactly.

sae_lens.training.mixing_buffer does the same in a generator, whose contents cannot be read: a
training that resumes would continue on other batches than the one that was never interrupted.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import torch
from jaxtyping import Float, Int64
from torch import Tensor

from csae_bench.support.transfers import to_device


class PackedPairs(NamedTuple):
    """Pairs as single rows, so that a permutation of the rows keeps each pair together."""

    rows: Float[Tensor, "n width"]
    """Anchor and positive side by side: width is 2 * d_in."""
    ids: Int64[Tensor, "n n_ids"]
    """Origin of each pair, on the CPU. A tensor of its own: bfloat16 rounds numbers above
    256."""


class MixingBuffer:
    """Buffer that collects chunks of pairs and serves batches that mix old and new ones.

    As in SAELens: once `capacity` pairs are there they are permuted, `mix_fraction` of the
    capacity stays for the next mixture and the rest is served in batches. `mix_fraction` 0 serves
    pairs in the order in which they came. What is held costs at most about twice `capacity` and
    one chunk, for the time of a permutation.
    """

    def __init__(
        self, capacity: int, generator: torch.Generator, *, mix_fraction: float = 0.5
    ) -> None:
        if not 0 <= mix_fraction <= 1:
            raise ValueError(f"mix_fraction is {mix_fraction}; it must lie between 0 and 1.")
        self.capacity = capacity
        self.mix_fraction = mix_fraction
        self._generator = generator
        self._waiting: list[PackedPairs] = []
        self._is_due = False
        self._serving: PackedPairs | None = None
        self._n_served = 0

    def add(self, pairs: PackedPairs) -> None:
        """Take in a chunk; only where `take` has just returned None."""
        if self._serving is not None or self._is_due:
            raise ValueError("The batches that are ready must be taken before more is added.")
        self._waiting.append(pairs)
        self._is_due = sum(len(chunk.rows) for chunk in self._waiting) >= self.capacity

    def take(self, n_pairs: int) -> PackedPairs | None:
        """Take the next `n_pairs`, or None where another chunk is needed first.

        `n_pairs` may differ from the last time; what is left over of a mixture then waits for the
        next one.
        """
        if not 1 <= n_pairs <= self.capacity:
            raise ValueError(
                f"{n_pairs} pairs are asked for; of a buffer of {self.capacity} it must be 1 to "
                f"{self.capacity}."
            )
        if self._is_due:
            self._mix(n_pairs)
        if self._serving is None:
            return None
        start, stop = self._n_served, self._n_served + n_pairs
        n_ready = len(self._serving.rows)
        if stop > n_ready:
            self._waiting.append(_copied(self._serving, start))
            self._serving, self._n_served = None, 0
            return None
        taken = PackedPairs(self._serving.rows[start:stop], self._serving.ids[start:stop])
        self._n_served = stop
        if stop == n_ready:
            self._serving, self._n_served = None, 0
        return taken

    def state_dict(self) -> dict[str, Any]:
        """Return everything that decides what `take` returns from here on."""
        return {
            "waiting": [tuple(_copied(chunk)) for chunk in self._waiting],
            "is_due": self._is_due,
            "serving": None
            if self._serving is None
            else tuple(_copied(self._serving, self._n_served)),
            "generator": self._generator.get_state(),
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Restore the buffer that `state` was taken from."""
        self._waiting = [PackedPairs(*chunk) for chunk in state["waiting"]]
        self._is_due = state["is_due"]
        self._serving = PackedPairs(*state["serving"]) if state["serving"] else None
        self._n_served = 0
        self._generator.set_state(state["generator"].cpu())

    def _mix(self, n_pairs: int) -> None:
        n = sum(len(chunk.rows) for chunk in self._waiting)
        kept = int(self.capacity * self.mix_fraction)
        n_serving = max(1, (n - kept) // n_pairs) * n_pairs
        mixed = self._permuted(n)
        self._serving = PackedPairs(mixed.rows[:n_serving], mixed.ids[:n_serving])
        self._waiting = [_copied(mixed, n_serving)]
        self._is_due = False

    def _permuted(self, n: int) -> PackedPairs:
        chunks, self._waiting = self._waiting, []
        newest = chunks[-1]  # restored chunks lie on the CPU, new ones where the model is
        place = torch.arange(n)
        if self.mix_fraction > 0:
            # argsort inverts the permutation: row order[i] moves to place i
            place = torch.argsort(torch.randperm(n, generator=self._generator))
        mixed = PackedPairs(
            newest.rows.new_empty(n, newest.rows.shape[1]),
            newest.ids.new_empty(n, newest.ids.shape[1]),
        )
        start = 0
        while chunks:  # each chunk is let go as soon as it is copied
            rows, ids = chunks.pop(0)
            to = place[start : start + len(rows)]
            device = mixed.rows.device
            mixed.rows[to_device(to, device)] = to_device(rows, device)
            mixed.ids[to] = ids
            start += len(rows)
        return mixed


def _copied(pairs: PackedPairs, start: int = 0) -> PackedPairs:
    """Those from `start` on; a view would keep alive, and be saved with, all it looks into."""
    return PackedPairs(pairs.rows[start:].clone(), pairs.ids[start:].clone())
