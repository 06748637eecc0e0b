"""One question or one text, checked; a fault names its place."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeGuard, cast

from csae_bench.engines.unlearning.data import N_CHOICES, Question
from csae_bench.errors import DataError
from csae_bench.support.printable import shortened

QUESTION_COLUMNS = ("question", "choices", "answer")
TEXT_COLUMNS = ("text",)


def question(place: str, row: Mapping[str, Any]) -> Question:
    """Convert the row to a question.

    Args:
        place: location of the row: file and line, or dataset and row.

    Raises:
        DataError: the question is no text, there are not four choices, or the answer is none of
            their indices.
    """
    asked, choices, answer = (row[name] for name in QUESTION_COLUMNS)
    if not _is_text(asked) or not asked.strip():
        raise DataError(f"{place}: question is {_shown(asked)}; it must be a text.")
    if not isinstance(choices, list | tuple):
        raise DataError(f"{place}: choices is {_shown(choices)}; it must be a list of texts.")
    listed = cast(tuple[Any, ...], tuple(choices))
    if len(listed) != N_CHOICES:
        raise DataError(
            f"{place}: has {len(listed)} choices; SAE-Bench asks for one of {N_CHOICES}, A to D. "
            "Leave the question out or give it as many."
        )
    for choice in listed:
        if not _is_text(choice):
            raise DataError(f"{place}: a choice is {_shown(choice)}; it must be a text.")
    if not isinstance(answer, int) or isinstance(answer, bool) or answer not in range(N_CHOICES):
        raise DataError(
            f"{place}: answer is {_shown(answer)}; it must be the index of the right choice, 0 to "
            f"{N_CHOICES - 1}."
        )
    return Question(asked, listed, answer)


def text(place: str, row: Mapping[str, Any]) -> str:
    """Return the row's text.

    Raises:
        DataError: it is none.
    """
    value = row["text"]
    if not _is_text(value):
        raise DataError(f"{place}: text is {_shown(value)}; it must be a string.")
    return value


def _is_text(value: object) -> TypeGuard[str]:
    """Test whether it is a string that a tokenizer takes: JSON can hold half of a character, which
    UTF-8 cannot."""
    if not isinstance(value, str):
        return False
    try:
        value.encode()
    except UnicodeEncodeError:
        return False
    return True


def _shown(value: object) -> str:
    return shortened(repr(value), 60)
