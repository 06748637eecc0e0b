"""The rule that explains the words a latent fires on best, as a likelihood has it.

The words that fire are taken for draws from the words that the rule fits: a rule that fits few
words of the world explains them better than one that fits many (the size principle: Tenenbaum &
Griffiths 2001, Behavioral and Brain Sciences 24, 629-640). Each condition costs as much as it takes
to name one among all candidates.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Bool
from numpy.typing import NDArray

from csae_bench.engines.autointerp.messages import MarkedText
from csae_bench.engines.autointerp.rules import (
    IDENTITY,
    MAX_PARTS,
    PLACE,
    Condition,
    Part,
    Rule,
    fits_condition,
)
from csae_bench.engines.autointerp.world import NOTHING, ReadWords, World

NOISE = 0.1
"""Share of the words that fire though the rule does not fit, and the other way round."""
N_BEST = 40
"""Conditions of each kind, the best alone, that are tried together."""


class Candidate(NamedTuple):
    """A part of a rule, and what it fits."""

    part: Part
    examples: Bool[NDArray[Any], " n_words"]
    background: Bool[NDArray[Any], " n_background"]


def explain(examples: Sequence[MarkedText], world: World) -> Rule:
    """Return the rule that explains best which words of the examples are active.

    The empty rule, which fits nothing, explains nothing: where no word is active, or nothing is
    better than chance.
    """
    vocabulary = dict(world.vocabulary)
    read = world.read([example.words for example in examples], vocabulary)
    is_active = np.array([a for example in examples for a in example.is_active], dtype=bool)
    if not is_active.any():
        return ()
    conditions = _conditions(read, is_active, world, vocabulary)
    search = _Search(is_active, len(world.background.words), math.log(len(conditions) + 1))
    singles = [
        Candidate(
            (condition,),
            fits_condition(condition, read, world, vocabulary),
            fits_condition(condition, world.background, world, vocabulary),
        )
        for condition in conditions
    ]
    candidates = [*singles, *_pairs(singles, search)]
    best = Candidate((), np.zeros_like(is_active), np.zeros(search.n_background, dtype=bool))
    rule: Rule = ()
    score = search.score(best, n_conditions=0)
    for _ in range(MAX_PARTS):
        joined = [_union(best, candidate) for candidate in candidates]
        n_before = sum(map(len, rule))
        scores = [
            search.score(union, n_conditions=n_before + len(candidate.part))
            for union, candidate in zip(joined, candidates, strict=True)
        ]
        i = int(np.argmax(scores))
        if scores[i] <= score:
            break
        score, best = scores[i], joined[i]
        rule = (*rule, candidates[i].part)
    return rule


class _Search(NamedTuple):
    is_active: Bool[NDArray[Any], " n_words"]
    n_background: int
    cost: float
    """Of one condition, in nats."""

    def score(self, candidate: Candidate, *, n_conditions: int) -> float:
        """Return the log likelihood of the active words, less the cost of the rule, in nats."""
        n_fitting = int(candidate.background.sum())
        density = (self.n_background + 1) / (n_fitting + 1)
        n_active = int(self.is_active.sum())
        n_hit = int((candidate.examples & self.is_active).sum())
        n_silent = len(self.is_active) - n_active
        n_wrong = int((candidate.examples & ~self.is_active).sum())
        hit = math.log((1 - NOISE) * density + NOISE)
        return (
            n_hit * hit
            + (n_active - n_hit) * math.log(NOISE)
            + n_wrong * math.log(NOISE)
            + (n_silent - n_wrong) * math.log(1 - NOISE)
            - n_conditions * self.cost
        )


def _conditions(
    read: ReadWords, is_active: Bool[NDArray[Any], " n"], world: World, vocabulary: dict[str, int]
) -> list[Condition]:
    """Return the conditions that fit an active word at least."""
    names = list(vocabulary)
    of_words = np.unique(read.words[is_active]).tolist()
    of_before = np.unique(read.before[is_active]).tolist()
    return [
        *(Condition("says", world.values[i]) for i in np.flatnonzero(read.says[is_active].any(0))),
        *(
            Condition("holds", world.values[i])
            for i in np.flatnonzero(read.holds[is_active].any(0))
        ),
        *(Condition("word", names[i]) for i in of_words),
        *(Condition("after", names[i]) for i in of_before if i != NOTHING),
    ]


def _pairs(singles: Sequence[Candidate], search: _Search) -> Iterator[Candidate]:
    def best(kinds: Sequence[str]) -> list[Candidate]:
        of_kind = [single for single in singles if single.part[0].kind in kinds]
        return sorted(of_kind, key=lambda each: -_n_hit(each, search.is_active))[:N_BEST]

    for identity in best(IDENTITY):
        for place in best(PLACE):
            yield Candidate(
                (*identity.part, *place.part),
                identity.examples & place.examples,
                identity.background & place.background,
            )


def _n_hit(candidate: Candidate, is_active: Bool[NDArray[Any], " n"]) -> float:
    return float((candidate.examples & is_active).sum())


def _union(best: Candidate, more: Candidate) -> Candidate:
    return Candidate(more.part, best.examples | more.examples, best.background | more.background)
