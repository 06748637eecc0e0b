"""Pairs of texts, read from the cache as far as they lie there."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch

from csae_bench.activations.cache.draws import DrawCache
from csae_bench.activations.cache.shards import Draw, stored
from csae_bench.pairs.source import Pairs
from csae_bench.pairs.text_pairs import TextPairs, warn_of_new_epoch
from csae_bench.support.transfers import is_gpu, to_device


class CachedTextPairs:
    """Gives what a `TextPairs` gives, to the bit, and draws from it only what is not cached.

    It is opened when it is first needed: reading opens no dataset, makes no tokens and runs no
    model. Of a text only the activations that are in a pair are kept.
    """

    def __init__(
        self,
        draws: DrawCache,
        open_source: Callable[[], TextPairs],
        *,
        d_in: int,
        kind: str,
        dataset: str,
        dtype: torch.dtype,
        device: torch.device | str = "cpu",
    ) -> None:
        """Build a source that has read nothing yet.

        Args:
            draws: those of exactly this source.
            open_source: opens the other source, from its beginning.
            kind: of the pairs, as the other source has it.
            dataset: what a warning calls the texts.
            dtype: of the model: activations are kept in it if that loses nothing.
            device: where activations are passed on.
        """
        self.d_in = d_in
        self.rows_per_epoch: int | None = None
        self._draws = draws
        self._open_source = open_source
        self._kind = kind
        self._dataset = dataset
        self._dtype = dtype
        self._device = device
        self._source: TextPairs | None = None
        self._groups_per_epoch: int | None = None
        self._n_groups = 0
        self._n_taken = 0
        self._n_rows = 0

    @property
    def epochs(self) -> int:
        """Passes over a finite dataset that are complete."""
        return self._n_groups // self._groups_per_epoch if self._groups_per_epoch else 0

    def next_pairs(self) -> Pairs:
        """Return the next pairs, from the cache or from the other source.

        Raises:
            DataError: no text has a token that may be in a pair.
        """
        draw = self._draws.take((self._n_groups, self._n_taken))
        return self._drawn() if draw is None else self._cached(draw)

    def state_dict(self) -> dict[str, Any]:
        """Return the place, as three numbers."""
        return {"n_groups": self._n_groups, "n_taken": self._n_taken, "n_rows": self._n_rows}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Resume with the texts that follow."""
        self._take_place(state)
        draw = self._draws.find((self._n_groups, self._n_taken))
        if draw is not None:
            self._groups_per_epoch = draw.numbers["groups_per_epoch"]
        else:
            self._groups_per_epoch = self._source_here().groups_per_epoch

    def _cached(self, draw: Draw) -> Pairs:
        self._groups_per_epoch = draw.numbers["groups_per_epoch"]
        if self._groups_per_epoch is not None:
            self._warn(draw, self._groups_per_epoch)
        self._n_groups, self._n_taken = draw.after
        self._n_rows = draw.numbers["n_rows_after"] or 0
        if draw.numbers["rows_per_epoch"] is not None:
            self.rows_per_epoch = draw.numbers["rows_per_epoch"]
        if is_gpu(self._device):
            self._draws.read_ahead(draw.after)
        rows, group = to_device(draw.tensors["rows"], self._device), draw.tensors["group"]
        return Pairs(rows.to(torch.float32), -1 - group, group, draw.tensors.get("values"))

    def _warn(self, draw: Draw, n_groups: int) -> None:
        """Warn of each pass that begins within a draw, the first one excepted."""
        for n_complete in range(max(1, draw.before[0] // n_groups), draw.after[0] // n_groups + 1):
            if draw.before <= (n_complete * n_groups, 0) < draw.after:
                warn_of_new_epoch(self._kind, n_complete, n_groups, self._dataset)

    def _drawn(self) -> Pairs:
        source, before, epochs = self._source_here(), (self._n_groups, self._n_taken), self.epochs
        pairs = source.next_pairs()
        self._take_place(source.state_dict())
        self._groups_per_epoch = source.groups_per_epoch
        # else it may be of a pass before the source was moved here
        ended = source.rows_per_epoch if self.epochs > epochs else None
        if ended is not None:
            self.rows_per_epoch = ended
        tensors = {"rows": stored(pairs.rows, self._dtype), "group": pairs.group.clone()}
        if pairs.values is not None:
            tensors["values"] = pairs.values.clone()
        self._draws.add(
            Draw(
                before=before,
                after=(self._n_groups, self._n_taken),
                numbers={
                    "n_rows_after": self._n_rows,
                    "rows_per_epoch": ended,
                    "groups_per_epoch": self._groups_per_epoch,
                },
                n_rows=pairs.rows.shape[1] * len(pairs.rows),
                tensors=tensors,
            )
        )
        return pairs

    def _take_place(self, state: dict[str, Any]) -> None:
        self._n_groups, self._n_taken = state["n_groups"], state["n_taken"]
        self._n_rows = state["n_rows"]

    def _source_here(self) -> TextPairs:
        if self._source is None:
            self._source = self._open_source()
        if self._source.state_dict() != self.state_dict():
            self._source.load_state_dict(self.state_dict())
        return self._source
