"""Minimal pairs in tinyworld's sentences."""

from __future__ import annotations

from dataclasses import dataclass
from random import Random

from csae_bench.corpora.minimal_pairs import MinimalPair
from csae_bench.minimal_pairs.factors import ValueNumbers
from csae_bench.tinyworld.grammar import TRAIN_TEMPLATES
from csae_bench.tinyworld.sentences import (
    draw_situation,
    draw_values,
    other_values,
    say,
    say_by_slot,
)
from csae_bench.tinyworld.words import FACTORS

_VALUES = ValueNumbers(FACTORS)


@dataclass(frozen=True)
class TinyworldPairs:
    """Sentences of the world, without end; groups of one pair, in training templates and words.

    The factor that differs is drawn uniformly, and then the other value of it. `topic` changes
    within its domain; where `domain` changes, the topic changes with it, and the pair is named
    `domain`. Both sentences have the same template and, in each slot whose factors are equal, the
    same words, but for their inflection. In the other slots they have words of the same place in
    their lists: `the queen` and `the king`. The paraphrase says the anchor's situation in another
    template, in words drawn anew. A seed's anchors are the same whatever factors may differ.
    """

    seed: int
    factors: tuple[str, ...] = tuple(FACTORS)
    """Factors that may differ."""

    n_groups: None = None

    @property
    def value_names(self) -> tuple[str, ...]:
        """Names of the values of all factors: `tense=past`."""
        return _VALUES.names

    def pairs(self, group: int) -> tuple[MinimalPair, ...]:
        """Return the one pair of a group, always the same."""
        key = f"tinyworld/minimal_pairs/{self.seed}/{group}"
        rng = Random(f"{key}/anchor")
        situation = draw_situation(rng, draw_values(rng))
        template, other_template = rng.sample(sorted(TRAIN_TEMPLATES), 2)
        paraphrase = say(situation, other_template, rng, reserved=False)

        rng = Random(f"{key}/changed")
        factor = rng.choice(self.factors)
        changed = situation._replace(values=rng.choice(other_values(situation.values, factor)))
        anchor_text, changed_text = (
            say_by_slot(each, template, lambda slot: Random(f"{key}/word/{slot}"), reserved=False)
            for each in (situation, changed)
        )
        before, after = (
            FACTORS[factor][getattr(each.values, factor)] for each in (situation, changed)
        )
        values = _VALUES.pair(factor, before, after)
        return (MinimalPair(anchor_text, changed_text, paraphrase, factor, values),)
