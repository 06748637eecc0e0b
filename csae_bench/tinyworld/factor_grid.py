"""Labelled factor prompts: the full factorial grid, and groups of paraphrases."""

from collections.abc import Iterator
from dataclasses import dataclass
from random import Random
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from csae_bench.support.old_names import STREAM_OF_SPLIT
from csae_bench.tinyworld.grammar import RESERVED_TEMPLATES, TRAIN_TEMPLATES
from csae_bench.tinyworld.sentences import (
    FactorValues,
    FollowUp,
    combinations,
    draw_situation,
    draw_template,
    draw_values,
    follow_up,
    say,
)
from csae_bench.tinyworld.words import FACTORS


@dataclass(frozen=True)
class FactorPrompt:
    """One sentence with known factors.

    `follow_ups[factor]`: `text + " " + follow_ups[factor].stem` is a prompt whose next
    token is the factor's later word, `follow_ups[factor].words[values[factor]]`.
    """

    text: str
    """One sentence that voices every factor and gives away none of its later words."""
    values: FactorValues
    """Indices into `FACTORS[name]`, by factor."""
    template: str
    """The name of the template: the cluster for a bootstrap by template."""
    follow_ups: dict[str, FollowUp]
    """A follow-up for each factor."""

    def later_prompt(self, factor: str) -> str:
        """Return the text up to just before the factor's later word."""
        return f"{self.text} {self.follow_ups[factor].stem}"


@dataclass(frozen=True)
class FactorGrid:
    """Prompts over the full factorial of factor values, every combination equally often."""

    prompts: tuple[FactorPrompt, ...]
    names: tuple[str, ...]
    """Factor names, in the order of the columns of `factors`."""
    value_names: tuple[tuple[str, ...], ...]
    """Names of each factor's values."""
    factors: NDArray[np.int64]
    """int64 [n_prompts, n_factors]."""
    templates: tuple[str, ...]
    """The template's name of each prompt."""
    parents: dict[str, str]
    """Child factor -> parent factor: {"topic": "domain"}, value t of topic in t // 3 of domain."""
    split: Literal["train", "test"]


def factor_grid(
    split: Literal["train", "test"] = "test", repeats: int = 3, seed: int = 0
) -> FactorGrid:
    """Make the 864 combinations of factor values, `repeats` times each, in different templates.

    `test`: reserved templates, with reserved voicing words among the others.
    `train`: training templates and words only. Each has 6 templates, used equally often and
    independently of the factors; 2592 prompts by default, at most 6 repeats.
    """
    templates = tuple(RESERVED_TEMPLATES if split == "test" else TRAIN_TEMPLATES)
    if not 1 <= repeats <= len(templates):
        raise ValueError(
            f"repeats is {repeats}; it must be 1 to {len(templates)}, the number of templates."
        )
    rng = Random(f"tinyworld/grid/{STREAM_OF_SPLIT[split]}/{seed}")
    every = combinations()
    offsets = [i % len(templates) for i in range(len(every))]
    rng.shuffle(offsets)
    prompts = tuple(
        _prompt(
            values, templates[(offset + repeat) % len(templates)], rng, reserved=split == "test"
        )
        for repeat in range(repeats)
        for values, offset in zip(every, offsets, strict=True)
    )
    return FactorGrid(
        prompts=prompts,
        names=tuple(FACTORS),
        value_names=tuple(FACTORS.values()),
        factors=np.array([p.values for p in prompts], dtype=np.int64),
        templates=tuple(p.template for p in prompts),
        parents={"topic": "domain"},
        split=split,
    )


def paraphrases(
    n_groups: int, group_size: int = 2, seed: int = 0, start: int = 0
) -> Iterator[tuple[str, ...]]:
    """Make groups of sentences that say the same: equal factors, verb, adjective and place.

    Templates and voicing words differ (templates are distinct up to six members), and are
    training ones only, so that nothing of the reserved grid is seen in training pairs.
    Group i of a seed is the same whatever `start`.
    """
    for index in range(start, start + n_groups):
        rng = Random(f"tinyworld/paraphrases/{seed}/{index}")
        situation = draw_situation(rng, draw_values(rng))
        templates = list(TRAIN_TEMPLATES)
        rng.shuffle(templates)
        templates += [
            draw_template(rng, reserved=False) for _ in range(group_size - len(templates))
        ]
        yield tuple(
            say(situation, template, rng, reserved=False) for template in templates[:group_size]
        )


def _prompt(values: FactorValues, template: str, rng: Random, *, reserved: bool) -> FactorPrompt:
    text = say(draw_situation(rng, values), template, rng, reserved=reserved)
    return FactorPrompt(text, values, template, {f: follow_up(f, values, rng) for f in FACTORS})
