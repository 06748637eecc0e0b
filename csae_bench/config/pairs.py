"""Kinds of pairs: which rows are anchor and positive.

To add a kind of pairs: its settings and a row of PAIR_KINDS here, and its source in
`csae_bench/pairs/`.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import Annotated, Literal

from pydantic import Field, model_validator

from csae_bench.config.base import Count, NonNegative, Settings
from csae_bench.config.loss_terms import PairKind


class PairKindSettings(Settings):
    """Settings that every kind of pairs has."""

    weight: NonNegative = 0.0
    """Share of the pairs of a batch, in proportion to the other kinds' weights; 0: none."""

    shuffled: bool = False
    """A control: every anchor gets another pair's partner. Rows stay the same, what the two of a
    pair have in common is gone, so nothing that such pairs teach may show."""


class SameSequenceSettings(PairKindSettings):
    """Two positions of one text; the earlier one is the positive."""

    weight: NonNegative = 1.0
    """Share of the pairs of a batch, in proportion to the other kinds' weights; 0: none."""

    min_distance: Count = 1
    """Smallest distance of the two positions, in tokens."""

    max_distance: Count | None = None
    """Largest distance; none: as far as the sequence reaches. 1 gives adjacent positions."""


class TextPairSettings(PairKindSettings):
    """Settings of the kinds of pairs that are made of texts."""

    n_pairs: Count | None = None
    """Pairs that are made: after the last the first comes again, from memory, and the model reads
    no more texts. Each takes 8 * d_in bytes, a group of three 12 * d_in. None: as many as a
    training takes."""


class ParaphraseSettings(TextPairSettings):
    """A position in each of two texts that say the same."""

    dataset: str = "tinyworld"
    """`tinyworld` or `english` (sentences in the training templates and words of the factor grid of
    that name), `sae_probes` (the pairs of MRPC and QQP that say the same), a .jsonl or .parquet
    file or a folder of such files, or the name of a dataset on the Hugging Face hub (its split
    `train`)."""

    group_column: str = "group"
    """Column with the id of a text's group: texts of equal id say the same. A string or a whole
    number; groups of one text are left out."""

    text_column: str = "text"
    """Column with the text."""

    positions: Literal["aligned", "random", "last"] = "aligned"
    """Positions that are paired. `aligned`: equal fractions of both texts, so that what a causal
    model has read of the one and of the other is the same; `random`: any; `last`: the last of each,
    one pair for two texts."""

    @model_validator(mode="after")
    def _columns_differ(self) -> ParaphraseSettings:
        if self.group_column == self.text_column:
            raise ValueError(
                f"group_column and text_column are both '{self.text_column}'; they must be two "
                "columns"
            )
        return self


class MinimalSettings(TextPairSettings):
    """A position in each of two texts that differ in one factor."""

    dataset: str = "tinyworld"
    """`tinyworld` or `english` (sentences in the training templates and words of the factor grid of
    that name; a translation is one in which the factor `language` differs), a .jsonl or .parquet
    file or a folder of such files, the name of a dataset on the Hugging Face hub (its split
    `train`), or a .csv table of entities and their attributes, of which two entities that differ
    in one attribute are put into the same template."""

    group_column: str = "group"
    """Column with the id of a text's group: its first text without a change is the anchor, and
    every text with one differs from it in one factor. A string or a whole number."""

    text_column: str = "text"
    """Column with the text."""

    changed_column: str = "changed"
    """Column with the name of the factor in which a text differs from the anchor; empty for texts
    that say what the anchor says. Without such a column the first text of a group is the anchor,
    and nobody says what differs in the others."""

    entity_column: str = "entity"
    """Column of a table with the entity; all others are attributes."""

    templates: tuple[str, ...] = ()
    """Sentences that a table's entities are put into, at `{entity}`; at least one for a table."""

    factors: tuple[str, ...] | None = None
    """Factors that may differ; none: any. What is left out is held out of the pairs."""

    positions: Literal["last", "after_change"] = "last"
    """Positions that are paired. `last`: the last of each text, one pair for two texts.
    `after_change`: every two that have the same token and correspond, from the first difference
    on."""

    with_paraphrases: bool = False
    """Make groups of three: each minimal pair brings a paraphrase of its anchor into the batch, as
    a pair of kind `paraphrase`. Both pairs count as of kind `minimal` in the batch's shares."""


class PairsSettings(Settings):
    """The kinds of pairs, and in which proportion they make up a batch."""

    same_sequence: SameSequenceSettings = SameSequenceSettings()
    paraphrase: ParaphraseSettings = ParaphraseSettings()
    minimal: MinimalSettings = MinimalSettings()

    shuffled: bool = False
    """The control `shuffled` for every kind of pairs."""

    @model_validator(mode="after")
    def _some_kind_is_on(self) -> PairsSettings:
        if not self.shares():
            raise ValueError(
                "no kind of pairs has a weight above 0; set pairs.same_sequence.weight, "
                "pairs.paraphrase.weight or pairs.minimal.weight"
            )
        return self

    @property
    def shuffled_kinds(self) -> tuple[str, ...]:
        """Kinds of pairs that are on and shuffled."""
        return tuple(k for k in self.shares() if self.shuffled or getattr(self, k).shuffled)

    @property
    def threes(self) -> tuple[str, ...]:
        """Kinds of pairs that are on and come in groups of three."""
        return ("minimal",) if self.minimal.weight > 0 and self.minimal.with_paraphrases else ()

    def in_batch(self, kinds: tuple[str, ...] | None = None) -> set[str]:
        """Return the kinds of pairs in a batch, of those in `kinds` if given; with groups of three
        `minimal` brings paraphrases along.
        """
        shares = self.shares(kinds)
        return {*shares, *(["paraphrase"] if set(self.threes) & set(shares) else [])}

    def shares(self, kinds: tuple[str, ...] | None = None) -> dict[str, float]:
        """Return the share of each kind that is on, of those in `kinds` if given; they sum to 1."""
        weights = {name: getattr(self, name).weight for name in PAIR_KINDS}
        on = {
            name: weight
            for name, weight in weights.items()
            if weight > 0 and (kinds is None or name in kinds)
        }
        return {name: weight / sum(on.values()) for name, weight in on.items()}


def fewest_pairs(shuffled: Collection[str], threes: Collection[str]) -> dict[str, int]:
    """Return the pairs that a batch needs of each shuffled kind, so that partners can be exchanged.

    Three of those that come in groups of three: of an odd number the last group gives one.
    """
    return {kind: 3 if kind in threes else 2 for kind in shuffled}


PAIR_KINDS: dict[str, type[PairKindSettings]] = {
    "same_sequence": SameSequenceSettings,
    "paraphrase": ParaphraseSettings,
    "minimal": MinimalSettings,
}
"""Kinds of pairs, by the name that a configuration has them under."""

PairKinds = Annotated[tuple[PairKind, ...], Field(min_length=1)]
