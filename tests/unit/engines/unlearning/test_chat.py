"""Whether a tokenizer can be asked SAE-Bench's questions."""

from __future__ import annotations

from collections.abc import Callable

from tokenizers import Tokenizer

from csae_bench import tinyworld
from csae_bench.engines.unlearning.chat import ANSWERS, MARKERS, chat_problems

Encode = Callable[[str], list[int]]


def encoder(n_tokens: dict[str, int]) -> Encode:
    """One token for each text but those named."""
    return lambda text: [0] * n_tokens.get(text, 1)


def test_the_bundled_models_tokenizer_can_be_asked() -> None:
    tokenizer = Tokenizer.from_file(str(tinyworld.model_dir() / "tokenizer.json"))

    def encode(text: str) -> list[int]:
        return tokenizer.encode(text, add_special_tokens=False).ids

    assert chat_problems(encode, "tiny") == []
    assert len({encode(answer)[0] for answer in ANSWERS}) == 8


def test_letters_of_several_tokens_are_named_with_their_number() -> None:
    (said,) = chat_problems(encoder({" B": 2, "C": 3}), "mine")
    assert said.startswith("mine: its tokenizer splits the answers 'C' (3), ' B' (2)")


def test_a_letter_without_a_token_is_named() -> None:
    (said,) = chat_problems(encoder({"A": 0}), "mine")
    assert "'A' (0)" in said


def test_missing_markers_of_a_chat_are_named() -> None:
    (said,) = chat_problems(encoder(dict.fromkeys(MARKERS, 5)), "gpt2")
    assert "has no token <bos>, <start_of_turn>, <end_of_turn>" in said
    assert "google/gemma-2-2b-it" in said
