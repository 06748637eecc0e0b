"""csae_bench/engines/autointerp/messages.py."""

from __future__ import annotations

import pytest

from csae_bench.engines.autointerp.messages import (
    explanation_answer,
    generation_examples,
    marked_text,
    numbers_answer,
    scoring_request,
    words_of,
)


def _user(content: str) -> list[dict[str, str]]:
    return [{"role": "system", "content": "..."}, {"role": "user", "content": content}]


@pytest.mark.parametrize(
    ("line", "active"),
    [
        ("The<< queen>> saw.", ["queen"]),
        ("the pi<<ano>> and<< the>><< drum>>", ["piano", "the", "drum"]),
        ("<bos>A<<<start_of_turn>>>user", ["<start_of_turn>"]),
        ("<<<|im_end|>>>You", ["<|im_end|>"]),
        ("a<<.>> b <<↵>>", [".", "↵"]),
        ("nothing", []),
        ("a <<  >> b", []),
    ],
)
def test_active_words_are_those_with_a_marked_token(line: str, active: list[str]) -> None:
    text = marked_text(line)
    assert [w for w, a in zip(text.words, text.is_active, strict=True) if a] == active


def test_words_signs_and_special_tokens_are_told_apart() -> None:
    words = [word.text for word in words_of("<bos>Didn't Zoë_1 <|im_end|> (B)?")]
    assert words == ["<bos>", "didn", "'", "t", "zoë", "_", "1", "<|im_end|>", "(", "b", ")", "?"]


def test_the_first_prompt_has_examples() -> None:
    content = "The activating documents are given below:\n\n1. a<< b>>\n2. 3. c"
    examples = generation_examples(_user(content))
    assert examples is not None
    assert [example.words for example in examples] == [("a", "b"), ("3", ".", "c")]
    assert scoring_request(_user(content)) is None


def test_the_second_prompt_has_an_explanation_and_examples() -> None:
    content = (
        'Here is the explanation: this neuron fires on the word "a.b".\n\n'
        "Here are the examples:\n\n1. first\n2. second: 1. x"
    )
    asked = scoring_request(_user(content))
    assert asked is not None
    assert asked.explanation == 'the word "a.b"'
    assert asked.examples == ("first", "second: 1. x")
    assert generation_examples(_user(content)) is None


def test_anything_else_is_neither() -> None:
    assert generation_examples(_user("Hello")) is None
    assert scoring_request(_user("Hello")) is None


def test_answers_have_the_form_that_sae_bench_asks_for() -> None:
    assert explanation_answer("verbs") == "This neuron activates on verbs"
    assert numbers_answer([True, False, True]) == "1, 3"
    assert numbers_answer([False, False]) == "None"
