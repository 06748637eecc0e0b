"""The grid: every combination of factor values, said in a language's words."""

from __future__ import annotations

from itertools import product
from random import Random
from typing import Any

import numpy as np

from csae_bench.factors.dataset import FactorDataset, FactorSplit
from csae_bench.factors.datasets.english.in_english import ENGLISH
from csae_bench.factors.datasets.english.in_french import FRENCH
from csae_bench.factors.datasets.english.in_german import GERMAN
from csae_bench.factors.datasets.english.in_spanish import SPANISH
from csae_bench.factors.datasets.english.language import Facts, Language
from csae_bench.support.old_names import STREAM_OF_SPLIT

LANGUAGES: dict[str, Language[Any]] = {
    "english": ENGLISH,
    "french": FRENCH,
    "german": GERMAN,
    "spanish": SPANISH,
}

FACTORS: dict[str, tuple[str, ...]] = {
    "gender": ("feminine", "masculine"),
    "number": ("singular", "plural"),
    "tense": ("past", "present", "future"),
    "polarity": ("affirmative", "negative"),
    "sentiment": ("pleasant", "unpleasant"),
    "topic": ("medicine", "cooking", "sport", "music", "law", "school"),
    "register": ("formal", "casual"),
    "language": tuple(LANGUAGES),
}
"""Factor names and their values' names; gender and number are the subject's."""

N_TEMPLATES = 4
"""Templates of each language in a split."""


def sentence_grid(split: FactorSplit, *, repeats: int = 2, seed: int = 0) -> FactorDataset:
    """Make the 2304 combinations of values, `repeats` times each, every time in another template.

    Factors are independent of each other, and of the template within a language: each of its 4
    templates meets each pair of values of two factors equally often. `test` has other templates
    than `train`, and reserved words among the others. Each of a combination's words is drawn at
    random.

    Raises:
        ValueError: repeats is not 1 to 4.
    """
    if not 1 <= repeats <= N_TEMPLATES:
        raise ValueError(
            f"repeats is {repeats}; it must be 1 to {N_TEMPLATES}, the number of templates."
        )
    rng = Random(f"english/grid/{STREAM_OF_SPLIT[split]}/{seed}")
    templates = {name: _shuffled_templates(name, split, rng) for name in LANGUAGES}
    every = list(product(*(range(len(values)) for values in FACTORS.values())))
    prompts: list[str] = []
    used: list[str] = []
    for repeat in range(repeats):
        for *facts, language in every:
            name = FACTORS["language"][language]
            template = templates[name][(_template_number(Facts(*facts)) + repeat) % N_TEMPLATES]
            reserved = split == "test"
            prompts.append(LANGUAGES[name].say(Facts(*facts), template, rng, reserved=reserved))
            used.append(f"{name}/{template}")
    return FactorDataset(
        name="english",
        prompts=tuple(prompts),
        factors=np.tile(np.array(every, dtype=np.int64), (repeats, 1)),
        names=tuple(FACTORS),
        value_names=tuple(FACTORS.values()),
        templates=tuple(used),
        split=split,
        pooling="last",  # the full stop, at which all eight factors have been said
    )


def _shuffled_templates(language: str, split: FactorSplit, rng: Random) -> list[str]:
    spoken = LANGUAGES[language]
    templates = list(spoken.train_templates if split == "train" else spoken.reserved_templates)
    rng.shuffle(templates)
    return templates


def _template_number(facts: Facts) -> int:
    """0 to 3, uniform for any two factors held fixed.

    Two bits, each the parity of three factors with two values; their own parity is that of four.
    """
    high = facts.gender ^ facts.number ^ facts.polarity
    low = facts.polarity ^ facts.sentiment ^ facts.register
    return 2 * high + low
