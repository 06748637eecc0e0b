"""TextPairs: pairs of a position in each of several texts that belong together."""

from __future__ import annotations

import warnings
from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import torch
from jaxtyping import Int64
from numpy.typing import NDArray
from torch import Tensor
from torch.nn.utils.rnn import pad_sequence

from csae_bench.activations.fused_attention import fused_attention
from csae_bench.activations.reading import ReadActivations
from csae_bench.activations.sources import EpochWarning, special_token_ids
from csae_bench.errors import DataError
from csae_bench.pairs.source import MAX_BARREN_DRAWS, Pairs, seeds_of_kind
from csae_bench.support.transfers import to_device

if TYPE_CHECKING:
    from transformer_lens import HookedTransformer
    from transformer_lens.HookedRootModule import HookedRootModule


class TextsTogether(NamedTuple):
    """Texts of which a position each makes a pair, or a group of three."""

    group: int
    texts: tuple[str, ...]
    """The anchor, its partner, and in a group of three what goes with the anchor besides."""
    values: tuple[int, int] = (-1, -1)
    """Values of the factor in which anchor and partner differ; -1: not known, or none does."""


class TextPairs(ABC):
    """Texts that belong together, read by a language model, and their positions paired.

    A text is read by itself, from `<bos>` on and cut after `context_size` tokens. Neither padding
    nor special tokens are in a pair. Which texts and positions are paired follows from the seed and
    the place alone. A dataset that ends is started over with a warning. A subclass says which texts
    belong together and which of their positions.
    """

    kind: str
    """Name of the kind of pairs, as configurations have it."""
    n_together = 2
    """Texts that belong together: rows of what `next_pairs` gives."""

    def __init__(
        self,
        model: HookedTransformer | HookedRootModule,
        activations: ReadActivations,
        *,
        dataset: str,
        d_in: int,
        context_size: int,
        batch_size_prompts: int,
        seed: int,
    ) -> None:
        """Build a source that has read nothing yet.

        Args:
            model: makes tokens of texts, by its `to_tokens`.
            activations: reads tokens; see `activations_at`.
            dataset: what messages call the texts.
            context_size: tokens of a text that are read, `<bos>` included.
            batch_size_prompts: texts in one forward pass, at least those that belong together.
        """
        self.d_in = d_in
        self.dataset = dataset
        self.rows_per_epoch: int | None = None
        self._model: Any = model
        self._activations = activations
        self._context_size = context_size
        self._n_at_once = max(1, batch_size_prompts // self.n_together)
        tokenizer = self._model.tokenizer
        self._special = torch.tensor(special_token_ids(tokenizer), dtype=torch.long)
        bos = tokenizer.bos_token_id
        self._bos = torch.tensor([tokenizer.eos_token_id if bos is None else bos])
        self._seed = seeds_of_kind(seed, self.kind)[0]
        self._n_groups = 0
        self._n_taken = 0
        self._n_rows = 0

    @property
    @abstractmethod
    def groups_per_epoch(self) -> int | None:
        """Groups in one pass; none: there is no end."""

    @abstractmethod
    def _together(self, group: int, rng: np.random.Generator) -> list[TextsTogether]:
        """Return the texts of a group that belong together."""

    @abstractmethod
    def _positions(
        self,
        tokens: list[NDArray[np.int64]],
        usable: list[NDArray[np.int64]],
        rng: np.random.Generator,
    ) -> Int64[NDArray[Any], "n_pairs n_together"]:
        """Choose positions of texts that belong together: [n_pairs, n_together].

        Args:
            tokens: of each text.
            usable: positions of each that may be in a pair.
        """

    @property
    def epochs(self) -> int:
        """Passes over a finite dataset that are complete."""
        n_groups = self.groups_per_epoch
        return 0 if n_groups is None else self._n_groups // n_groups

    def next_pairs(self) -> Pairs:
        """Return the pairs of the next `batch_size_prompts` texts, up to the end of a pass.

        Raises:
            DataError: no text has a token that may be in a pair.
        """
        n_texts = 0
        for _ in range(MAX_BARREN_DRAWS):
            rng = self._rng("positions", self._n_taken)
            texts = self._next_texts()
            pairs = self._pairs(texts, rng)
            self._count(len(pairs.rows))
            if len(pairs.rows):
                return pairs
            n_texts += self.n_together * len(texts)
            if self.rows_per_epoch == 0:
                break
        raise DataError(
            f"No pairs in {n_texts} texts of pairs.{self.kind}.dataset '{self.dataset}': "
            f"{self._no_pairs()} among their first {self._context_size}. Use texts with words, or "
            "raise activations.context_size."
        )

    def state_dict(self) -> dict[str, Any]:
        """Return the place, as three numbers."""
        return {"n_groups": self._n_groups, "n_taken": self._n_taken, "n_rows": self._n_rows}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Resume with the texts that follow."""
        self._n_groups, self._n_taken = state["n_groups"], state["n_taken"]
        self._n_rows = state["n_rows"]

    def _no_pairs(self) -> str:
        """Say what texts lack that have no position in a pair."""
        return "no two that are paired both have a token other than special ones"

    def _next_texts(self) -> list[TextsTogether]:
        n_groups = self.groups_per_epoch
        self._warn_at_start_over(n_groups)
        drawn: list[TextsTogether] = []
        while len(drawn) < self._n_at_once:
            group = self._n_groups if n_groups is None else self._n_groups % n_groups
            together = self._together(group, self._rng("matching"))
            wanted = self._n_at_once - len(drawn)
            drawn += together[self._n_taken : self._n_taken + wanted]
            self._n_taken += wanted
            if self._n_taken < len(together):
                break
            self._n_groups, self._n_taken = self._n_groups + 1, 0
            if n_groups is not None and self._n_groups % n_groups == 0:
                break
        return drawn

    def _warn_at_start_over(self, n_groups: int | None) -> None:
        if n_groups and self._n_groups and self._n_groups % n_groups == 0 and not self._n_taken:
            warn_of_new_epoch(self.kind, self.epochs, n_groups, self.dataset)

    def _pairs(self, together: list[TextsTogether], rng: np.random.Generator) -> Pairs:
        n = self.n_together
        rows = self._tokens([text for one in together for text in one.texts])
        tokens = self._padded(rows)
        is_usable = (~torch.isin(tokens, self._special)).numpy()
        read = [row.numpy() for row in rows]
        usable = [np.flatnonzero(of_text) for of_text in is_usable]
        chosen = [
            self._positions(read[n * i : n * (i + 1)], usable[n * i : n * (i + 1)], rng)
            for i in range(len(together))
        ]
        n_pairs = [len(of_texts) for of_texts in chosen]
        group, *values = (
            torch.tensor([(one.group, *one.values) for one in together])
            .repeat_interleave(torch.tensor(n_pairs), dim=0)
            .T
        )
        known = (
            torch.stack(values, dim=1) if any(max(one.values) >= 0 for one in together) else None
        )
        if not sum(n_pairs):
            return Pairs(torch.empty(0, n, self.d_in), -1 - group, group, known)
        row = np.repeat(n * np.arange(len(together)), n_pairs)[:, None] + np.arange(n)
        with torch.no_grad(), fused_attention(self._model):
            acts = self._activations(tokens)
        text, position = (
            to_device(torch.from_numpy(places), acts.device)
            for places in (row, np.concatenate(chosen))
        )
        return Pairs(acts[text, position].float(), -1 - group, group, known)

    def _tokens(self, texts: list[str]) -> list[Int64[Tensor, " n_pos"]]:
        rows: list[Tensor] = []
        for text in texts:
            # one by one, by these options: SAELens's proxy of a Hugging Face model knows no other
            tokens = self._model.to_tokens(
                text, prepend_bos=False, truncate=False, move_to_device=False
            )
            rows.append(torch.cat([self._bos, tokens[0].cpu().long()])[: self._context_size])
        return rows

    def _padded(self, rows: list[Tensor]) -> Int64[Tensor, "n_texts n_pos"]:
        # padded on the right, where a causal model's text is untouched, by a special token
        return pad_sequence(rows, batch_first=True, padding_value=int(self._bos))

    def _count(self, n_pairs: int) -> None:
        self._n_rows += self.n_together * n_pairs
        n_groups = self.groups_per_epoch
        if n_groups is not None and self._n_groups % n_groups == 0 and not self._n_taken:
            self.rows_per_epoch, self._n_rows = self._n_rows, 0

    def _rng(self, purpose: str, n_taken: int = 0) -> np.random.Generator:
        return np.random.default_rng([self._seed, self._n_groups, n_taken, *purpose.encode()])


def warn_of_new_epoch(kind: str, n_epochs: int, n_groups: int, dataset: str) -> None:
    """Warn that a dataset of `n_groups` is read once more, after `n_epochs` passes."""
    warnings.warn(
        f"The {kind} pairs of '{dataset}' ended after {n_groups} groups; starting over "
        f"(pass {n_epochs + 1}).",
        EpochWarning,
        stacklevel=3,
    )
