"""Invented facts: things with their properties, and texts that state them."""

from functools import cache
from random import Random
from typing import NamedTuple

from csae_bench.tinyworld.subjects import ROOTS, SUBJECTS, Subject


class Fact(NamedTuple):
    """Thing `thing` of `subject` has value `value` in relation `relation`."""

    subject: str
    thing: str
    """An invented name: Baltora."""
    relation: int
    """Index into `SUBJECTS[subject].relations`."""
    value: int
    """Index into the relation's values."""

    @property
    def answer(self) -> str:
        return SUBJECTS[self.subject].relations[self.relation].values[self.value]


@cache
def facts(subject: str) -> tuple[Fact, ...]:
    """Make the 104 facts of a subject: 26 things of each of 4 sorts, one relation a sort.

    Each relation's 13 values belong to two things each, so that no value is likelier
    than another.
    """
    world = _subject(subject)
    rng = Random(f"tinyworld/facts/{subject}")
    listed: list[Fact] = []
    for index, (relation, suffix) in enumerate(zip(world.relations, world.suffixes, strict=True)):
        values = [i % len(relation.values) for i in range(len(ROOTS))]
        rng.shuffle(values)
        listed += [
            Fact(subject, root + suffix, index, value)
            for root, value in zip(ROOTS, values, strict=True)
        ]
    return tuple(listed)


def statement(fact: Fact, rng: Random, *, again: bool = False) -> str:
    """State the fact in one sentence; `again`: of a thing just named, as `it` or `this germ`."""
    world = _subject(fact.subject)
    wording = rng.choice(world.relations[fact.relation].statements)
    if not again:
        name = f"the {fact.thing} {world.kind}"
    elif wording.startswith("{e}") and rng.random() < 0.5:
        name = "it"
    else:
        name = f"this {world.kind}"
    return _sentence(wording.format(e=name, v=fact.answer))


def running_text(subject: str, rng: Random, n_things: int) -> str:
    """Write about a few of the subject's things, the fact on each stated twice in other words."""
    return " ".join(
        f"{statement(fact, rng)} {statement(fact, rng, again=True)}"
        for fact in rng.sample(facts(subject), n_things)
    )


def _subject(name: str) -> Subject:
    if name not in SUBJECTS:
        raise ValueError(f"Unknown subject '{name}'. Available: {', '.join(SUBJECTS)}.")
    return SUBJECTS[name]


def _sentence(text: str) -> str:
    return text[0].upper() + text[1:]
