"""Observes what SAE-Bench's core eval computes, without changing it.

Core makes three passes of the language model per reconstruction batch and part of one per sparsity
batch; the corrected values need the very same logits, activations and codes. So the store, the
model and the SAE that core is given report what passes through them, and no pass is run twice.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Collection, Generator
from typing import Any, NamedTuple, TypedDict

import torch
from jaxtyping import Float, Int
from sae_lens import SAE
from sae_lens.training.activations_store import ActivationsStore
from torch import Tensor

from csae_bench.errors import EvalError
from csae_bench.upstream.adapting import AdaptedSae
from csae_bench.upstream.split_model import SplitModel
from csae_bench.upstream.sums import (
    ActivationSums,
    LogitSums,
    activation_sums,
    clean_sums,
    logit_sums,
)


class DataUse(TypedDict):
    """Amount of text that was available for what was asked."""

    n_sequences: int
    n_distinct_sequences: int
    n_epochs: int
    """Times the dataset was begun; above 1 it was too small, and SAE-Bench began it again."""


class Sums(NamedTuple):
    """Sums of core's two phases."""

    logits: LogitSums
    activations: ActivationSums


class Observer:
    """Collects the sums behind the corrected values, batch by batch.

    Args:
        split: keeps what is the same for every SAE.
    """

    def __init__(self, ignore_tokens: Collection[int], split: SplitModel) -> None:
        self._split = split
        self._ignore_tokens = torch.tensor(sorted(ignore_tokens))
        self._tokens: Tensor | None = None
        self._logits: list[Tensor] = []
        self._encoded: tuple[Tensor, Tensor] | None = None
        self._watches_codes = False
        self._sequences: set[bytes] = set()
        self._n_sequences = 0
        self._n_epochs = 0
        self._n_logit_batches = 0
        self._n_activation_batches = 0
        self._logit_sums: LogitSums | None = None
        self._activation_sums: ActivationSums | None = None

    def watch_sae(self, sae: SAE[Any] | AdaptedSae) -> None:
        """Report what `sae`, a copy of our own, encodes and decodes."""
        encode, decode = sae.encode, sae.decode

        def watched_encode(x: Tensor) -> Tensor:
            codes = encode(x)
            self._encoded = (x, codes) if self._watches_codes else None
            return codes

        def watched_decode(feature_acts: Tensor) -> Tensor:
            reconstructions = decode(feature_acts)
            if self._watches_codes:
                self._see_reconstructions(feature_acts, reconstructions)
            return reconstructions

        sae.encode = watched_encode
        sae.decode = watched_decode

    def watched_model(self) -> Any:
        """Return a stand-in for the model that reports its logits."""
        return _WatchedModel(self._split, self)

    def sums(self, n_reconstruction_batches: int, n_sparsity_batches: int) -> Sums:
        """Return the sums over everything that core evaluated.

        Raises:
            EvalError: core did not compute what it computes in the version this is written for.
        """
        seen = (self._n_logit_batches, self._n_activation_batches)
        asked = (n_reconstruction_batches, n_sparsity_batches)
        if seen != asked or self._logit_sums is None or self._activation_sums is None:
            raise EvalError(
                f"SAE-Bench's core eval showed {seen} batches of logits and codes instead of "
                f"{asked}: this version of sae-bench computes otherwise than 0.6.0."
            )
        return Sums(self._logit_sums, self._activation_sums)

    def data_use(self) -> DataUse:
        """Return how much text was used."""
        return DataUse(
            n_sequences=self._n_sequences,
            n_distinct_sequences=len(self._sequences),
            n_epochs=self._n_epochs,
        )

    def cross_entropies(self) -> tuple[float, float]:
        """Return the cross-entropies so far: without an SAE, and with the activation at zero."""
        sums = self._logit_sums
        if sums is None or not sums.n_predictions:
            return math.nan, math.nan
        return sums.ce_without_sae / sums.n_predictions, sums.ce_with_ablation / sums.n_predictions

    def see_epoch(self) -> None:
        """Note that the dataset begins, or begins again."""
        self._n_epochs += 1

    def see_tokens(self, tokens: Int[Tensor, "batch context"]) -> None:
        """Assign the following computations to these tokens."""
        self._tokens = tokens
        self._logits.clear()
        self._watches_codes = False
        self._n_sequences += len(tokens)
        for sequence in tokens.cpu().numpy():
            self._sequences.add(hashlib.blake2b(sequence.tobytes(), digest_size=16).digest())

    def see_logits(self, logits: Float[Tensor, "batch context vocabulary"]) -> None:
        """Take, for each batch of tokens, the clean logits, the SAE's and the ablated ones."""
        self._logits.append(logits)
        if len(self._logits) < 3:
            return
        tokens = self._batch()
        is_used = self._is_used(tokens)
        clean, with_sae, with_ablation = self._logits
        of_all = self._split.once(
            "sums", tokens, lambda: clean_sums(clean, with_ablation, tokens, is_used)
        )
        sums = logit_sums(of_all, clean, with_sae, tokens, is_used)
        self._logit_sums = sums if self._logit_sums is None else self._logit_sums + sums
        self._n_logit_batches += 1
        self._logits.clear()

    def see_cache(self) -> None:
        """Treat the activations encoded next as those of the sparsity phase."""
        self._watches_codes = True

    def _see_reconstructions(self, codes: Tensor, reconstructions: Tensor) -> None:
        if self._encoded is None or self._encoded[1] is not codes:
            raise EvalError("SAE-Bench's core eval decoded codes that it did not just encode.")
        is_used = self._is_used(self._batch()).to(codes.device)
        sums = activation_sums(self._encoded[0], codes, reconstructions, is_used)
        joined = sums if self._activation_sums is None else self._activation_sums + sums
        self._activation_sums = joined
        self._n_activation_batches += 1
        self._encoded = None

    def _batch(self) -> Int[Tensor, "batch context"]:
        if self._tokens is None:
            raise EvalError("SAE-Bench's core eval ran the model on tokens not from the store.")
        return self._tokens

    def _is_used(self, tokens: Int[Tensor, "batch context"]) -> Tensor:
        return ~torch.isin(tokens, self._ignore_tokens.to(tokens.device))


class ObservedStore(ActivationsStore):
    """SAELens's store, which reports to `observer` what it gives."""

    observer: Observer

    def get_batch_tokens(self, *args: Any, **kwargs: Any) -> Tensor:
        tokens = super().get_batch_tokens(*args, **kwargs)
        self.observer.see_tokens(tokens)
        return tokens

    def _iterate_tokenized_sequences(self) -> Generator[Tensor, None, None]:
        # A generator runs from its first sequence on, when the observer is set.
        self.observer.see_epoch()
        yield from super()._iterate_tokenized_sequences()


class _WatchedModel:
    """The model, as far as core uses it."""

    def __init__(self, model: SplitModel, observer: Observer) -> None:
        self._model = model
        self._observer = observer

    def __getattr__(self, name: str) -> Any:
        return getattr(self._model, name)

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        output = self._model(*args, **kwargs)
        self._observer.see_logits(output[0])
        return output

    def run_with_hooks(self, *args: Any, **kwargs: Any) -> Any:
        output = self._model.run_with_hooks(*args, **kwargs)
        self._observer.see_logits(output[0])
        return output

    def run_with_cache(self, *args: Any, **kwargs: Any) -> Any:
        output = self._model.run_with_cache(*args, **kwargs)
        self._observer.see_cache()
        return output
