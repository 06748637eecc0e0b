"""Anchors and positives: which rows of the activations are pairs, as an endless stream of batches.

`same_sequence` decides which two rows make a pair; `PairStream` shuffles pairs and serves them as
batches whose rows 2i and 2i + 1 are the anchor and the positive of pair i.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np
import torch
from jaxtyping import Float, Int64
from numpy.typing import NDArray
from torch import Tensor

from csae_bench.activations import ActivationSource, Sequences
from csae_bench.config import PairsSettings, SameSequenceSettings
from csae_bench.errors import ConfigError, DataError
from csae_bench.mixing_buffer import MixingBuffer, PackedPairs
from csae_bench.saes.pair_ids import PairIds

_MAX_BARREN_DRAWS = 32
"""Draws from a source without a single pair, after which there is no hope for any."""


class Pairs(NamedTuple):
    """Pairs of rows, and the sequence each pair comes from."""

    rows: Float[Tensor, "n_pairs 2 d_in"]
    """The anchor, then the positive."""
    sequence: Int64[Tensor, " n_pairs"]


def same_sequence(
    sequences: Sequences, settings: SameSequenceSettings, generator: torch.Generator
) -> Pairs:
    """A random matching of the usable positions of each sequence; the earlier one is the positive.

    Every position is used at most once: seen from an anchor its positive is a random earlier
    position, and yet rows are distributed as usable positions are, so that a twin without a
    contrastive term trains on the data it would have got anyway. (All pairs (later, random
    earlier) would show the first positions of a sequence many times.) Without limits of distance
    one position is left over in a sequence of odd length. With limits, positions choose in random
    order among the free ones in reach, and those that find none are left out: about 1 in 7 for
    adjacent pairs (1 in 3 at the ends of a sequence), fewer for wider ranges.
    """
    # numpy: waking torch's threads for each small operation can take a hundred times longer
    usable, ids = sequences.usable.cpu().numpy(), sequences.ids.cpu().numpy()
    rng = np.random.default_rng(int(torch.randint(2**63 - 1, (1,), generator=generator)))
    if settings.min_distance == 1 and settings.max_distance is None:
        pairs = _any_distance(usable, ids, rng)
    else:
        pairs = _within_distance(usable, ids, settings, rng)
    chosen = torch.from_numpy(np.stack([pairs.max(1), pairs.min(1)], axis=1))
    rows = sequences.acts.flatten(0, 1)
    return Pairs(rows[chosen.to(rows.device)], sequences.ids.flatten()[chosen[:, 0]])


class PairStream(Iterator[Tensor]):
    """Endless batches of pairs from a source, each [batch_size, d_in] float32.

    `pairs` tells where those of the batch last drawn come from. Whatever the SAE or its loss, the
    same source, settings and seed give the same batches. Its state is the source's place, the
    buffer and two generators; a stream that loads it goes on with the same batches, to the bit.
    """

    pairs: PairIds

    def __init__(
        self,
        source: ActivationSource,
        settings: PairsSettings,
        *,
        batch_size: int,
        pairs_in_buffer: int,
        seed: int,
        mix_fraction: float = 0.5,
    ) -> None:
        n_pairs, rest = divmod(batch_size, 2)
        if rest or not n_pairs:
            raise ConfigError(
                [f"batch_size is {batch_size}; it must be even and above 0: a pair is two rows."]
            )
        if pairs_in_buffer < n_pairs:
            raise ConfigError(
                [
                    f"activations.pairs_in_buffer is {pairs_in_buffer}; it must be at least "
                    f"{n_pairs}, the pairs of one batch of {batch_size} rows."
                ]
            )
        self.d_in = source.d_in
        self.batch_size = batch_size
        self._source = source
        self._settings = settings.same_sequence
        choosing, mixing = np.random.SeedSequence([seed, *b"pairs"]).generate_state(2)
        self._generator = torch.Generator().manual_seed(int(choosing))
        self._buffer = MixingBuffer(
            pairs_in_buffer,
            n_pairs,
            torch.Generator().manual_seed(int(mixing)),
            mix_fraction=mix_fraction,
        )

    @property
    def epochs(self) -> int:
        """Passes over a finite dataset that are complete."""
        return self._source.epochs

    def __next__(self) -> Float[Tensor, "batch_size d_in"]:
        while (batch := self._buffer.take()) is None:
            self._buffer.add(self._draw())
        self.pairs = PairIds(sequence=batch.ids[:, 0].to(batch.rows.device))
        return batch.rows.view(-1, self.d_in)

    def state_dict(self) -> dict[str, Any]:
        """Everything that decides the batches from here on."""
        return {
            "source": self._source.state_dict(),
            "generator": self._generator.get_state(),
            "buffer": self._buffer.state_dict(),
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on after the batch last drawn when `state` was taken; on a stream not used yet."""
        self._source.load_state_dict(state["source"])
        self._generator.set_state(state["generator"].cpu())
        self._buffer.load_state_dict(state["buffer"])

    def _draw(self) -> PackedPairs:
        n_windows = 0
        for _ in range(_MAX_BARREN_DRAWS):
            sequences = self._source.next_sequences()
            self._check_size_of_data()
            pairs = same_sequence(sequences, self._settings, self._generator)
            if len(pairs.rows):
                return PackedPairs(pairs.rows.flatten(1).float(), pairs.sequence[:, None])
            n_windows += len(sequences.ids)
        raise DataError(
            f"No pairs in {n_windows} sequences of {self._source.context_size} tokens: none has "
            f"two usable positions at least {self._settings.min_distance} apart. Raise "
            "activations.context_size, lower pairs.same_sequence.min_distance, or use longer texts."
        )

    def _check_size_of_data(self) -> None:
        n_windows = self._source.windows_per_epoch
        if n_windows is None:
            return
        n_rows = n_windows * self._source.context_size
        if n_rows < self.batch_size:
            raise DataError(
                f"The dataset is too small: one pass gives {n_windows} sequences of "
                f"{self._source.context_size} tokens, {n_rows} rows, and one batch takes "
                f"{self.batch_size}. Add text, or lower training.batch_size."
            )


def _any_distance(
    usable: NDArray[np.bool_],
    ids: NDArray[np.int64],
    rng: np.random.Generator,
) -> NDArray[np.int64]:
    """Flat positions [n_pairs, 2] of a uniformly random matching within each sequence."""
    positions = rng.permutation(np.flatnonzero(usable))
    positions = positions[ids.flat[positions].argsort(kind="stable")]
    sequence = ids.flat[positions]
    starts = np.searchsorted(sequence, sequence)  # of each position's sequence
    opens = (np.arange(len(positions)) - starts) % 2 == 0
    opens[:-1] &= sequence[1:] == sequence[:-1]
    opens[-1:] = False
    return np.stack([positions[:-1][opens[:-1]], positions[1:][opens[:-1]]], axis=1)


def _within_distance(
    usable: NDArray[np.bool_],
    ids: NDArray[np.int64],
    settings: SameSequenceSettings,
    rng: np.random.Generator,
) -> NDArray[np.int64]:
    """The same where the two positions must be some distance apart; all windows side by side."""
    n_seq, n_pos = usable.shape
    steps, window = np.arange(n_pos), np.arange(n_seq)
    distance = np.abs(steps[:, None] - steps[None, :])
    in_reach = (distance >= settings.min_distance) & (distance <= (settings.max_distance or n_pos))
    free = usable.copy()
    chosen: list[NDArray[np.int64]] = []
    for position in rng.random((n_seq, n_pos)).argsort(1).T:
        candidates = free & in_reach[position] & (ids == ids[window, position][:, None])
        partner = np.where(candidates, rng.random((n_seq, n_pos)), -1).argmax(1)
        finds = free[window, position] & candidates[window, partner]
        pair = np.stack([window * n_pos + position, window * n_pos + partner], axis=1)[finds]
        free.flat[pair] = False
        chosen.append(pair)
    return np.concatenate(chosen)
