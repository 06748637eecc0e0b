"""Paraphrases in English, made of the words of the factor grid `english`."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import Any

from csae_bench.corpora.files import sha256
from csae_bench.factors.datasets import english
from csae_bench.factors.datasets.english.grid import FACTORS
from csae_bench.factors.datasets.english.in_english import ENGLISH
from csae_bench.factors.datasets.english.language import Drawn, Facts


@dataclass(frozen=True)
class EnglishParaphrases:
    """Sentences of the grid, without end; groups of two, in training templates and words alone.

    Both sentences have the same value of each factor, the same people, deed, time and scene.
    Their templates differ; the words of address, of emphasis and of praise are drawn for each.
    The grid's test split has other templates, none of which occurs here, and reserved words.
    """

    seed: int

    n_groups: None = None

    def texts(self, group: int) -> tuple[str, ...]:
        """Return the texts of a group, always the same."""
        rng = Random(f"english/paraphrases/{self.seed}/{group}")
        facts = Facts(*(rng.randrange(len(FACTORS[name])) for name in Facts._fields))
        said = _drawn(facts, rng)
        templates = rng.sample(sorted(ENGLISH.train_templates), 2)
        return tuple(_say(facts, _said_otherwise(said, facts, rng), name) for name in templates)


def english_fingerprint() -> str:
    """Hash the code that makes the sentences."""
    files = [*sorted(Path(english.__path__[0]).glob("*.py")), Path(__file__)]
    return sha256("".join(sha256(path.read_bytes()) for path in files).encode())


def _drawn(facts: Facts, rng: Random) -> Drawn[Any]:
    return Drawn(
        opener=ENGLISH.openers[facts.register].draw(rng, reserved=False),
        adjective=ENGLISH.adjectives.draw(rng, reserved=False),
        noun=ENGLISH.nouns[facts.gender].draw(rng, reserved=False),
        verb=ENGLISH.verbs[facts.topic].draw(rng, reserved=False),
        marker=ENGLISH.markers[facts.polarity].draw(rng, reserved=False),
        time=ENGLISH.times[facts.tense].draw(rng, reserved=False),
        scene=ENGLISH.scenes.draw(rng, reserved=False),
        quality=ENGLISH.qualities[facts.sentiment].draw(rng, reserved=False),
    )


def _said_otherwise(said: Drawn[Any], facts: Facts, rng: Random) -> Drawn[Any]:
    """Draw the words anew that may differ where the same is said."""
    other = _drawn(facts, rng)
    return said._replace(opener=other.opener, marker=other.marker, quality=other.quality)


def _say(facts: Facts, drawn: Drawn[Any], template: str) -> str:
    # not Language.say, which draws its words itself
    pattern = ENGLISH.train_templates[template]
    text = pattern.format_map({"open": drawn.opener, **ENGLISH.slots(facts, drawn)})
    return text[0].upper() + text[1:]
