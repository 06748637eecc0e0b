"""Pairs of a RAVEL result: their means, intervals over entities, and why a value is undefined.

Importing this imports neither torch nor sae_bench.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Float, Int
from numpy.typing import NDArray

from csae_bench.engines.ravel.fields import SCORES
from csae_bench.metrics.bootstrap import cluster_draws

Values = dict[str, float | int | None]


@dataclass(frozen=True)
class Pair:
    """A base prompt under an intervention from a source prompt, after the mask was trained."""

    entity: str
    """The base's."""
    attribute: str
    """The one whose mask it is."""
    is_cause: bool
    """Whether the attribute itself is asked for, and must change."""
    is_right: bool


@dataclass(frozen=True, kw_only=True)
class KnownPrompts:
    """What the model answers right of a class of entities."""

    entity: str
    n_entities: int
    n_asked: int
    """Prompts that it was asked."""
    n_prompts: int
    """Prompts that it answers right."""
    entities_by_attribute: Mapping[str, int]
    """Entities of which it knows the attribute in some prompt."""
    labels_by_attribute: Mapping[str, int]
    """Different answers among them."""
    prompts_by_attribute: Mapping[str, int]
    """Prompts for the attribute that it answers right."""

    def problem(self, min_entities: int) -> str | None:
        """Return why no mask can be trained; None where it can."""
        few = [f"{name} {n}" for name, n in self.entities_by_attribute.items() if n < min_entities]
        if few:
            return (
                f"of {self.n_entities} entities of the class {self.entity} the model knows "
                f"{', '.join(few)}, and {min_entities} are needed (min_entities)"
            )
        same = [name for name, n in self.labels_by_attribute.items() if n < 2]
        if same:
            return f"all known entities have the same {', '.join(same)}; two values are needed"
        return None


def known_prompts(
    entity: str,
    prompts: Sequence[Mapping[str, Any]],
    n_asked: int,
    n_entities: int,
    attributes: Sequence[str],
) -> KnownPrompts:
    """Count entities and answers of prompts that are answered right."""
    by_attribute = {
        name: [prompt for prompt in prompts if prompt["attribute_type"] == name]
        for name in attributes
    }
    return KnownPrompts(
        entity=entity,
        n_entities=n_entities,
        n_asked=n_asked,
        n_prompts=len(prompts),
        entities_by_attribute={
            name: len({prompt["entity_label"] for prompt in some})
            for name, some in by_attribute.items()
        },
        labels_by_attribute={
            name: len({prompt["attribute_label"] for prompt in some})
            for name, some in by_attribute.items()
        },
        prompts_by_attribute={name: len(some) for name, some in by_attribute.items()},
    )


def corrected(
    pairs: Sequence[Pair], *, undefined: str | None, n_resamples: int, seed: int
) -> tuple[Values, dict[str, str]]:
    """Return means over pairs with 95% intervals over entities, and why those that are null are so.

    Args:
        undefined: why there are no pairs.
    """
    ends = [f"{name}_{end}" for name in SCORES for end in ("low", "high")]
    if undefined is not None:
        names = [*SCORES, *ends]
        return dict.fromkeys(names), dict.fromkeys(names, undefined)
    entities = sorted({pair.entity for pair in pairs})
    place = {entity: i for i, entity in enumerate(entities)}
    # right and all pairs, of each entity, by kind
    counts = np.zeros((2, 2, len(entities)))
    for pair in pairs:
        counts[int(pair.is_cause), :, place[pair.entity]] += (pair.is_right, 1)
    once = np.ones((1, len(entities)))
    values: Values = {}
    reasons: dict[str, str] = {}
    drawn = cluster_draws(len(entities), n_resamples, seed) if len(entities) > 1 else once
    for name, mean, resampled in zip(
        SCORES, _scores(counts, once), _scores(counts, drawn), strict=True
    ):
        value = float(mean[0])
        values[name] = None if np.isnan(value) else value
        if values[name] is None:
            reasons[name] = "no pair of the one kind or the other was tested"
        for end, percent in (("low", 2.5), ("high", 97.5)):
            defined = resampled[~np.isnan(resampled)]
            has_interval = len(entities) > 1 and len(defined) > len(resampled) / 2
            values[f"{name}_{end}"] = (
                float(np.percentile(defined, percent)) if has_interval else None
            )
            if not has_interval:
                reasons[f"{name}_{end}"] = reasons.get(name, "there is one entity to resample")
    return values, reasons


def table(pairs: Sequence[Pair]) -> dict[str, dict[str, int]]:
    """Count right and all pairs by attribute and kind."""
    tables: dict[str, Counter[str]] = {}
    for pair in pairs:
        kind = "cause" if pair.is_cause else "isolation"
        row = tables.setdefault(pair.attribute, Counter())
        row[f"n_{kind}"] += 1
        row[f"n_{kind}_right"] += pair.is_right
    return {name: dict(row) for name, row in tables.items()}


def _scores(
    counts: Float[NDArray[Any], "n_kinds right_and_all n_entities"],
    draws: Float[NDArray[Any], "n_draws n_entities"] | Int[NDArray[Any], "n_draws n_entities"],
) -> tuple[NDArray[Any], NDArray[Any], NDArray[Any]]:
    """Return disentanglement, cause and isolation of each draw, NaN where there is no pair."""
    sums = np.einsum("kce,de->kcd", counts, draws)
    with np.errstate(invalid="ignore", divide="ignore"):
        isolation, cause = sums[:, 0] / sums[:, 1]
    return (cause + isolation) / 2, cause, isolation
