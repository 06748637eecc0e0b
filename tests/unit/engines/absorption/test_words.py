"""Words by first letter: which are used, and where there are too few."""

from __future__ import annotations

from pathlib import Path

import pytest
from tokenizers import Tokenizer, decoders, models

from csae_bench.engines.absorption.words import (
    LETTERS,
    MIN_WORDS,
    chosen,
    few_words,
    is_word,
    n_by_letter,
    skip_reason,
)
from csae_bench.evals import get_eval

WORDS = [
    f" {letter}{LETTERS[i]}{LETTERS[j]}" for letter in "ab" for i in range(5) for j in range(9)
]


def test_a_word_is_letters_after_at_most_one_space() -> None:
    assert [
        text for text in ("cat", " cat", "  cat", "c4t", "", " ", "Été", "Cat") if is_word(text)
    ] == [
        "cat",
        " cat",
        "Cat",
    ]


def test_all_words_are_used_unless_a_number_is_set() -> None:
    assert chosen(WORDS, None, 0) == sorted(WORDS)


def test_the_order_of_a_tokenizers_words_does_not_matter() -> None:
    assert chosen(WORDS, 20, 3) == chosen(WORDS[::-1], 20, 3)
    assert chosen(WORDS, 20, 3) != chosen(WORDS, 20, 4)
    counts = n_by_letter(chosen(WORDS, 20, 3))
    assert (counts["a"], counts["b"], counts["c"]) == (20, 20, 0)


def test_a_letter_with_fewer_words_keeps_all_of_them() -> None:
    assert n_by_letter(chosen([*WORDS, " cab"], 30, 0))["c"] == 1


def test_letters_with_too_few_words_are_named_with_their_counts() -> None:
    counts = dict.fromkeys(LETTERS, MIN_WORDS)
    assert few_words(counts, "m") is None
    reason = few_words(counts | {"x": 3, "q": MIN_WORDS - 1}, "m")
    assert reason == (
        "the tokenizer of m has too few words that are one token for 2 of 26 first letters "
        f"(q {MIN_WORDS - 1}, x 3); each needs {MIN_WORDS}"
    )


def test_a_word_level_model_is_skipped_without_loading_it() -> None:
    reason = skip_reason("tiny-gemma2-it")
    assert reason is not None
    assert "tiny-gemma2-it has a word-level tokenizer" in reason
    config = get_eval("absorption_first_letter").config
    assert config().needs("tiny-gemma2-it").skip == reason
    assert config().needs(None).skip is None


def test_a_model_that_the_setting_names_is_no_reason_to_skip_but_a_problem() -> None:
    config = get_eval("absorption_first_letter").config
    needs = config.model_validate({"model": "tiny-gemma2-it"}).needs("gpt2")
    assert needs.skip is None
    assert len(needs.problems) == 1
    assert needs.problems[0].startswith("model is tiny-gemma2-it; tiny-gemma2-it has a word-level")


def test_a_hub_model_is_looked_at_when_it_runs() -> None:
    assert skip_reason("google/gemma-2-2b") is None


def test_words_of_a_sub_word_tokenizer_are_counted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tokens = [f"Ġ{letter}{LETTERS[i]}" for letter in LETTERS for i in range(MIN_WORDS)]
    for given, reason in ((tokens, None), (tokens[1:], "for 1 of 26 first letters (a 19)")):
        vocabulary = {token: i for i, token in enumerate(["<bos>", "42", *given])}
        tokenizer = Tokenizer(models.BPE(vocabulary, []))
        tokenizer.decoder = decoders.ByteLevel()
        folder = tmp_path / str(len(given))
        folder.mkdir()
        tokenizer.save(str(folder / "tokenizer.json"))

        class Info:
            path = folder
            name = "made"

        monkeypatch.setattr("csae_bench.models.describe", lambda _, info=Info: info)
        said = skip_reason(str(folder))
        assert (said is None) if reason is None else (reason in str(said))
