"""One question or text, checked."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from csae_bench.engines.unlearning.data import Question
from csae_bench.engines.unlearning.rows import question, text
from csae_bench.errors import DataError

ROW: dict[str, Any] = {"question": "What?", "choices": ["a", "b", "c", "d"], "answer": 2}
PLACE = "questions.jsonl, line 3"


def test_a_sound_row_is_a_question() -> None:
    assert question(PLACE, ROW) == Question("What?", ("a", "b", "c", "d"), 2)


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"choices": ["a", "b", "c"]}, "has 3 choices"),
        ({"choices": "abcd"}, "choices is 'abcd'"),
        ({"choices": ["a", "b", "c", 4]}, "a choice is 4"),
        ({"answer": 4}, "answer is 4"),
        ({"answer": -1}, "answer is -1"),
        ({"answer": "B"}, "answer is 'B'"),
        ({"answer": True}, "answer is True"),
        ({"answer": None}, "answer is None"),
        ({"question": None}, "question is None"),
        ({"question": " "}, "question is ' '"),
        ({"question": "\ud83d"}, "question is '\\ud83d'"),
        ({"choices": ["a", "b", "c", "\udc00"]}, "a choice is '\\udc00'"),
    ],
)
def test_a_malformed_question_is_an_error_with_its_place(
    changes: dict[str, Any], said: str
) -> None:
    with pytest.raises(DataError) as caught:
        question(PLACE, ROW | changes)
    assert PLACE in str(caught.value)
    assert said in str(caught.value)


@pytest.mark.parametrize("value", [3, None, ["a"], "half a character: \ud83d"])
def test_a_text_that_is_none_is_an_error_with_its_place(value: Any) -> None:
    with pytest.raises(DataError, match="line 3: text is"):
        text(PLACE, {"text": value})


_ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=5),
    max_leaves=8,
)


@given(st.fixed_dictionaries(dict.fromkeys(ROW, _ANYTHING)))
def test_any_row_is_a_question_or_an_error_with_its_place(row: dict[str, Any]) -> None:
    try:
        result = question(PLACE, row)
    except DataError as error:
        said = str(error)
    else:
        said = PLACE
        assert len(result.choices) == 4
        assert result.answer in range(4)
    assert said.startswith(PLACE)
