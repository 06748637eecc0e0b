"""Documents packed into contexts, with the weight of each token in the loss."""

from collections.abc import Iterator
from itertools import count, islice
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from tokenizers import Tokenizer

from csae_bench.tinyworld.corpus import DocumentSplit, documents
from csae_bench.tinyworld.grammar import FOLLOW_UPS
from csae_bench.tinyworld.questions import LETTERS
from csae_bench.tinyworld.tokenizer import token_ids

_CHUNK = 256
_EOS_EVERY = 4


class Contexts(NamedTuple):
    """A batch of contexts, each beginning with `<bos>`."""

    tokens: NDArray[np.int64]
    """int64 [n, context]."""
    is_answer: NDArray[np.bool_]
    """bool [n, context]: this token is the letter that answers a question."""
    is_later_word: NDArray[np.bool_]
    """bool [n, context]: this token is a word that some factor's follow-up asks for."""


def contexts(
    tokenizer: Tokenizer,
    split: DocumentSplit,
    context: int,
    batch: int,
    seed: int = 0,
    *,
    whole: bool = False,
) -> Iterator[Contexts]:
    """Endless batches of packed contexts from one split.

    Documents follow one another without gaps, as SAELens packs them: each begins with
    `<bos>`, every fourth with `<eos>` instead, as SAE-Bench joins texts. `whole`: each
    context begins with a document's beginning instead, and drops the rest of its last.
    """
    ids = _documents(tokenizer, split, seed, whole)
    rows = _whole_rows(ids, context) if whole else _packed_rows(ids, context, tokenizer)
    forms = (form for forms in FOLLOW_UPS.values() for form in forms)
    later_words = token_ids(tokenizer, [f" {word}" for form in forms for word in form.words])
    while True:
        tokens = np.array(list(islice(rows, batch)), dtype=np.int64)
        yield Contexts(tokens, _answers(tokens, tokenizer), np.isin(tokens, later_words))


def _documents(
    tokenizer: Tokenizer, split: DocumentSplit, seed: int, whole: bool
) -> Iterator[list[int]]:
    (eos,) = token_ids(tokenizer, ["<eos>"])
    for start in count(0, _CHUNK):
        encoded = tokenizer.encode_batch(list(documents(split, _CHUNK, seed, start)))
        for i, document in enumerate(encoded):
            ids = document.ids
            yield [eos, *ids[1:]] if i % _EOS_EVERY == 0 and not whole else ids


def _packed_rows(
    ids: Iterator[list[int]], context: int, tokenizer: Tokenizer
) -> Iterator[list[int]]:
    (bos,) = token_ids(tokenizer, ["<bos>"])
    held: list[int] = []
    for document in ids:
        held += document
        while len(held) >= context - 1:
            yield [bos, *held[: context - 1]]
            held = held[context - 1 :]


def _whole_rows(ids: Iterator[list[int]], context: int) -> Iterator[list[int]]:
    row: list[int] = []
    for document in ids:
        row = row + document
        if len(row) >= context:
            yield row[:context]
            row = []


def _answers(tokens: NDArray[np.int64], tokenizer: Tokenizer) -> NDArray[np.bool_]:
    is_letter = np.isin(tokens, token_ids(tokenizer, LETTERS))
    after_bracket = np.zeros_like(is_letter)
    after_bracket[:, 1:] = tokens[:, :-1] == tokenizer.token_to_id(" (")
    return is_letter & after_bracket
