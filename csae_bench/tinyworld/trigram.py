"""An interpolated Kneser-Ney trigram model: what the language model must beat."""

from collections.abc import Iterable
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

_DISCOUNT = 0.75
_Numbers = NDArray[Any]


class Trigram(NamedTuple):
    """Sorted counts of an order-3 model over token ids; made by `fit_trigram`."""

    vocab_size: int
    trigrams: "Counts"
    contexts: "Counts"
    """Bigrams (a, b) with how often they were followed by something."""
    context_types: "Counts"
    """Bigrams (a, b) with how many different tokens followed."""
    bigram_types: "Counts"
    """Bigrams (b, c) with how many different tokens came before."""
    middle: _Numbers
    """[vocab] number of different (a, c) around b."""
    middle_types: _Numbers
    """[vocab] number of different c after b."""
    unigram: _Numbers
    """[vocab] P(c), from the number of different b before c, mixed with 1% uniform."""


class Counts(NamedTuple):
    """Sorted keys and how often each occurred."""

    keys: _Numbers
    counts: _Numbers

    def of(self, keys: _Numbers) -> _Numbers:
        """Return the counts of some keys, 0 for those unseen."""
        at = np.minimum(np.searchsorted(self.keys, keys), self.keys.size - 1)
        return np.where(self.keys[at] == keys, self.counts[at], 0)


def fit_trigram(batches: Iterable[_Numbers], vocab_size: int) -> Trigram:
    """Fit a model to the rows of int [n, context] token batches; no trigram crosses two rows."""
    v = vocab_size
    seen = [np.unique(_keys(tokens, v), return_counts=True) for tokens in batches]
    keys, inverse = np.unique(np.concatenate([k for k, _ in seen]), return_inverse=True)
    counts = np.bincount(inverse, weights=np.concatenate([c for _, c in seen])).astype(np.int64)
    ab, bc = keys // v, keys % (v * v)
    contexts, context_at = np.unique(ab, return_inverse=True)
    bigram_types = Counts(*np.unique(bc, return_counts=True))
    b, c = bigram_types.keys // v, bigram_types.keys % v
    unigram = np.bincount(c, minlength=v) / c.size
    return Trigram(
        v,
        Counts(keys, counts),
        Counts(contexts, np.bincount(context_at, weights=counts)),
        Counts(contexts, np.bincount(context_at)),
        bigram_types,
        np.bincount(b, weights=bigram_types.counts, minlength=v),
        np.bincount(b, minlength=v),
        0.99 * unigram + 0.01 / v,
    )


def trigram_cross_entropy(model: Trigram, tokens: _Numbers) -> float:
    """Mean -ln P of tokens[:, 2:] given the two before, in nats; tokens: int [n, context]."""
    v = model.vocab_size
    keys = _keys(tokens, v)
    b, c = keys // v % v, keys % v
    lower = _interpolated(
        model.bigram_types.of(keys % (v * v)),
        model.middle[b],
        model.middle_types[b],
        model.unigram[c],
    )
    ab = keys // v
    p = _interpolated(
        model.trigrams.of(keys), model.contexts.of(ab), model.context_types.of(ab), lower
    )
    return float(-np.log(p).mean())


def _keys(tokens: _Numbers, v: int) -> _Numbers:
    a, b, c = (tokens[:, i : tokens.shape[1] - 2 + i].astype(np.int64) for i in range(3))
    return ((a * v + b) * v + c).ravel()


def _interpolated(count: _Numbers, total: _Numbers, types: _Numbers, lower: _Numbers) -> _Numbers:
    known = np.maximum(total, 1)
    p = np.maximum(count - _DISCOUNT, 0.0) / known + _DISCOUNT * types / known * lower
    return np.where(total > 0, p, lower)
