"""A situation, the sentences that say it, and the follow-ups it determines."""

from collections.abc import Callable, Iterable
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


def other_values(values: FactorValues, factor: str) -> tuple[FactorValues, ...]:
    """List the values that differ from these in one factor.

    Of `topic` they are the topics of the same domain; of `domain` the topics of the others, for a
    domain cannot change without its topic.
    """
    topics = range(len(FACTORS["topic"]))
    if factor == "domain":
        others = [t for t in topics if t // TOPICS_PER_DOMAIN != values.domain]
        return tuple(_with_topic(values, topic) for topic in others)
    if factor == "topic":
        siblings = [t for t in topics if t // TOPICS_PER_DOMAIN == values.domain]
        return tuple(_with_topic(values, topic) for topic in siblings if topic != values.topic)
    now = values[_COLUMN[factor]]
    others = [value for value in range(len(FACTORS[factor])) if value != now]
    return tuple(values._replace(**{factor: value}) for value in others)


def draw_situation(rng: Random, values: FactorValues) -> Situation:
    """`values` with a freely chosen verb, adjective and place."""
    spot = f"{rng.choice(PREPOSITIONS)} the {rng.choice(SPOTS)}"
    return Situation(values, rng.choice(VERBS), rng.choice(ADJECTIVES), spot)


def say(situation: Situation, template: str, rng: Random, *, reserved: bool) -> str:
    """Say the situation in one sentence of the given template, in freely chosen voices.

    Reserved words are used only with reserved=True, among the others.
    """
    return say_by_slot(situation, template, lambda _: rng, reserved=reserved)


def say_by_slot(
    situation: Situation, template: str, random_of: Callable[[str], Random], *, reserved: bool
) -> str:
    """Say the situation as `say` does, each slot's voice drawn from `random_of(slot)`.

    With a Random of its own for each slot, a slot keeps its voice whatever the others' values.
    """
    gender, number, tense, polarity, sentiment, register, domain, topic = situation.values

    def voice(slot: str, voices: Voices) -> str:
        return random_of(slot).choice(_spoken(voices, reserved))

    verb = situation.verb
    plural = number == 1
    noun = random_of("noun").choice(_objects(topic, reserved))
    passive = template in PASSIVE_TEMPLATES
    # the passive has no "was failed to be checked": adverbs alone carry the polarity there
    manner = voice("adverb", ADVERBS[polarity])
    if not passive and random_of("phrase").random() < 0.5:
        manner = voice("catenative", CATENATIVES[polarity])
    determiner = voice("determiner", DETERMINERS[number])
    adjective = f"{situation.adjective} " if situation.adjective else ""
    sentence = TEMPLATES[template].format_map(
        {
            **CONJUGATED[tense],
            "open": voice("opener", OPENERS[register]),
            "subj": voice("subject", SUBJECTS[gender]),
            "vp": "" if passive else active_phrase(verb, tense, manner),
            "passive": passive_phrase(verb, tense, plural, manner) if passive else "",
            "obj": f"{determiner} {adjective}{noun.plural if plural else noun.singular}",
            "mood": f"{voice('mood', MOODS[sentiment])} {voice('own', OWN[gender])}",
            "time": f"{voice('time', TIMES[tense])} {voice('outcome', OUTCOMES[polarity])}",
            "comp": f"{voice('comp', COMPANIONS[topic])} {voice('purpose', PURPOSES[domain])}",
            "spot": situation.spot,
            "be_n": be_form(tense, plural),
        }
    )
    return f"{sentence.removesuffix('.')}, {voice('closer', CLOSERS[register])}."


def draw_template(rng: Random, *, reserved: bool) -> str:
    """Draw a template's name, of all with reserved=True, else of the training templates."""
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


def _with_topic(values: FactorValues, topic: int) -> FactorValues:
    return values._replace(topic=topic, domain=topic // TOPICS_PER_DOMAIN)


def _spoken(voices: Voices, reserved: bool) -> tuple[str, ...]:
    return voices.every if reserved else voices.train


def _objects(topic: int, reserved: bool) -> tuple[Noun, ...]:
    return _OBJECTS[topic] if reserved else TRAIN_OBJECTS[topic]


_OBJECTS = tuple(a + b for a, b in zip(TRAIN_OBJECTS, RESERVED_OBJECTS, strict=True))
