"""Pairs of two positions of one text."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from csae_bench.activations.sources import ActivationSource, Sequences
from csae_bench.config import SameSequenceSettings
from csae_bench.errors import DataError
from csae_bench.pairs.source import MAX_BARREN_DRAWS, Pairs, seeds_of_kind
from csae_bench.support.transfers import to_device


class SameSequencePairs:
    """`same_sequence` on one draw of sequences after the other."""

    def __init__(
        self, source: ActivationSource, settings: SameSequenceSettings, *, seed: int
    ) -> None:
        self.d_in = source.d_in
        self._source = source
        self._settings = settings
        self._generator = torch.Generator().manual_seed(seeds_of_kind(seed, "same_sequence")[0])

    @property
    def epochs(self) -> int:
        """Passes over a finite dataset that are complete."""
        return self._source.epochs

    @property
    def rows_per_epoch(self) -> int | None:
        """Positions in one pass, special tokens included; none until a pass is complete."""
        n_windows = self._source.windows_per_epoch
        return None if n_windows is None else n_windows * self._source.context_size

    def next_pairs(self) -> Pairs:
        """Return the pairs of the next sequences, at least one.

        Raises:
            DataError: no sequence has two usable positions at the distance that is asked for.
        """
        n_windows = 0
        for _ in range(MAX_BARREN_DRAWS):
            sequences = self._source.next_sequences()
            pairs = same_sequence(sequences, self._settings, self._generator)
            if len(pairs.rows):
                return pairs
            n_windows += len(sequences.ids)
        raise DataError(
            f"No pairs in {n_windows} sequences of {self._source.context_size} tokens: none has "
            f"two usable positions at least {self._settings.min_distance} apart. Raise "
            "activations.context_size, lower pairs.same_sequence.min_distance, or use longer texts."
        )

    def state_dict(self) -> dict[str, Any]:
        """Return the source's place and the generator of the matching."""
        return {"source": self._source.state_dict(), "generator": self._generator.get_state()}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Resume with the pairs that follow; on a source not used yet."""
        self._source.load_state_dict(state["source"])
        self._generator.set_state(state["generator"].cpu())


def same_sequence(
    sequences: Sequences, settings: SameSequenceSettings, generator: torch.Generator
) -> Pairs:
    """Match usable positions of each sequence at random; the earlier one is the positive.

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
    sequence = sequences.ids.flatten()[chosen[:, 0]]
    return Pairs(rows[to_device(chosen, rows.device)], sequence, -1 - sequence)


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
    """Match positions that must be some distance apart; all windows at once."""
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
