"""A factor dataset: what the weather is like, and where."""

from __future__ import annotations

import numpy as np

from csae_bench.factors import FactorDataset, FactorSplit, register_factors

PLACES = ("north", "south", "east")
WEATHERS = ("sunny", "cloudy")
TEMPLATES = ("Today the {} is {} .", "In winter the {} is {} .", "They say the {} is {} .")


@register_factors("weather")
def weather(split: FactorSplit, seed: int) -> FactorDataset:
    """Places and their weather, each combination in three templates."""
    grid = [
        (template, place, sky)
        for template in TEMPLATES
        for place in range(len(PLACES))
        for sky in range(len(WEATHERS))
    ]
    return FactorDataset(
        name="weather",
        prompts=tuple(
            template.format(PLACES[place], WEATHERS[sky]) for template, place, sky in grid
        ),
        factors=np.array([[place, sky] for _, place, sky in grid]),
        names=("place", "weather"),
        value_names=(PLACES, WEATHERS),
        templates=tuple(template for template, _, _ in grid),
        split=split,
    )
