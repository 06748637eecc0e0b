"""A language model's activations, read from the cache as far as they lie there."""

from __future__ import annotations

from collections.abc import Callable

import torch

from csae_bench.activations.cache.draws import DrawCache
from csae_bench.activations.cache.shards import Draw, stored
from csae_bench.activations.sources import ActivationSource, Sequences, warn_of_new_epoch
from csae_bench.support.transfers import is_gpu, to_device


class CachedSource:
    """Gives what another source gives, to the bit, and draws from it only what is not cached.

    The other source is opened when it is first needed: reading neither runs the model nor makes
    tokens. Where the cache ends, the source is moved on to that place and continues, and what it
    gives is added to the cache.
    """

    epochs: int = 0
    windows_per_epoch: int | None = None

    def __init__(
        self,
        draws: DrawCache,
        open_source: Callable[[], ActivationSource],
        *,
        d_in: int,
        context_size: int,
        dtype: torch.dtype,
        device: torch.device | str = "cpu",
    ) -> None:
        """Build a source that has drawn nothing yet.

        Args:
            draws: those of exactly this source.
            open_source: opens the other source, from its beginning.
            dtype: of the model: activations are kept in it if that loses nothing.
            device: where activations are passed on.
        """
        self.d_in = d_in
        self.context_size = context_size
        self._draws = draws
        self._open_source = open_source
        self._dtype = dtype
        self._device = device
        self._source: ActivationSource | None = None
        self._n_drawn = 0

    def next_sequences(self) -> Sequences:
        """Return the next windows, from the cache or from the other source."""
        draw = self._draws.take((self._n_drawn,))
        return self._drawn() if draw is None else self._cached(draw)

    def state_dict(self) -> dict[str, int]:
        """Windows drawn since the start."""
        return {"n_drawn": self._n_drawn}

    def load_state_dict(self, state: dict[str, int]) -> None:
        """Resume with the windows that follow; where they are not cached, tokens are made again."""
        self._n_drawn = state["n_drawn"]
        draw = self._draws.find((self._n_drawn,))
        if draw is not None:
            self.epochs = draw.numbers["epochs_before"] or 0
            self.windows_per_epoch = draw.numbers["windows_per_epoch_before"]
        elif self._n_drawn:
            source = self._source_here()
            self.epochs, self.windows_per_epoch = source.epochs, source.windows_per_epoch

    def _cached(self, draw: Draw) -> Sequences:
        n_epochs, self.windows_per_epoch = (
            draw.numbers["epochs"] or 0,
            draw.numbers["windows_per_epoch"],
        )
        for n_complete in range(self.epochs + 1, n_epochs + 1):
            warn_of_new_epoch(n_complete, self.windows_per_epoch, self.context_size)
        self.epochs = n_epochs
        (self._n_drawn,) = draw.after
        # to the device first: half precision is half as much to move
        acts = to_device(draw.tensors["acts"], self._device).to(torch.float32)
        if is_gpu(self._device):
            self._draws.read_ahead(draw.after)
        return Sequences(acts, draw.tensors["usable"], draw.tensors["ids"])

    def _drawn(self) -> Sequences:
        source, before = self._source_here(), self._n_drawn
        numbers = {
            "epochs_before": self.epochs,
            "windows_per_epoch_before": self.windows_per_epoch,
        }
        sequences = source.next_sequences()
        self._n_drawn = source.state_dict()["n_drawn"]
        self.epochs, self.windows_per_epoch = source.epochs, source.windows_per_epoch
        self._draws.add(
            Draw(
                before=(before,),
                after=(self._n_drawn,),
                numbers={
                    **numbers,
                    "epochs": self.epochs,
                    "windows_per_epoch": self.windows_per_epoch,
                },
                n_rows=sequences.ids.numel(),
                tensors={
                    "acts": stored(sequences.acts, self._dtype),
                    "usable": sequences.usable.clone(),
                    "ids": sequences.ids.clone(),
                },
            )
        )
        return sequences

    def _source_here(self) -> ActivationSource:
        """Return the other source at this place; it can only be moved forward."""
        if self._source is None or self._source.state_dict()["n_drawn"] > self._n_drawn:
            self._source = self._open_source()
        if self._source.state_dict()["n_drawn"] < self._n_drawn:
            self._source.load_state_dict(self.state_dict())
        return self._source
