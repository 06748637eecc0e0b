"""Pairs of a position in each of two texts that say the same."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import torch
from jaxtyping import Float, Int64
from torch import Tensor
from torch.nn.utils.rnn import pad_sequence

from csae_bench.activations.fused_attention import fused_attention
from csae_bench.activations.sources import EpochWarning, check_hook, special_token_ids
from csae_bench.config import ParaphraseSettings
from csae_bench.corpora import Paraphrases
from csae_bench.errors import DataError
from csae_bench.pairs.alignment import paired_positions
from csae_bench.pairs.source import MAX_BARREN_DRAWS, Pairs, seeds_of_kind

if TYPE_CHECKING:
    from transformer_lens import HookedTransformer
    from transformer_lens.HookedRootModule import HookedRootModule

ReadActivations = Callable[[Int64[Tensor, "n_texts n_pos"]], Float[Tensor, "n_texts n_pos d_in"]]
"""Activations of tokens, at one hook."""


class TextPair(NamedTuple):
    """Two texts of one group."""

    group: int
    anchor: str
    positive: str


class ParaphrasePairs:
    """Texts of a group in a random matching, read by a language model, and their positions paired.

    In each pass every text of a group has one partner; in a group of odd size one text is left
    out. A text is read by itself, from `<bos>` on and cut after `context_size` tokens. Neither
    padding nor special tokens are in a pair. Which texts and positions are paired follows from
    the seed and the place alone. A dataset that ends is started over with a warning.
    """

    def __init__(
        self,
        model: HookedTransformer | HookedRootModule,
        activations: ReadActivations,
        paraphrases: Paraphrases,
        settings: ParaphraseSettings,
        *,
        d_in: int,
        context_size: int,
        batch_size_prompts: int,
        seed: int,
    ) -> None:
        """Build a source that has read nothing yet.

        Args:
            model: makes tokens of texts, by its `to_tokens`.
            activations: reads tokens; see `activations_at`.
            context_size: tokens of a text that are read, `<bos>` included.
            batch_size_prompts: texts in one forward pass, at least the two of a pair.
        """
        self.d_in = d_in
        self.rows_per_epoch: int | None = None
        self._model: Any = model
        self._activations = activations
        self._paraphrases = paraphrases
        self._settings = settings
        self._context_size = context_size
        self._n_at_once = max(1, batch_size_prompts // 2)
        tokenizer = self._model.tokenizer
        self._special = torch.tensor(special_token_ids(tokenizer), dtype=torch.long)
        bos = tokenizer.bos_token_id
        self._bos = torch.tensor([tokenizer.eos_token_id if bos is None else bos])
        self._seed = seeds_of_kind(seed, "paraphrase")[0]
        self._n_groups = 0
        self._n_taken = 0
        self._n_rows = 0

    @property
    def epochs(self) -> int:
        """Passes over a finite dataset that are complete."""
        n_groups = self.groups_per_epoch
        return 0 if n_groups is None else self._n_groups // n_groups

    @property
    def groups_per_epoch(self) -> int | None:
        """Groups in one pass; none: there is no end."""
        return self._paraphrases.n_groups

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
            n_texts += 2 * len(texts)
            if self.rows_per_epoch == 0:
                break
        raise DataError(
            f"No pairs in {n_texts} texts of pairs.paraphrase.dataset '{self._settings.dataset}': "
            "no two that are paired both have a token other than special ones among their first "
            f"{self._context_size}. Use texts with words, or raise activations.context_size."
        )

    def state_dict(self) -> dict[str, Any]:
        """Return the place, as three numbers."""
        return {"n_groups": self._n_groups, "n_taken": self._n_taken, "n_rows": self._n_rows}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Resume with the texts that follow."""
        self._n_groups, self._n_taken = state["n_groups"], state["n_taken"]
        self._n_rows = state["n_rows"]

    def _next_texts(self) -> list[TextPair]:
        n_groups = self._paraphrases.n_groups
        self._warn_at_start_over(n_groups)
        drawn: list[TextPair] = []
        while len(drawn) < self._n_at_once:
            group = self._n_groups if n_groups is None else self._n_groups % n_groups
            matched = self._matched(group)
            wanted = self._n_at_once - len(drawn)
            drawn += matched[self._n_taken : self._n_taken + wanted]
            self._n_taken += wanted
            if self._n_taken < len(matched):
                break
            self._n_groups, self._n_taken = self._n_groups + 1, 0
            if n_groups is not None and self._n_groups % n_groups == 0:
                break
        return drawn

    def _warn_at_start_over(self, n_groups: int | None) -> None:
        if n_groups and self._n_groups and self._n_groups % n_groups == 0 and not self._n_taken:
            warn_of_new_epoch(self.epochs, n_groups, self._settings.dataset)

    def _matched(self, group: int) -> list[TextPair]:
        texts = self._paraphrases.texts(group)
        order = self._rng("matching").permutation(len(texts)).tolist()
        return [
            TextPair(group, texts[one], texts[other])
            for one, other in zip(order[::2], order[1::2], strict=False)
        ]

    def _pairs(self, texts: list[TextPair], rng: np.random.Generator) -> Pairs:
        tokens = self._tokens([text for pair in texts for text in (pair.anchor, pair.positive)])
        usable = (~torch.isin(tokens, self._special)).numpy()
        positions = [np.flatnonzero(of_text) for of_text in usable]
        chosen = [
            paired_positions(positions[2 * i], positions[2 * i + 1], self._settings.positions, rng)
            for i in range(len(texts))
        ]
        n_pairs = [len(of_texts) for of_texts in chosen]
        group = torch.tensor([pair.group for pair in texts]).repeat_interleave(
            torch.tensor(n_pairs)
        )
        if not sum(n_pairs):
            return Pairs(torch.empty(0, 2, self.d_in), -1 - group, group)
        row = np.repeat(2 * np.arange(len(texts)), n_pairs)[:, None] + np.arange(2)
        with torch.no_grad(), fused_attention(self._model):
            acts = self._activations(tokens)
        at = torch.from_numpy(row).to(acts.device), torch.from_numpy(np.concatenate(chosen))
        return Pairs(acts[at[0], at[1].to(acts.device)].float(), -1 - group, group)

    def _tokens(self, texts: list[str]) -> Int64[Tensor, "n_texts n_pos"]:
        rows: list[Tensor] = []
        for text in texts:
            # one by one, by these options: SAELens's proxy of a Hugging Face model knows no other
            tokens = self._model.to_tokens(
                text, prepend_bos=False, truncate=False, move_to_device=False
            )
            rows.append(torch.cat([self._bos, tokens[0].cpu().long()])[: self._context_size])
        # padded on the right, where a causal model's text is untouched, by a special token
        return pad_sequence(rows, batch_first=True, padding_value=int(self._bos))

    def _count(self, n_pairs: int) -> None:
        self._n_rows += 2 * n_pairs
        n_groups = self._paraphrases.n_groups
        if n_groups is not None and self._n_groups % n_groups == 0 and not self._n_taken:
            self.rows_per_epoch, self._n_rows = self._n_rows, 0

    def _rng(self, purpose: str, n_taken: int = 0) -> np.random.Generator:
        return np.random.default_rng([self._seed, self._n_groups, n_taken, *purpose.encode()])


def warn_of_new_epoch(n_epochs: int, n_groups: int, dataset: str) -> None:
    """Warn that a dataset of `n_groups` is read once more, after `n_epochs` passes."""
    warnings.warn(
        f"The paraphrases of '{dataset}' ended after {n_groups} groups; starting over "
        f"(pass {n_epochs + 1}).",
        EpochWarning,
        stacklevel=3,
    )


def activations_at(
    model: HookedTransformer, hook_name: str, *, device: torch.device | str = "cpu"
) -> ReadActivations:
    """Read float32 activations at a hook; the model stops after the hook's layer.

    Raises:
        ModelError: the model has no such hook.
    """
    from sae_lens.util import extract_stop_at_layer_from_tlens_hook_name

    check_hook(model, hook_name)
    stop_at_layer = extract_stop_at_layer_from_tlens_hook_name(hook_name)

    def read(
        tokens: Int64[Tensor, "n_texts n_pos"],
    ) -> Float[Tensor, "n_texts n_pos d_in"]:
        _, cache = model.run_with_cache(
            tokens.to(model.cfg.device),
            names_filter=[hook_name],
            stop_at_layer=stop_at_layer,
            prepend_bos=False,
        )
        return cache[hook_name].flatten(2).to(device=device, dtype=torch.float32)

    return read
