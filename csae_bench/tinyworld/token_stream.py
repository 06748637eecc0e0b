"""Documents packed into contexts, with the weight of each token in the loss."""

from collections.abc import Iterator
from itertools import count
from typing import NamedTuple

import numpy as np
from tokenizers import Tokenizer

from csae_bench.tinyworld.corpus import Split, documents

_CHUNK = 256
_EOS_EVERY = 4


class Contexts(NamedTuple):
    """A batch of contexts, each beginning with `<bos>`."""

    tokens: np.ndarray
    """int64 [n, context]."""
    is_answer: np.ndarray
    """bool [n, context]: this token is the letter that answers a question."""


def contexts(
    tokenizer: Tokenizer, split: Split, context: int, batch: int, seed: int = 0
) -> Iterator[Contexts]:
    """Endless batches of packed contexts from one split.

    Documents follow one another without gaps, as SAELens packs them: each begins with
    `<bos>`, every fourth with `<eos>` instead, as SAE-Bench joins texts.
    """
    body = context - 1
    bos = tokenizer.token_to_id("<bos>")
    held = np.empty(0, dtype=np.int64)
    for chunk in _token_chunks(tokenizer, split, seed):
        held = np.concatenate([held, chunk])
        while held.size >= batch * body:
            rows, held = held[: batch * body].reshape(batch, body), held[batch * body :]
            tokens = np.concatenate([np.full((batch, 1), bos), rows], axis=1)
            yield Contexts(tokens, _answers(tokens, tokenizer))


def _token_chunks(tokenizer: Tokenizer, split: Split, seed: int) -> Iterator[np.ndarray]:
    eos = tokenizer.token_to_id("<eos>")
    for start in count(0, _CHUNK):
        encoded = tokenizer.encode_batch(list(documents(split, _CHUNK, seed, start)))
        ids = [np.array(e.ids, dtype=np.int64) for e in encoded]
        for row in ids[::_EOS_EVERY]:
            row[0] = eos
        yield np.concatenate(ids)


def _answers(tokens: np.ndarray, tokenizer: Tokenizer) -> np.ndarray:
    colon, bracket = tokenizer.token_to_id(":"), tokenizer.token_to_id(" (")
    is_answer = np.zeros(tokens.shape, dtype=bool)
    is_answer[:, 2:] = (tokens[:, :-2] == colon) & (tokens[:, 1:-1] == bracket)
    return is_answer
