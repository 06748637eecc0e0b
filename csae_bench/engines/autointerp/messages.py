"""SAE-Bench's two prompts to a judge, read back, and answers in the form that it parses.

In the first it shows texts in which a latent fires, the tokens where it does in << >>, and wants an
explanation. In the second it shows an explanation and numbered texts, and wants the numbers of
those in which the latent fires. A judge has no more to go by than these two.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

Messages = Sequence[Mapping[str, str]]
"""A chat: each message has a `role` and a `content`."""

_ACTIVATING = "The activating documents are given below:\n\n"
_EXPLAINED = re.compile(
    r"Here is the explanation: this neuron fires on (.*)\.\n\nHere are the examples:\n\n(.*)",
    re.DOTALL,
)
_MARKED = re.compile(r"<<(<[^<>]*>|.+?)>>")
_WORD = re.compile(r"<[^<>\s]+>|[^\W_]+|[^\w\s]|_")
_NUMBERED = re.compile(r"\d+\. ")


class Word(NamedTuple):
    """A word, a sign or a special token of a text."""

    text: str
    """In lower case."""
    start: int
    end: int


class MarkedText(NamedTuple):
    """A text in which a latent fires."""

    words: tuple[str, ...]
    is_active: tuple[bool, ...]
    """Whether it fires on a token of the word."""


class ScoringRequest(NamedTuple):
    """Question of the second prompt."""

    explanation: str
    examples: tuple[str, ...]


def words_of(text: str) -> list[Word]:
    """Split a text into words, signs and special tokens, whatever its tokenizer."""
    return [Word(m[0].casefold(), m.start(), m.end()) for m in _WORD.finditer(text)]


def generation_examples(messages: Messages) -> tuple[MarkedText, ...] | None:
    """Return the examples of the first prompt, the strongest first; None if it is not that."""
    content = messages[-1]["content"]
    if not content.startswith(_ACTIVATING):
        return None
    return tuple(marked_text(line) for line in _lines(content.removeprefix(_ACTIVATING)))


def scoring_request(messages: Messages) -> ScoringRequest | None:
    """Return what the second prompt asks; None if it is not that."""
    match = _EXPLAINED.fullmatch(messages[-1]["content"])
    return None if match is None else ScoringRequest(match[1], tuple(_lines(match[2])))


def marked_text(line: str) -> MarkedText:
    """Read a text with its active tokens in << >>."""
    plain, spans, end = "", list[tuple[int, int]](), 0
    for mark in _MARKED.finditer(line):
        plain += line[end : mark.start()]
        spans.append((len(plain), len(plain) + len(mark[1])))
        plain += mark[1]
        end = mark.end()
    plain += line[end:]
    words = words_of(plain)
    active = tuple(any(s < word.end and word.start < e for s, e in spans) for word in words)
    return MarkedText(tuple(word.text for word in words), active)


def explanation_answer(explanation: str) -> str:
    """Return an explanation in the form that SAE-Bench parses."""
    return f"This neuron activates on {explanation}"


def numbers_answer(is_active: Iterable[bool]) -> str:
    """Return the numbers of the examples that are active in the form that SAE-Bench parses."""
    numbers = [str(number) for number, active in enumerate(is_active, start=1) if active]
    return ", ".join(numbers) or "None"


def _lines(text: str) -> list[str]:
    # SAE-Bench writes a line break within an example as an arrow
    return [_NUMBERED.sub("", line, count=1) for line in text.split("\n")]
