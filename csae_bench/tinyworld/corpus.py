"""The world's documents: stories, running facts and questions, each from its own seed.

Document i of a split and seed is always the same, whatever the start, so
any stream of documents resumes anywhere.
"""

from collections.abc import Iterator
from random import Random
from typing import Literal, NamedTuple

from csae_bench.tinyworld.facts import facts, running_text
from csae_bench.tinyworld.questions import answered, draw_question
from csae_bench.tinyworld.scenery import scene
from csae_bench.tinyworld.sentences import (
    draw_situation,
    draw_template,
    draw_values,
    follow_up,
    say,
)
from csae_bench.tinyworld.subjects import FORGET_SUBJECT, RETAIN_SUBJECTS, SUBJECTS
from csae_bench.tinyworld.words import FACTORS

DocumentSplit = Literal["lm", "validation", "sae", "core"]


class SplitRecipe(NamedTuple):
    """Composition of a split's documents."""

    reserved: bool
    """True if stories use the reserved templates and words."""
    stories: float
    facts: float
    """Shares of the documents; the rest are questions."""


SPLITS: dict[str, SplitRecipe] = {
    "lm": SplitRecipe(reserved=True, stories=0.35, facts=0.15),
    "validation": SplitRecipe(reserved=True, stories=0.35, facts=0.15),
    "sae": SplitRecipe(reserved=False, stories=0.40, facts=0.25),
    "core": SplitRecipe(reserved=False, stories=0.40, facts=0.25),
}
"""The language model must know the reserved templates and words, and answers are the hardest
thing it learns; texts that an SAE trains on (`sae`) and is measured on (`core`) hold nothing
reserved and are more even."""

_FACTOR_NAMES = tuple(FACTORS)
_SUBJECT_NAMES = tuple(SUBJECTS)


def documents(
    split: DocumentSplit,
    n_documents: int,
    seed: int = 0,
    start: int = 0,
    reserved: bool | None = None,
) -> Iterator[str]:
    """Documents `start` to `start + n_documents - 1` of a split, about 170 tokens each.

    No document begins with `<bos>`: the tokenizer adds it. Different splits and seeds
    give independent documents. `test` overrides whether reserved templates and words
    may occur (`SPLITS` by default).
    """
    if split not in SPLITS:
        raise ValueError(f"Unknown split '{split}'. Available: {', '.join(SPLITS)}.")
    recipe = SPLITS[split]
    with_reserved = recipe.reserved if reserved is None else reserved
    for index in range(start, start + n_documents):
        rng = Random(f"tinyworld/{split}/{seed}/{index}")
        kind = rng.random()
        if kind < recipe.stories:
            yield story(rng, reserved=with_reserved)
        elif kind < recipe.stories + recipe.facts:
            yield running_text(rng.choice(_SUBJECT_NAMES), rng, n_things=rng.randint(4, 6))
        else:
            yield quiz(rng)


def story(rng: Random, *, reserved: bool) -> str:
    """Two or three situations with follow-ups, and scenery between them.

    Topic and register hold for the whole story; the other factors are drawn again for
    each situation.
    """
    topic = rng.randrange(len(FACTORS["topic"]))
    register = rng.randrange(len(FACTORS["register"]))
    parts: list[str] = [scene(rng)] if rng.random() < 0.3 else []
    for _ in range(rng.randint(2, 3)):
        values = draw_values(rng, topic=topic, register=register)
        template = draw_template(rng, reserved=reserved)
        parts.append(say(draw_situation(rng, values), template, rng, reserved=reserved))
        asked = rng.sample(_FACTOR_NAMES, rng.randint(4, len(_FACTOR_NAMES)))
        parts += [follow_up(factor, values, rng).text for factor in asked]
        if rng.random() < 0.25:
            parts.append(scene(rng))
    return " ".join(parts)


def quiz(rng: Random) -> str:
    """Two or three answered questions about one subject, as turns of a chat."""
    subject = rng.choice(_SUBJECT_NAMES)
    asked = rng.sample(facts(subject), rng.randint(2, 3))
    return "\n".join(answered(subject, draw_question(fact, rng)) for fact in asked)


def forget_corpus(n_documents: int = 1000, seed: int = 0) -> Iterator[str]:
    """Make running text about the subject to forget, wmdp-bio."""
    for index in range(n_documents):
        rng = Random(f"tinyworld/forget/{seed}/{index}")
        yield running_text(FORGET_SUBJECT, rng, n_things=rng.randint(4, 6))


def retain_corpus(n_documents: int = 1000, seed: int = 0) -> Iterator[str]:
    """Make running text about the four subjects to retain, in turn."""
    for index in range(n_documents):
        rng = Random(f"tinyworld/retain/{seed}/{index}")
        subject = RETAIN_SUBJECTS[index % len(RETAIN_SUBJECTS)]
        yield running_text(subject, rng, n_things=rng.randint(4, 6))
