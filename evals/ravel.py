"""SAE-Bench's RAVEL eval: can one attribute of an entity be changed without the others?"""

from __future__ import annotations

import math
from typing import Annotated, Any

from pydantic import Field

from csae_bench.config.base import Count, Positive
from csae_bench.engines.ravel.data import (
    AUTO,
    HUB,
    SAE_BENCH_SELECTION,
    Selection,
    data_fingerprint,
    data_status,
    selection_of,
    skip_reason,
)
from csae_bench.engines.ravel.fields import METRICS
from csae_bench.evals import Cost, EvalConfig, EvalContext, EvalResult, Preset, register_eval
from csae_bench.evals.inputs import Needs, Status

Attributes = Annotated[tuple[str, ...], Field(min_length=2)]


class RavelConfig(EvalConfig):
    """Settings of the RAVEL eval, named as in SAE-Bench where it has them."""

    data: str = AUTO
    """Entities and prompts: `cities` (a small table of ours), `hub` (RAVEL's, as SAE-Bench has
    them), or a folder of RAVEL's four files for each class; `auto`: cities, for any model but the
    bundled one."""

    entity_attribute_selection: dict[str, Attributes] | None = None
    """Class of entities -> at least two attributes; none: those of `data`."""

    top_n_entities: Count = 500
    """Entities that are kept, those that the model knows best."""

    full_dataset_downsample: Count | None = None
    """Prompts that the model is asked, at random; none: all."""

    num_pairs_per_attribute: Count = 5000
    """Pairs of prompts for an attribute, at most: as many that change it, and that must not."""

    train_test_split: Annotated[float, Field(gt=0, lt=1)] = 0.7
    """Share of the pairs on which masks are trained."""

    llm_batch_size: Count = 32
    """Pairs in a step; facts are asked for in batches of eight times as many."""

    learning_rate: Positive = 1e-3
    """Learning rate of a mask."""

    num_epochs: Count = 2
    """Epochs of its training."""

    n_generated_tokens: Count = 6
    """Tokens of an answer."""

    min_entities: Annotated[int, Field(ge=2)] = 10
    """Entities of which an attribute must be known; with fewer there is no score."""

    random_seed: Annotated[int, Field(ge=0, lt=2**31)] = 42
    """Seed of pairs, their split, and the intervals."""

    n_resamples: Annotated[int, Field(ge=1000)] = 1000
    """Number of draws of the entities for the intervals."""

    def needs(self, model: str | None) -> Needs:
        """Return the entities, and why the model cannot be asked about them."""
        asked = self.model or model
        reason = None if asked is None else skip_reason(self.data, asked)
        return Needs(
            batch_size=self.llm_batch_size,
            prompt_tokens=64,
            n_logits=1,
            inputs=(EntitiesInput(self.data, self.selection),) if reason is None else (),
            skip=None if self.model else reason,
            problems=(f"model is {asked}: {reason}.",) if self.model and reason else (),
        )

    @property
    def selection(self) -> Selection:
        """Classes of entities and their attributes."""
        return selection_of(self.data, self.entity_attribute_selection)


class EntitiesInput:
    """Entities and prompts in RAVEL's form."""

    kind = "entities"
    key = ""

    def __init__(self, name: str, selection: Selection) -> None:
        self.name, self._selection = name, selection

    def status(self) -> list[Status]:
        """Return what is wrong with the files; they are read."""
        return data_status(self.name, self._selection)

    def fingerprint(self) -> str | None:
        """Return a hash of what they hold."""
        return data_fingerprint(self.name, self._selection)


_PUBLISHED: dict[str, Any] = {
    "data": HUB,
    "entity_attribute_selection": {name: list(of) for name, of in SAE_BENCH_SELECTION.items()},
    "top_n_entities": 500,
    "num_pairs_per_attribute": 5000,
    "train_test_split": 0.7,
    "learning_rate": 1e-3,
    "num_epochs": 2,
    "n_generated_tokens": 6,
    "random_seed": 42,
}


@register_eval(
    "ravel",
    config=RavelConfig,
    metrics=METRICS,
    headline=(
        "corrected.disentanglement_score",
        "corrected.cause_score",
        "corrected.isolation_score",
    ),
    form=None,
    presets={
        "quick": Preset(
            settings={"num_pairs_per_attribute": 128, "llm_batch_size": 16},
            about="128 pairs that change an attribute and 128 that must not, in place of 5000.",
        ),
        "published": Preset(
            settings=_PUBLISHED,
            about="SAE-Bench's defaults; no published result's eval_config could be seen offline.",
            unverified=tuple(_PUBLISHED),
            cost=Cost(setup_minutes=45, minutes=45),
        ),
    },
)
def ravel(ctx: EvalContext, cfg: RavelConfig) -> EvalResult:
    """SAE-Bench's RAVEL eval: whether latents change one attribute of an entity and no other.

    What it measures: for each attribute a mask of latents is trained, whose codes are taken from
    another entity's prompt. Cause: the attribute becomes the other entity's. Isolation: other
    attributes stay. The score is the mean of both, 0 to 1; what changes nothing has .5. Huang et
    al. 2024, arXiv:2402.17700; Karvonen et al. 2025, SAE-Bench, arXiv:2503.09532.

    Data: entities with at least two attributes and prompts for each, in RAVEL's four files a class.
    Only prompts that the model answers right are used. Shipped are 68 cities with country,
    continent and language; the bundled model knows one fact of each of its things, so that the
    eval is skipped on it. With fewer known entities than `min_entities`, or fewer pairs than a
    batch, there is a result without a score: corrected values are null with the counts, SAE-Bench's
    own fields have its mark -1.

    Cost: an answer of `n_generated_tokens` to every prompt, once for a model; for each SAE and
    attribute a forward and a backward pass for each pair and epoch, and an answer for each tested
    pair.

    When not to trust it: on models that know few of the entities, whose pairs are of a handful; the
    intervals are over entities and say so. SAE-Bench counts a pair whose two answers begin with the
    same token as one of isolation, leaves out the pairs that do not fill a batch, and puts the
    SAE's whole reconstruction in place, so that its error counts too. `corrected` has the pairs as
    they were drawn.
    """
    from csae_bench import models
    from csae_bench.engines.ravel.data import open_tables
    from csae_bench.engines.ravel.results import corrected, table
    from csae_bench.models.loading import load_published
    from csae_bench.upstream.ravel import RavelSettings, ravel_config, run_ravel

    own = {"model", "data", "min_entities", "n_resamples", "entity_attribute_selection"}
    hooked = ctx.model()
    dtype = str(hooked.cfg.dtype).removeprefix("torch.")
    fingerprint = ctx.model_fingerprint or models.weights_fingerprint(ctx.model_name)
    model = ctx.shared.get_or_make(
        ("published model", ctx.model_name, fingerprint, ctx.device, dtype),
        lambda: load_published(ctx.model_name, device=ctx.device, dtype=dtype),
    )
    settings = RavelSettings(
        config=ravel_config(
            model_name=ctx.model_true_name or models.describe(ctx.model_name).name,
            llm_dtype=dtype,
            entity_attribute_selection={name: list(of) for name, of in cfg.selection.items()},
            **cfg.model_dump(exclude=own),
        ),
        model_fingerprint=fingerprint,
        hook_name=ctx.hook_name,
        min_entities=cfg.min_entities,
        device=ctx.device,
    )
    tables = open_tables(cfg.data, cfg.selection)
    outcome = run_ravel(ctx.sae, hooked, model, tables, settings, ctx.cache, ctx.shared)
    right, reasons = corrected(
        outcome.pairs,
        undefined=outcome.undefined,
        n_resamples=cfg.n_resamples,
        seed=cfg.random_seed,
    )
    counts = {
        "n_entities": sum(max(k.entities_by_attribute.values()) for k in outcome.known),
        "n_prompts": sum(known.n_prompts for known in outcome.known),
        "n_pairs": len(outcome.pairs),
        "n_pairs_dropped": outcome.n_pairs_dropped,
    }
    undefined = {name: "nan" for name, value in outcome.scores.items() if math.isnan(value)}
    return EvalResult(
        metrics={"ravel": {n: -1.0 if n in undefined else v for n, v in outcome.scores.items()}},
        eval_config=outcome.eval_config,
        unstructured={
            **outcome.by_class,
            "corrected": {**right, **counts},
            "reasons": {f"corrected.{name}": why for name, why in reasons.items()},
            "upstream_undefined": undefined,
            "pairs": table(outcome.pairs),
            "known": [vars(known) for known in outcome.known],
            "data": {"name": cfg.data, "tables": {t.entity: t.fingerprint[:16] for t in tables}},
            "warnings": outcome.warnings,
        },
    )
