from itertools import islice

import numpy as np
import pytest

from csae_bench.tinyworld import documents
from csae_bench.tinyworld.token_stream import contexts
from csae_bench.tinyworld.tokenizer import build_tokenizer


@pytest.fixture(scope="module")
def tokenizer():
    return build_tokenizer()


def test_every_context_begins_with_bos(tokenizer):
    for packed in islice(contexts(tokenizer, "sae", 64, 8), 5):
        assert packed.tokens.shape == packed.is_answer.shape == (8, 64)
        assert (packed.tokens[:, 0] == tokenizer.token_to_id("<bos>")).all()


def test_contexts_hold_the_documents_in_order_without_gaps(tokenizer):
    rows = np.concatenate([c.tokens for c in islice(contexts(tokenizer, "sae", 64, 8), 10)])
    text = tokenizer.decode(rows[:, 1:].ravel().tolist(), skip_special_tokens=False)
    assert text.startswith("<eos>" + "<bos>".join(documents("sae", 4)) + "<eos>")


def test_answers_are_the_letters_after_the_bracket(tokenizer):
    letters = {tokenizer.token_to_id(x) for x in "ABCD"}
    result = 0
    for packed in islice(contexts(tokenizer, "lm", 128, 16), 5):
        assert set(packed.tokens[packed.is_answer].tolist()) <= letters
        result += packed.is_answer.sum()
    assert result > 20


def test_later_words_are_marked(tokenizer):
    wanted = {tokenizer.token_to_id(w) for w in (" she", " neither", " regards", " observatory")}
    seen: set[int] = set()
    for packed in islice(contexts(tokenizer, "lm", 128, 64), 3):
        seen |= set(packed.tokens[packed.is_later_word].tolist())
        assert not (packed.is_later_word & packed.is_answer).any()
    assert wanted <= seen
