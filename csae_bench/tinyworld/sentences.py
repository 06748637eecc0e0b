"""A situation, the sentences that say it, and the follow-ups it determines."""

from collections.abc import Iterable
from itertools import product
from random import Random
from typing import NamedTuple

from csae_bench.tinyworld.grammar import (
    CONJUGATED,
    FOLLOW_UPS,
    FUTURE,
    PASSIVE_TEMPLATES,
    TEMPLATES,
    TRAIN_TEMPLATES,
    active_phrase,
    be_form,
    passive_phrase,
)
from csae_bench.tinyworld.words import (
    ADJECTIVES,
    ADVERBS,
    CATENATIVES,
    CLOSERS,
    COMPANIONS,
    DETERMINERS,
    FACTORS,
    MOODS,
    OPENERS,
    OUTCOMES,
    OWN,
    PREPOSITIONS,
    PURPOSES,
    RESERVED_OBJECTS,
    SPOTS,
    SUBJECTS,
    TIMES,
    TOPICS_PER_DOMAIN,
    TRAIN_OBJECTS,
    VERBS,
    Noun,
    Verb,
    Voices,
)


class FactorValues(NamedTuple):
    """One value of every factor, as indices into `FACTORS[name]`."""

    gender: int
    number: int
    tense: int
    polarity: int
    sentiment: int
    register: int
    domain: int
    topic: int


class Situation(NamedTuple):
    """Content of a sentence: the factors' values and what no factor determines."""

    values: FactorValues
    verb: Verb
    adjective: str
    spot: str


class FollowUp(NamedTuple):
    """A follow-up clause of one factor in one situation.

    The later word is `words[answer]` (with its leading space) and stands directly
    after `stem`; the other `words` are what the factor's other values would ask for.
    """

    factor: str
    stem: str
    words: tuple[str, ...]
    answer: int
    rest: str

    @property
    def text(self) -> str:
        return self.stem + self.words[self.answer] + self.rest


_INDEPENDENT = tuple(name for name in FACTORS if name != "domain")


def combinations() -> tuple[FactorValues, ...]:
    """All combinations of factor values, the full factorial: domain follows from topic."""
    return tuple(
        _values(combination)
        for combination in product(*(range(len(FACTORS[name])) for name in _INDEPENDENT))
    )


def draw_values(rng: Random, **fixed: int) -> FactorValues:
    """Independent, uniform values; `fixed` ones (`topic=3`) as given."""
    return _values(
        fixed[name] if name in fixed else rng.randrange(len(FACTORS[name])) for name in _INDEPENDENT
    )


def draw_situation(rng: Random, values: FactorValues) -> Situation:
    """`values` with a freely chosen verb, adjective and place."""
    spot = f"{rng.choice(PREPOSITIONS)} the {rng.choice(SPOTS)}"
    return Situation(values, rng.choice(VERBS), rng.choice(ADJECTIVES), spot)


def say(situation: Situation, template: str, rng: Random, *, reserved: bool) -> str:
    """Say the situation in one sentence of the given template, in freely chosen voices.

    Reserved words are used only where `test`, among the others.
    """
    gender, number, tense, polarity, sentiment, register, domain, topic = situation.values
    pick = rng.choice
    verb = situation.verb
    plural = number == 1
    noun = pick(_objects(topic, reserved))
    passive = template in PASSIVE_TEMPLATES
    # the passive has no "was failed to be checked": adverbs alone carry the polarity there
    manner = pick(_spoken(ADVERBS[polarity], reserved))
    if not passive and rng.random() < 0.5:
        manner = pick(_spoken(CATENATIVES[polarity], reserved))
    determiner = pick(_spoken(DETERMINERS[number], reserved))
    adjective = f"{situation.adjective} " if situation.adjective else ""

    def voice(*voices: Voices) -> str:
        return " ".join(pick(_spoken(one, reserved)) for one in voices)

    sentence = TEMPLATES[template].format_map(
        {
            **CONJUGATED[tense],
            "open": voice(OPENERS[register]),
            "subj": voice(SUBJECTS[gender]),
            "vp": "" if passive else active_phrase(verb, tense, manner),
            "passive": passive_phrase(verb, tense, plural, manner) if passive else "",
            "obj": f"{determiner} {adjective}{noun.plural if plural else noun.singular}",
            "mood": voice(MOODS[sentiment], OWN[gender]),
            "time": voice(TIMES[tense], OUTCOMES[polarity]),
            "comp": voice(COMPANIONS[topic], PURPOSES[domain]),
            "spot": situation.spot,
            "be_n": be_form(tense, plural),
        }
    )
    return f"{sentence.removesuffix('.')}, {voice(CLOSERS[register])}."


def draw_template(rng: Random, *, reserved: bool) -> str:
    """Draw a template's name; from all templates if `test`, else from the training templates."""
    return rng.choice(_ALL_TEMPLATES if reserved else _TRAIN_TEMPLATES)


def follow_up(factor: str, values: FactorValues, rng: Random) -> FollowUp:
    """One of the factor's follow-ups for these values, conjugated in their tense."""
    form = rng.choice(FOLLOW_UPS[factor])
    tense = values.tense
    tail = " be" if tense == FUTURE else ""
    return FollowUp(
        factor,
        form.stem.format_map(CONJUGATED[tense]),
        tuple(f" {word}" for word in form.words),
        values[_COLUMN[factor]],
        form.rest.format_map({**CONJUGATED[tense], "tail": tail}),
    )


_COLUMN = {name: column for column, name in enumerate(FACTORS)}
_ALL_TEMPLATES = tuple(TEMPLATES)
_TRAIN_TEMPLATES = tuple(TRAIN_TEMPLATES)


def _values(independent: Iterable[int]) -> FactorValues:
    gender, number, tense, polarity, sentiment, register, topic = independent
    domain = topic // TOPICS_PER_DOMAIN
    return FactorValues(gender, number, tense, polarity, sentiment, register, domain, topic)


def _spoken(voices: Voices, reserved: bool) -> tuple[str, ...]:
    return voices.every if reserved else voices.train


def _objects(topic: int, reserved: bool) -> tuple[Noun, ...]:
    return _OBJECTS[topic] if reserved else TRAIN_OBJECTS[topic]


_OBJECTS = tuple(a + b for a, b in zip(TRAIN_OBJECTS, RESERVED_OBJECTS, strict=True))
