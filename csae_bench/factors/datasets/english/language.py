"""Requirements of a language for saying a situation: words, templates and their grammar."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from random import Random
from typing import Generic, NamedTuple, TypeVar

T = TypeVar("T")
V = TypeVar("V")

FEMININE, MASCULINE = range(2)
PAST, PRESENT, FUTURE = range(3)
AFFIRMATIVE, NEGATIVE = range(2)
FORMAL, CASUAL = range(2)


class Facts(NamedTuple):
    """One value of every factor but the language, as indices into its values."""

    gender: int
    number: int
    tense: int
    polarity: int
    sentiment: int
    topic: int
    register: int


class Forms(NamedTuple):
    """A noun's or adjective's singular and plural."""

    singular: str
    plural: str


class Adjective(NamedTuple):
    """An adjective's forms next to a noun in the nominative."""

    feminine: Forms
    masculine: Forms


@dataclass(frozen=True)
class Words(Generic[T]):
    """Ways to say one thing; those kept for evaluation are used there among the others."""

    train: tuple[T, ...]
    reserved: tuple[T, ...] = ()

    def draw(self, rng: Random, *, reserved: bool) -> T:
        """Draw one of them, each equally likely."""
        return rng.choice(self.train + self.reserved if reserved else self.train)


class Drawn(NamedTuple, Generic[V]):
    """The words that say a sentence's facts."""

    opener: str
    adjective: Adjective
    noun: Forms
    verb: V
    marker: str
    """Word that goes with the polarity, or none; how it is negated is up to the grammar."""
    time: str
    scene: str
    quality: str


@dataclass(frozen=True, kw_only=True)
class Language(Generic[V]):
    """A language's words and templates. Tuples of `Words` are indexed by a factor's value."""

    openers: tuple[Words[str], ...]
    """By register: vocatives, which end in a comma."""
    adjectives: Words[Adjective]
    nouns: tuple[Words[Forms], ...]
    """By gender: words for people."""
    verbs: tuple[Words[V], ...]
    """By topic: verbs with their definite objects."""
    markers: tuple[Words[str], ...]
    """By polarity."""
    times: tuple[Words[str], ...]
    """By tense."""
    scenes: Words[str]
    """Subjects of the clause that carries the sentiment; equal in gender, all singular."""
    qualities: tuple[Words[str], ...]
    """By sentiment: predicates of `scenes`."""
    train_templates: Mapping[str, str]
    reserved_templates: Mapping[str, str]
    slots: Callable[[Facts, Drawn[V]], Mapping[str, str]]
    """Function that fills the slots of the templates but `{open}`, as the grammar decides."""

    def say(self, facts: Facts, template: str, rng: Random, *, reserved: bool) -> str:
        """Say the facts in one sentence of the given template."""
        return self.fill(facts, self.draw(facts, lambda _: rng, reserved=reserved), template)

    def draw(self, facts: Facts, random_of: Callable[[str], Random], *, reserved: bool) -> Drawn[V]:
        """Draw words that say the facts, the one of each field of `Drawn` from `random_of(field)`.

        With a Random of its own for each field, a word stays whatever the facts of the others.
        """

        def draw(field: str, words: Words[T]) -> T:
            return words.draw(random_of(field), reserved=reserved)

        return Drawn(
            opener=draw("opener", self.openers[facts.register]),
            adjective=draw("adjective", self.adjectives),
            noun=draw("noun", self.nouns[facts.gender]),
            verb=draw("verb", self.verbs[facts.topic]),
            marker=draw("marker", self.markers[facts.polarity]),
            time=draw("time", self.times[facts.tense]),
            scene=draw("scene", self.scenes),
            quality=draw("quality", self.qualities[facts.sentiment]),
        )

    def redraw(self, drawn: Drawn[V], facts: Facts, random_of: Callable[[str], Random]) -> Drawn[V]:
        """Draw the words anew that may differ where the same is said, among those for training.

        They are the words of address, of emphasis and of praise. People, deed, time and scene stay.
        """
        other = self.draw(facts, random_of, reserved=False)
        return drawn._replace(opener=other.opener, marker=other.marker, quality=other.quality)

    def fill(self, facts: Facts, drawn: Drawn[V], template: str) -> str:
        """Say the facts in these words, in one sentence of the given template."""
        pattern = {**self.train_templates, **self.reserved_templates}[template]
        text = pattern.format_map({"open": drawn.opener, **self.slots(facts, drawn)})
        return text[0].upper() + text[1:]


def inflected(facts: Facts, adjective: Adjective) -> str:
    """Return the adjective's form for the facts' gender and number."""
    forms = adjective.feminine if facts.gender == FEMININE else adjective.masculine
    return forms[facts.number]
