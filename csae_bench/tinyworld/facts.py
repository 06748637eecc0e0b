"""The invented facts: which thing has which property, and texts that tell it."""

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
    """The 104 facts of a subject: 26 things x 4 relations, thing by thing.

    Each relation's 13 values belong to two things each, so that no value is likelier
    than another.
    """
    world = _subject(subject)
    rng = Random(f"tinyworld/facts/{subject}")
    dealt: list[list[int]] = []
    for relation in world.relations:
        values = [i % len(relation.values) for i in range(len(ROOTS))]
        rng.shuffle(values)
        dealt.append(values)
    return tuple(
        Fact(subject, root + world.suffix, relation, dealt[relation][thing])
        for thing, root in enumerate(ROOTS)
        for relation in range(len(world.relations))
    )


def statement(fact: Fact, rng: Random, *, again: bool = False) -> str:
    """The fact in one sentence; `again`: of a thing just named, as `it` or `this germ`."""
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
    """Paragraphs about a few of the subject's things, all four facts of each."""
    world = _subject(subject)
    every = facts(subject)
    n = len(world.relations)
    paragraphs: list[str] = []
    for thing in rng.sample(range(len(ROOTS)), n_things):
        known = list(every[n * thing : n * (thing + 1)])
        rng.shuffle(known)
        paragraphs.append(
            " ".join(statement(fact, rng, again=i > 0) for i, fact in enumerate(known))
        )
    return " ".join(paragraphs)


def _subject(name: str) -> Subject:
    if name not in SUBJECTS:
        raise ValueError(f"Unknown subject '{name}'. Available: {', '.join(SUBJECTS)}.")
    return SUBJECTS[name]


def _sentence(text: str) -> str:
    return text[0].upper() + text[1:]
