"""Changes of a model's later words when the best latents of values are clamped or ablated."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from csae_bench.engines.factors.samples import Samples
from csae_bench.evals import EvalContext
from csae_bench.metrics.families import Families
from csae_bench.metrics.monosemanticity import Monosemanticity
from csae_bench.metrics.specificity import Changes, Effects, effects

if TYPE_CHECKING:
    from csae_bench.activations.interventions import Interventions
    from csae_bench.metrics.data import Codes

OPERATIONS = ("clamp", "ablation")
PROMPTS_PER_CHOSEN = 6
"""The model is asked about this many prompts for each that a latent is intervened on in: of those
at hand, some have a value and some lack it."""
NO_MODEL = "the dataset has activations and no prompts: there is no model to intervene on"
NO_READOUTS = "the dataset names no later words that a model would say a factor's value with"
NO_LATENT = "no latent is more informative about this value than under permuted factors"
NO_CONTROL = (
    "there is no latent left to be the control: every other is the best of a value, or is most "
    "informative about the same factor"
)


@dataclass(frozen=True, kw_only=True)
class Intervened:
    """Effects by operation, of the values' best latents and of random ones matched to them."""

    best: Mapping[str, Effects]
    random: Mapping[str, Effects]
    controls: Mapping[int, int]
    """Value -> the random latent that was matched to its best latent."""
    clamped_to: Mapping[int, float]
    """Latent -> the code it was clamped to."""
    n_sequences: int
    """Prompts with a stem that the model read."""
    n_prompts: int
    """Prompts that were available."""


def intervene(
    ctx: EvalContext,
    samples: Samples,
    known: Monosemanticity,
    *,
    n_prompts: int,
    n_resamples: int,
    seed: int,
) -> Intervened:
    """Clamp each value's best latent where prompts lack the value, ablate it where they have it.

    The control of a latent is a random one that fires about as often and is most
    informative about another family of factors.

    Args:
        known: values that the latents stand for, and the best latent of each value.
        n_prompts: for each value and operation, at most.

    Raises:
        DataError, ModelError: see `Interventions`.
    """
    dataset, factors = samples.encoded.dataset, samples.factors
    rng = np.random.default_rng(seed)
    latents = known.value_latents
    controls, reasons = _controls(samples, known, rng)
    rows = spread_over_templates(dataset.templates, PROMPTS_PER_CHOSEN * n_prompts, rng)
    if not dataset.readouts or not dataset.prompts:
        why = NO_READOUTS if dataset.prompts else NO_MODEL
        controls, reasons = {}, dict.fromkeys(range(len(latents)), why)
    asked = _asked(ctx, samples, rows, latents, controls) if controls else None
    table = _Table.of(samples, rows)
    best: dict[str, dict[int, Changes]] = {name: {} for name in OPERATIONS}
    matched: dict[str, dict[int, Changes]] = {name: {} for name in OPERATIONS}
    not_done: dict[str, dict[int, str]] = {name: dict(reasons) for name in OPERATIONS}
    for value, control in controls.items():
        assert asked is not None
        latent = latents[value]
        assert latent is not None
        for operation in OPERATIONS:
            changes = _changes(asked, table, value, (latent, control), operation, n_prompts, rng)
            if isinstance(changes, str):
                not_done[operation][value] = changes
            else:
                best[operation][value], matched[operation][value] = changes
    made: dict[str, Any] = {"n_resamples": n_resamples, "seed": seed}
    return Intervened(
        best={op: effects(best[op], not_done[op], factors, **made) for op in OPERATIONS},
        random={op: effects(matched[op], not_done[op], factors, **made) for op in OPERATIONS},
        controls=controls,
        clamped_to=_quantiles(asked),
        n_sequences=0 if asked is None else asked.n_sequences,
        n_prompts=0 if asked is None else len(rows),
    )


def _asked(
    ctx: EvalContext,
    samples: Samples,
    rows: Sequence[int],
    latents: Sequence[int | None],
    controls: Mapping[int, int],
) -> Interventions:
    """Prepare model and prompts for interventions on the values of `controls`.

    Args:
        latents: the best of each value.
    """
    from csae_bench.activations.interventions import Interventions

    best = (latents[value] for value in controls)
    wanted = {latent for latent in best if latent is not None} | set(controls.values())
    return Interventions(
        ctx.sae,
        ctx.model(),
        samples.encoded.dataset,
        ctx.hook_name,
        rows,
        sorted(wanted),
        pooling=samples.encoded.pooling,
    )


def _quantiles(asked: Interventions | None) -> dict[int, float]:
    if asked is None:
        return {}
    quantiles = {latent: asked.quantile(latent) for latent in asked.latents}
    return {latent: code for latent, code in quantiles.items() if code is not None}


def spread_over_templates(templates: Sequence[str], n: int, rng: np.random.Generator) -> list[int]:
    """Draw at most n samples, as evenly over templates as possible; numbers in order."""
    order = rng.permutation(len(templates))
    names = np.array(templates)[order]
    turn = np.zeros(len(templates), np.int64)
    for template in np.unique(names):
        turn[names == template] = np.arange((names == template).sum())
    return sorted(order[np.argsort(turn, kind="stable")][:n].tolist())


def matched_latent(
    codes: Codes, latent: int, taken: Sequence[int], rng: np.random.Generator
) -> int | None:
    """Draw a latent from the tenth with the nearest firing rates; None if there is no other.

    Args:
        taken: latents that it must not be.
    """
    free = np.setdiff1d(np.flatnonzero(codes.varies), [latent, *taken])
    if not len(free):
        return None
    distance = np.abs(codes.firing_rates[free] - codes.firing_rates[latent])
    nearest = np.argsort(distance, kind="stable")[: max(1, len(free) // 10)]
    return int(free[rng.choice(nearest)])


def _controls(
    samples: Samples, known: Monosemanticity, rng: np.random.Generator
) -> tuple[dict[int, int], dict[int, str]]:
    """Map values that can be intervened on to their controls, the others to the reason why not."""
    families = Families.of(samples.factors, samples.parents)
    best_family = families.largest(np.nan_to_num(known.shares)).argmax(1)
    best = [latent for latent in known.value_latents if latent is not None]
    controls: dict[int, int] = {}
    reasons: dict[int, str] = {}
    for value, latent in enumerate(known.value_latents):
        name = samples.factors.names[families.factor_of_value[value]]
        kin = np.flatnonzero(best_family == families.of_value[value]).tolist()
        if latent is None:
            reasons[value] = NO_LATENT
        elif name not in samples.encoded.dataset.readouts:
            reasons[value] = f"the dataset names no later words for '{name}'"
        elif (control := matched_latent(samples.codes, latent, best + kin, rng)) is None:
            reasons[value] = NO_CONTROL
        else:
            controls[value] = control
    return controls, reasons


@dataclass(frozen=True, kw_only=True, eq=False)
class _Table:
    """Properties of the available prompts."""

    rows: NDArray[np.int64]
    one_hot: NDArray[np.bool_]
    clusters: NDArray[np.int64]
    families: Families

    @classmethod
    def of(cls, samples: Samples, rows: Sequence[int]) -> _Table:
        templates = np.array(samples.templates)[list(rows)]
        return cls(
            rows=np.array(rows),
            one_hot=samples.factors.one_hot(np.bool_)[list(rows)],
            clusters=np.unique(templates, return_inverse=True)[1],
            families=Families.of(samples.factors, samples.parents),
        )

    def others(self, value: int) -> NDArray[np.bool_]:
        """Mask the values of factors of other families than the value's."""
        return self.families.of_value != self.families.of_value[value]


def _changes(
    asked: Interventions,
    table: _Table,
    value: int,
    pair: tuple[int, int],
    operation: str,
    n_prompts: int,
    rng: np.random.Generator,
) -> tuple[Changes, Changes] | str:
    """Measure changes of the best latent and of its control, or return why there are none."""
    from csae_bench.activations.interventions import LatentSetting

    has_value = table.one_hot[:, value]
    places = np.flatnonzero(has_value if operation == "ablation" else ~has_value)
    if not len(places):
        return f"no prompt at hand {'has' if operation == 'ablation' else 'lacks'} the value"
    places = np.sort(rng.permutation(places)[:n_prompts])
    codes = [0.0 if operation == "ablation" else asked.quantile(latent) for latent in pair]
    for latent, code in zip(pair, codes, strict=True):
        if code is None:
            return f"latent {latent} is active at no token of the prompts at hand"
    settings = [
        LatentSetting(latent, code)
        for latent, code in zip(pair, codes, strict=True)
        if code is not None
    ]
    sign = -1 if operation == "ablation" else 1
    rightful = np.where(table.one_hot[places] & table.others(value), 1.0, np.nan)
    clean = asked.clean[places]
    first, second = (
        _of(sign, after - clean, value, rightful, table.clusters[places])
        for after in asked.with_codes(table.rows[places].tolist(), settings)
    )
    return first, second


def _of(
    sign: int,
    change: NDArray[np.float64],
    value: int,
    rightful: NDArray[np.float64],
    clusters: NDArray[np.int64],
) -> Changes:
    # a row has a right word for every factor with a readout
    magnitudes = np.abs(change) * rightful
    n_others = (~np.isnan(magnitudes)).sum(1)
    others = np.where(n_others > 0, np.nansum(magnitudes, 1) / np.maximum(n_others, 1), np.nan)
    return Changes(own=sign * change[:, value], others=others, clusters=clusters)
