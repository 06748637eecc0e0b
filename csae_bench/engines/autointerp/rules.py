"""Explanations that a program can check: `words that say "topic=music"`.

A rule is a union of at most `MAX_PARTS` parts; each part is one condition on a word, or two of
different kinds that must both hold. As text it is what SAE-Bench calls an explanation.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal, cast

import numpy as np
from jaxtyping import Bool
from numpy.typing import NDArray

from csae_bench.engines.autointerp.world import ReadWords, World

MAX_PARTS = 3
NO_RULE = "nothing in particular"

Kind = Literal["says", "word", "holds", "after"]

WORDINGS: Mapping[Kind, str] = {
    "says": 'words that say "{}"',
    "word": 'the word "{}"',
    "holds": 'where "{}" was said last',
    "after": 'after the word "{}"',
}
"""Condition on a word: the word says the value, or is that very word; the value is the last of its
factor that was said so far, the word itself included; the word before it is that one."""

IDENTITY: tuple[Kind, ...] = ("says", "word")
PLACE: tuple[Kind, ...] = ("holds", "after")
"""A part has at most one condition of each: what the word is, and where it stands."""

_OR = "; or "
_ANY_WORDING = "|".join(
    "(?P<{}>{})".format(kind, re.escape(wording).replace(r"\{\}", "(.+?)"))
    for kind, wording in WORDINGS.items()
)
_CONDITION = re.compile(f"(?:{_ANY_WORDING})(?=$| where | after )")


@dataclass(frozen=True, order=True)
class Condition:
    """One condition on a word."""

    kind: Kind
    of: str
    """A value such as `topic=music`, or a word."""

    def __str__(self) -> str:
        """Return its wording."""
        return WORDINGS[self.kind].format(self.of)


Part = tuple[Condition, ...]
Rule = tuple[Part, ...]


def rule_text(rule: Rule) -> str:
    """Return a rule in words."""
    return _OR.join(" ".join(map(str, part)) for part in rule) or NO_RULE


def parsed_rule(text: str) -> Rule:
    """Return the rule of a text; of a text that is none, the empty one, which nothing fits."""
    return tuple(part for part in map(_parsed_part, text.split(_OR)) if part)


def fits(
    rule: Rule, read: ReadWords, world: World, vocabulary: Mapping[str, int]
) -> Bool[NDArray[Any], " n_words"]:
    """Return the words that a rule fits.

    Args:
        vocabulary: what they were read with.
    """
    fitting = np.zeros(len(read.words), dtype=bool)
    for part in rule:
        each = np.ones(len(read.words), dtype=bool)
        for condition in part:
            each &= fits_condition(condition, read, world, vocabulary)
        fitting |= each
    return fitting


def fits_condition(
    condition: Condition, read: ReadWords, world: World, vocabulary: Mapping[str, int]
) -> Bool[NDArray[Any], " n_words"]:
    """Return the words that a condition fits."""
    if condition.kind in ("says", "holds"):
        if condition.of not in world.values:
            return np.zeros(len(read.words), dtype=bool)
        of_value = read.says if condition.kind == "says" else read.holds
        return of_value[:, world.values.index(condition.of)]
    words = read.words if condition.kind == "word" else read.before
    # a word that no text has is at no place
    return words == vocabulary.get(condition.of, len(vocabulary) + 1)


def _parsed_part(text: str) -> Part:
    conditions: list[Condition] = []
    for match in _CONDITION.finditer(text):
        kind = cast(Kind, match.lastgroup)
        start, end = WORDINGS[kind].split("{}")
        conditions.append(Condition(kind, match[kind].removeprefix(start).removesuffix(end)))
    return tuple(conditions)
