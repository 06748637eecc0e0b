"""SharedStream: the batches of one PairStream for several trainings, each drawn once."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from jaxtyping import Float
from torch import Tensor

from csae_bench.pairs.stream import PairStream
from csae_bench.saes.pair_ids import PairIds


class SharedStream:
    """Batches of a PairStream, kept until every reader has read them.

    Readers get the batches that the stream itself would have given each of them, as long as all of
    them ask for the same shares at the same place. They must not change a batch. One that is behind
    the others keeps the batches in between in memory.
    """

    def __init__(self, stream: PairStream) -> None:
        self._stream = stream
        self._readers: list[StreamReader] = []
        self._kept: dict[int, _Drawn] = {}
        self._n_drawn = 0
        self._shares = stream.shares
        self._is_restored = False
        self._error: Exception | None = None

    def reader(self) -> StreamReader:
        """Return one more reader, from the first batch on; before any batch is dropped."""
        assert self._n_drawn == len(self._kept), "batches that it would read are gone"
        reader = StreamReader(self, self._stream)
        self._readers.append(reader)
        return reader

    def batch_at(self, place: int, shares: Mapping[str, float]) -> _Drawn:
        """Return the batch at a place, drawn if no reader was there before."""
        if place == self._n_drawn:
            self._draw(shares)
        drawn = self._kept[place]
        assert drawn.shares == shares, "another reader had other shares here"
        return drawn

    def _draw(self, shares: Mapping[str, float]) -> None:
        if self._error is not None:  # what follows the batch that failed is not for this place
            raise self._error
        stream = self._stream
        if shares != self._shares:
            stream.set_shares(shares)
            self._shares = dict(shares)
        try:
            rows = next(stream)
        except Exception as error:  # raised here, and for every other reader of this batch
            self._error = error
            raise
        drawn = _Drawn(rows, stream.pairs, stream.counts, stream.epochs, shares)
        self._kept[self._n_drawn] = drawn
        self._n_drawn += 1

    def drop_what_all_have_read(self) -> None:
        """Free the batches that no reader will ask for."""
        first = min((reader.place for reader in self._readers), default=self._n_drawn)
        for place in [place for place in self._kept if place < first]:
            del self._kept[place]

    def leave(self, reader: StreamReader) -> None:
        """Keep nothing for a reader any more."""
        if reader in self._readers:
            self._readers.remove(reader)
            self.drop_what_all_have_read()

    def is_last(self, place: int) -> bool:
        """Return whether no reader has got further than this place."""
        return place == self._n_drawn

    def restore(self, state: dict[str, Any]) -> None:
        """Restore the stream for the first reader; the others were stopped at the same place."""
        if not self._is_restored:
            self._stream.load_state_dict(state)
            self._shares = self._stream.shares
            self._is_restored = True


class StreamReader(Iterator[Tensor]):
    """One training's share in a stream; it reads what a `PairStream` of its own would give."""

    pairs: PairIds
    counts: dict[str, int]

    def __init__(self, shared: SharedStream, stream: PairStream) -> None:
        self._shared, self._stream = shared, stream
        self.batch_size, self.d_in = stream.batch_size, stream.d_in
        self.place = 0
        """Batches read so far."""
        self._epochs = stream.epochs
        self._shares = stream.shares

    @property
    def epochs(self) -> int:
        """Passes over a finite dataset that were complete when the last batch was drawn."""
        return self._epochs

    def set_shares(self, shares: Mapping[str, float]) -> None:
        """Make the batches from the next one on of these shares; see `PairStream.set_shares`."""
        self._stream.check_shares(shares)
        self._shares = dict(shares)

    def __next__(self) -> Float[Tensor, "batch_size d_in"]:
        drawn = self._shared.batch_at(self.place, self._shares)
        self.pairs, self.counts, self._epochs = drawn.pairs, drawn.counts, drawn.epochs
        self.place += 1
        self._shared.drop_what_all_have_read()
        return drawn.rows

    def draw_ahead(self) -> None:
        """Begin to draw the next batch in a thread, where no reader has got so far."""
        if self._shared.is_last(self.place):
            self._stream.draw_ahead()

    def wait(self) -> None:
        """Wait until no batch is being drawn."""
        self._stream.wait()

    def close(self) -> None:
        """Read no more: what only this reader has not read is dropped."""
        self._shared.leave(self)

    def state_dict(self) -> dict[str, Any]:
        """Return everything that decides the batches from here on.

        Only where no reader has got further.
        """
        assert self._shared.is_last(self.place), "the stream is further on"
        return self._stream.state_dict()

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Resume after the batch last read when `state` was taken; all readers at one place."""
        self._shared.restore(state)
        self._shares, self._epochs = self._stream.shares, self._stream.epochs


class _Drawn(NamedTuple):
    rows: Float[Tensor, "batch_size d_in"]
    pairs: PairIds
    counts: dict[str, int]
    epochs: int
    shares: Mapping[str, float]


PairBatches = PairStream | StreamReader
"""Batches that a training reads: of a stream of its own, or of one that it shares."""
