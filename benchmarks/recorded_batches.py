"""Training batches on disk, for several trainings on the same rows in the same order."""

from __future__ import annotations

import os
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, ClassVar

from csae_bench.config import RunConfig
from csae_bench.saes.curriculum import Curriculum


@contextmanager
def recorded(folder: Path, config: RunConfig, model: Any) -> Generator[None]:
    """Draw the training batches once and read them from `folder` in the context.

    The language model takes more time than the SAE, and twins see equal rows anyway.
    """
    if config.pairs.shuffled:
        yield
        return
    from csae_bench.training import train as training

    draw = training.pair_stream
    if not folder.is_dir():
        _record(draw(config, model), folder, Curriculum.of(config))
    training.pair_stream = lambda *_, **__: _Recording(folder)
    try:
        yield
    finally:
        training.pair_stream = draw


_BATCHES_AT_THE_END = 48
"""Drawn after the last step, for calibration and L0."""


def _record(stream: Any, folder: Path, curriculum: Curriculum) -> None:
    import numpy as np
    import torch

    unfinished = folder.with_suffix(f".{os.getpid()}")
    unfinished.mkdir(parents=True)
    n_batches = curriculum.n_steps + _BATCHES_AT_THE_END
    shape = (n_batches, stream.batch_size, stream.d_in)
    rows = np.lib.format.open_memmap(unfinished / "rows.npy", "w+", dtype=np.float32, shape=shape)
    ids: list[tuple[Any, dict[str, int]]] = []
    for number in range(n_batches):
        stage = curriculum.at(min(number, curriculum.n_steps - 1))
        stream.set_shares(curriculum.shares(stage))
        rows[number] = next(stream).numpy()
        ids.append((stream.pairs, stream.counts))
    rows.flush()
    torch.save(ids, unfinished / "ids.pt")
    unfinished.rename(folder)


class _Recording:
    """The part of PairStream that training needs, read from a recording."""

    epochs = 0
    shares: ClassVar[dict[str, float]] = {}

    def __init__(self, folder: Path) -> None:
        import numpy as np
        import torch

        self._rows = np.load(folder / "rows.npy", mmap_mode="r")
        self._ids = torch.load(folder / "ids.pt", weights_only=False)
        _, self.batch_size, self.d_in = self._rows.shape
        self._next = 0

    def __iter__(self) -> _Recording:
        return self

    def __next__(self) -> Any:
        import torch

        batch = torch.from_numpy(self._rows[self._next].copy())
        self.pairs, self.counts = self._ids[self._next]
        self._next += 1
        return batch

    def set_shares(self, shares: Any) -> None:
        """Do nothing: the shares are those of the recording."""

    def check_shares(self, shares: Any) -> None:
        """Do nothing: the shares are those of the recording."""

    def draw_ahead(self) -> None:
        """Do nothing: reading takes no time."""

    def wait(self) -> None:
        """Do nothing: nothing is drawn ahead."""

    def state_dict(self) -> dict[str, int]:
        return {"next": self._next}

    def load_state_dict(self, state: dict[str, int]) -> None:
        self._next = state["next"]
