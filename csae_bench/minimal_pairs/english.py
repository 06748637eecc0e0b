"""Minimal pairs and translations, made of the words of the factor grid `english`."""

from __future__ import annotations

from dataclasses import dataclass
from random import Random

from csae_bench.corpora.minimal_pairs import MinimalPair
from csae_bench.factors.datasets.english.grid import FACTORS, LANGUAGES
from csae_bench.factors.datasets.english.language import Facts
from csae_bench.minimal_pairs.factors import ValueNumbers

_VALUES = ValueNumbers(FACTORS)
_TEMPLATES = tuple(LANGUAGES["english"].train_templates)
"""Training templates, which every language has under the same names."""


@dataclass(frozen=True)
class EnglishPairs:
    """Sentences in four languages, without end; groups of one pair, in training templates alone.

    The anchor's language is drawn among all four. The factor that differs is drawn uniformly, and
    then the other value of it. Both sentences have the same template and, in each slot whose
    factors are equal, the same words, but for what the grammar inflects, adds (`did not`) or moves
    (the verb in German). In the other slots they have words of the same place in their lists.

    Where `language` differs the facts are the same, and each word is that of the same place in the
    other language's list: a translation of most of them (`last week`, `la semaine dernière`), in
    some places another word of the same values (`clever`, `charmante`), as the lists are not
    dictionaries.

    The paraphrase is another template of the anchor's language, with the same people, deed, time
    and scene; the words of address, of emphasis and of praise are drawn anew. A seed's anchors are
    the same whatever factors may differ.
    """

    seed: int
    factors: tuple[str, ...] = tuple(FACTORS)
    """Factors that may differ."""

    n_groups: None = None

    @property
    def value_names(self) -> tuple[str, ...]:
        """Names of the values of all factors: `language=french`."""
        return _VALUES.names

    def pairs(self, group: int) -> tuple[MinimalPair, ...]:
        """Return the one pair of a group, always the same."""
        key = f"english/minimal_pairs/{self.seed}/{group}"
        rng = Random(f"{key}/anchor")
        before = {name: rng.choice(values) for name, values in FACTORS.items()}
        template, other_template = rng.sample(_TEMPLATES, 2)
        paraphrase = _say(before, other_template, key, redrawn_by=rng)

        rng = Random(f"{key}/changed")
        factor = rng.choice(self.factors)
        other = rng.choice([value for value in FACTORS[factor] if value != before[factor]])
        return (
            MinimalPair(
                anchor=_say(before, template, key),
                changed=_say({**before, factor: other}, template, key),
                paraphrase=paraphrase,
                factor=factor,
                values=_VALUES.pair(factor, before[factor], other),
            ),
        )


def _say(
    values: dict[str, str], template: str, key: str, *, redrawn_by: Random | None = None
) -> str:
    language = LANGUAGES[values["language"]]
    facts = Facts(*(FACTORS[name].index(values[name]) for name in Facts._fields))
    drawn = language.draw(facts, lambda slot: Random(f"{key}/word/{slot}"), reserved=False)
    if redrawn_by is not None:
        drawn = language.redraw(drawn, facts, lambda _: redrawn_by)
    return language.fill(facts, drawn, template)
