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
        drawn = self._draw(facts, rng, reserved=reserved)
        pattern = {**self.train_templates, **self.reserved_templates}[template]
        text = pattern.format_map({"open": drawn.opener, **self.slots(facts, drawn)})
        return text[0].upper() + text[1:]

    def _draw(self, facts: Facts, rng: Random, *, reserved: bool) -> Drawn[V]:
        def draw(words: Words[T]) -> T:
            return words.draw(rng, reserved=reserved)

        return Drawn(
            opener=draw(self.openers[facts.register]),
            adjective=draw(self.adjectives),
            noun=draw(self.nouns[facts.gender]),
            verb=draw(self.verbs[facts.topic]),
            marker=draw(self.markers[facts.polarity]),
            time=draw(self.times[facts.tense]),
            scene=draw(self.scenes),
            quality=draw(self.qualities[facts.sentiment]),
        )


def inflected(facts: Facts, adjective: Adjective) -> str:
    """Return the adjective's form for the facts' gender and number."""
    forms = adjective.feminine if facts.gender == FEMININE else adjective.masculine
    return forms[facts.number]
