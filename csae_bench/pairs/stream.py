"""PairStream: batches of pairs of several kinds, in fixed proportions."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from concurrent.futures import wait as wait_for
from typing import Any

import torch
from jaxtyping import Float, Int64
from torch import Tensor

from csae_bench.config.pairs import fewest_pairs
from csae_bench.errors import ConfigError, DataError
from csae_bench.pairs.layout import IDS, VALUES, Layout
from csae_bench.pairs.mixing_buffer import MixingBuffer, PackedPairs
from csae_bench.pairs.shares import pairs_of_each_kind
from csae_bench.pairs.shuffling import exchange_partners
from csae_bench.pairs.source import Pairs, PairSource, seeds_of_kind
from csae_bench.saes.pair_ids import PairIds
from csae_bench.support.float32_products import carried_over
from csae_bench.support.transfers import to_device


class PairStream(Iterator[Tensor]):
    """Endless batches of pairs, each [batch_size, d_in] float32.

    Every batch has as many pairs of each source as its share asks for, to the pair; kinds stand in
    the order of `sources`, each shuffled in a buffer of its own. Groups of three are two pairs (see
    `Layout`). Whatever the SAE or its loss, equal sources, settings and seeds give equal batches,
    and what one kind gives does not depend on the others. The state is the sources' places, the
    buffers, the shares, every generator and a batch that was drawn ahead; a stream that loads it
    resumes with bit-identical batches.
    """

    pairs: PairIds
    """Origin of the pairs of the batch last drawn; of shuffled ones, of their anchors."""

    counts: dict[str, int]
    """Pairs of each kind in the batch last drawn; kinds that are off are left out."""

    def __init__(
        self,
        sources: Mapping[str, PairSource],
        shares: Mapping[str, float],
        *,
        batch_size: int,
        pairs_in_buffer: int,
        seed: int,
        mix_fraction: float = 0.5,
        small_buffers: Collection[str] = (),
        shuffled: Collection[str] = (),
        threes: Collection[str] = (),
    ) -> None:
        """Build a stream that has drawn nothing yet.

        Args:
            sources: source of each kind, by the kind's name.
            shares: of each kind in a batch, in any unit; see `set_shares`.
            batch_size: rows in a batch, two for each pair.
            pairs_in_buffer: pairs of each kind that are held for shuffling.
            mix_fraction: of the buffer that stays for the next mixture; 0 does not shuffle.
            small_buffers: kinds whose buffer holds no more pairs than a batch has, so that little
                is read before the first.
            shuffled: a control: within these kinds of a batch every anchor gets another pair's
                partner. The rows of the batch stay the same.
            threes: sources that give groups of three: `minimal`, or none.

        Raises:
            ConfigError: a number that does not fit the others.
        """
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
        self.batch_size = batch_size
        self.d_in = _common_width(sources)
        self._sources = dict(sources)
        self._buffers = {
            kind: MixingBuffer(
                n_pairs if kind in small_buffers else pairs_in_buffer,
                torch.Generator().manual_seed(seeds_of_kind(seed, kind)[1]),
                mix_fraction=mix_fraction,
            )
            for kind in sources
        }
        self._shuffled = {*shuffled}
        self._threes = threes
        self._shuffling = torch.Generator().manual_seed(seeds_of_kind(seed, "shuffled")[1])
        self._ahead: Future[PackedPairs] | None = None
        self._thread = ThreadPoolExecutor(max_workers=1)
        self.set_shares(shares)

    @property
    def epochs(self) -> int:
        """Passes over a finite dataset that are complete, of the kind that has made most."""
        return max(source.epochs for source in self._sources.values())

    @property
    def shares(self) -> dict[str, float]:
        """Share of each kind that is on, adding up to 1."""
        return dict(self._shares)

    def set_shares(self, shares: Mapping[str, float]) -> None:
        """Make the batches from the next one on of these shares; each is divided by their sum.

        A kind of share 0, or left out, is not drawn from; what its buffer holds is kept.

        Raises:
            ConfigError: a kind that has no source, or whose share of a batch is less than a pair.
        """
        shares, layout = self._divided(shares)
        assert self._ahead is None or layout == self._layout, "the next batch has other shares"
        self._shares, self._layout = shares, layout

    def check_shares(self, shares: Mapping[str, float]) -> None:
        """Raise the error that `set_shares` would raise."""
        self._divided(shares)

    def __next__(self) -> Float[Tensor, "batch_size d_in"]:
        rows, ids = self._batch() if self._ahead is None else self._ahead.result()
        self._ahead = None
        ids, minimal = to_device(ids, rows.device), self._layout.minimal()
        self.counts = self._layout.counts
        self.pairs = PairIds(
            sequence=ids[:, 0],
            group=ids[:, 1],
            kinds=self._layout.kinds,
            values=ids[:, VALUES] if "minimal" in self.counts else None,
            minimal=None if minimal is None else to_device(minimal, rows.device),
        )
        return rows.view(-1, self.d_in)

    def draw_ahead(self) -> None:
        """Begin to draw the next batch in a thread; the batches stay the same.

        Until it is drawn the language model must not be used otherwise: see `wait`.
        """
        if self._ahead is None:
            self._ahead = self._thread.submit(carried_over(self._batch))

    def wait(self) -> None:
        """Wait until no batch is being drawn; one that is drawn already is kept."""
        if self._ahead is not None:
            wait_for([self._ahead])

    def state_dict(self) -> dict[str, Any]:
        """Return everything that decides the batches from here on."""
        ahead = None if self._ahead is None else self._ahead.result()
        return {
            "ahead": None if ahead is None else (ahead.rows.clone(), ahead.ids.clone()),
            "sources": {kind: source.state_dict() for kind, source in self._sources.items()},
            "buffers": {kind: buffer.state_dict() for kind, buffer in self._buffers.items()},
            "shares": self.shares,
            "shuffling": self._shuffling.get_state(),
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Resume after the batch last drawn when `state` was taken; on a stream not used yet."""
        for kind in self._sources:
            self._sources[kind].load_state_dict(state["sources"][kind])
            self._buffers[kind].load_state_dict(state["buffers"][kind])
        self._shuffling.set_state(state["shuffling"].cpu())
        self.set_shares(state["shares"])
        if state["ahead"] is not None:
            self._ahead = Future()
            self._ahead.set_result(PackedPairs(*state["ahead"]))

    def _divided(self, shares: Mapping[str, float]) -> tuple[dict[str, float], Layout]:
        divided, n_pairs = pairs_of_each_kind(
            shares,
            self._sources,
            n_pairs=self.batch_size // 2,
            fewest=fewest_pairs(self._shuffled, self._threes),
        )
        return divided, Layout.of(n_pairs, self._threes)

    def _batch(self) -> PackedPairs:
        taken = self._layout.taken
        return self._layout.assembled({kind: self._take(kind, n) for kind, n in taken.items()})

    def _take(self, kind: str, n: int) -> PackedPairs:
        buffer = self._buffers[kind]
        while (taken := buffer.take(n)) is None:
            buffer.add(self._draw(kind, n))
        if kind not in self._shuffled:
            return taken
        return taken._replace(rows=exchange_partners(taken.rows, self.d_in, self._shuffling))

    def _draw(self, kind: str, n: int) -> PackedPairs:
        source = self._sources[kind]
        pairs = source.next_pairs()
        n_rows = n * pairs.rows.shape[1]
        if source.rows_per_epoch is not None and source.rows_per_epoch < n_rows:
            raise DataError(
                f"The dataset of the {kind} pairs is too small: one pass over it gives "
                f"{source.rows_per_epoch} rows, and one batch takes {n_rows}. Add text, raise "
                f"pairs.{kind}.n_pairs where it is set, or lower training.batch_size."
            )
        return PackedPairs(pairs.rows.flatten(1).float(), _ids(pairs))


def _ids(pairs: Pairs) -> Int64[Tensor, "n_pairs n_ids"]:
    ids = torch.full((len(pairs.rows), len(IDS)), -1)
    ids[:, 0], ids[:, 1] = pairs.sequence, pairs.group
    if pairs.values is not None:
        ids[:, VALUES] = pairs.values
    return ids


def _common_width(sources: Mapping[str, PairSource]) -> int:
    widths = {kind: source.d_in for kind, source in sources.items()}
    if len(set(widths.values())) != 1:
        raise ValueError(f"The sources of pairs must be of one width; they are {widths}.")
    return next(iter(widths.values()))
