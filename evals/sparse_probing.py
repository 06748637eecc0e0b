"""SAE-Bench's sparse_probing: how well do a few latents tell classes of text?"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

from pydantic import Field

from csae_bench.config.base import Count
from csae_bench.engines.classes.drawing import Sizes, chosen_sizes
from csae_bench.engines.classes.inputs import ClassesInput
from csae_bench.engines.classes.names import AUTO, HUB, SPARSE_PROBING_HUB, chosen_datasets
from csae_bench.engines.sparse_probing.fields import METRICS, K
from csae_bench.evals import Cost, EvalConfig, EvalContext, EvalResult, Preset, register_eval
from csae_bench.evals.inputs import Needs

if TYPE_CHECKING:
    from csae_bench.upstream.sparse_probing import SparseProbingOutcome, SparseProbingSettings

SUITED = {
    "tinyworld": ("tinyworld:topic", "tinyworld:sentiment", "tinyworld:tense"),
    "english": ("ag_news", "english:topic", "english:sentiment"),
}
"""What `auto` stands for, with the bundled model and with any other."""


class SparseProbingConfig(EvalConfig):
    """Settings of the eval, named as in SAE-Bench."""

    dataset_names: Annotated[tuple[str, ...], Field(min_length=1)] = (AUTO,)
    """Datasets of text classes: a factor of a factor dataset (`english:topic`), a .csv or .jsonl
    file with the columns `text` and `label` (`texts.csv`, or `texts.csv:column`), `ag_news`,
    `amazon_reviews` or `sae_probes:NAME` of what sae-probes ships, SAE-Bench's own by their names
    on the hub, `sae_bench` for all eight of them; `auto`: what suits the model and is here."""

    probe_train_set_size: Annotated[int, Field(ge=40)] | None = None
    """Texts that a probe is trained on, half of them of its class; none: SAE-Bench's 4000, or as
    many as all datasets have."""

    probe_test_set_size: Annotated[int, Field(ge=20)] | None = None
    """Texts that it is tested on; none: SAE-Bench's 1000, or as many as all datasets have."""

    context_length: Annotated[int, Field(ge=2)] = 128
    """Tokens of a text that are read, its first."""

    k_values: Annotated[tuple[K, ...], Field(min_length=1)] = (1, 2, 5)
    """Numbers of latents, and of channels of the model, to probe on."""

    sae_batch_size: Count = 125
    """Texts that the SAE encodes at once."""

    llm_batch_size: Count = 32
    """Texts in a forward pass."""

    lower_vram_usage: bool = False
    """Keep the model off the GPU while the SAE is there; no probe on all latents then."""

    random_seed: Annotated[int, Field(ge=0, lt=2**31)] = 42
    """Seed of texts, rows and probes."""

    n_resamples: Annotated[int, Field(ge=1000)] = 1000
    """Number of resamples of the test texts, for the 95% intervals."""

    def needs(self, model: str | None) -> Needs:
        """Return the datasets."""
        asked = self.model or model
        if asked is None:
            return Needs()
        names = self.datasets(asked)
        sizes = self.sizes(names)
        return Needs(
            inputs=tuple(
                ClassesInput(name=name, sizes=sizes, seed=self.random_seed) for name in names
            ),
            batch_size=self.llm_batch_size,
            prompt_tokens=self.context_length,
            n_logits=0,
        )

    def datasets(self, model: str) -> tuple[str, ...]:
        """Return the names of the datasets, `auto` and `sae_bench` resolved."""
        return chosen_datasets(
            self.dataset_names, model=model, suited=SUITED, on_hub=SPARSE_PROBING_HUB
        )

    def sizes(self, names: tuple[str, ...]) -> Sizes:
        """Return how many texts a probe has of each of these datasets."""
        return chosen_sizes(names, self.probe_train_set_size, self.probe_test_set_size)


@register_eval(
    "sparse_probing",
    config=SparseProbingConfig,
    metrics=METRICS,
    headline=(
        "corrected.sae_top_1_test_accuracy",
        "corrected.sae_top_5_test_accuracy",
        "corrected.sae_test_accuracy",
        "corrected.llm_test_accuracy",
    ),
    form=None,
    presets={
        "quick": Preset(
            settings={"probe_train_set_size": 400, "probe_test_set_size": 200},
            about="400 texts to train a probe and 200 to test it, a tenth and a fifth of them all.",
        ),
        "published": Preset(
            settings={
                "dataset_names": [HUB],
                "probe_train_set_size": 4000,
                "probe_test_set_size": 1000,
                "context_length": 128,
                "k_values": [1, 2, 5],
                "sae_batch_size": 125,
                "llm_batch_size": 32,
                "lower_vram_usage": False,
                "random_seed": 42,
            },
            about="SAE-Bench's defaults, and its batch for Gemma-2-2B.",
            unverified=(
                "dataset_names", "probe_train_set_size", "probe_test_set_size", "context_length",
                "k_values", "sae_batch_size", "llm_batch_size", "lower_vram_usage", "random_seed",
            ),
            cost=Cost(setup_minutes=15, minutes=3),
        ),
    },
)  # fmt: skip
def sparse_probing(ctx: EvalContext, cfg: SparseProbingConfig) -> EvalResult:
    """SAE-Bench's sparse_probing: probes on few latents, on all, and on the model's activations.

    What it measures: for each class of text, a logistic regression on the k latents whose mean
    codes differ most between the class and the others, tested on texts that it has not seen
    (Gurnee et al. 2023, arXiv:2305.01610; Karvonen et al. 2025, arXiv:2503.09532). Codes and
    activations are means over a text's tokens. 0.5 is chance; the probe on the model's activations
    is what can be reached, and the one on k of its channels is what an SAE has to beat.
    `corrected.*` are on the same texts for every SAE, with intervals from resampling test texts;
    SAE-Bench keeps the epoch of a dense probe that is best on the test texts.

    Data: texts that are here: with the bundled model factors of its world, with any other model
    AG News and factors of the English sentences; your own file with `text` and `label`; SAE-Bench's
    eight datasets where there is a network.

    Cost: the model reads each text once for all SAEs of a session, up to its last word and not
    to the end of the context. Activations that do not fit into 4 GiB are read again for each SAE.

    When not to trust it: where any latent tells the classes, and all accuracies are 1. The interval
    is of the test texts alone: other texts to train on move the score as well, which `--eval-seeds`
    shows. Probes on activations describe the model, not the SAE.
    """
    from csae_bench.engines.classes.drawing import draw_classes
    from csae_bench.engines.classes.names import dataset_name
    from csae_bench.engines.sparse_probing import reporting
    from csae_bench.upstream.isolation import halving_batch
    from csae_bench.upstream.sparse_probing import run_sparse_probing

    names = cfg.datasets(ctx.model_name)
    sizes = cfg.sizes(names)
    texts = {
        name: draw_classes(name, sizes, cfg.random_seed)
        for name in names
        if dataset_name(name).kind != "hub"
    }

    def run(batch_size: int) -> SparseProbingOutcome:
        settings = _settings(ctx, cfg, names, sizes, batch_size)
        return run_sparse_probing(ctx.sae, ctx.model(), texts, settings, ctx.shared)

    halved = halving_batch(run, cfg.llm_batch_size)
    outcome = halved.result
    values, reasons = reporting.corrected(
        outcome.corrected, n_resamples=cfg.n_resamples, seed=cfg.random_seed
    )
    return EvalResult(
        metrics=outcome.metrics,
        details=[{"dataset_name": name, **of} for name, of in outcome.by_dataset.items()],
        eval_config=outcome.eval_config,
        unstructured={
            **outcome.by_class,
            "corrected": values,
            "corrected_by_class": reporting.by_class(outcome.corrected),
            "reasons": {**reporting.not_asked_for(outcome.metrics), **reasons},
            "notes": [reporting.LOWER_VRAM_MARK] if cfg.lower_vram_usage else [],
            "data": {"datasets": list(names)},
            "batch_halvings": halved.halvings,
            "warnings": outcome.warnings,
        },
    )


def _settings(
    ctx: EvalContext,
    cfg: SparseProbingConfig,
    names: tuple[str, ...],
    sizes: Sizes,
    batch_size: int,
) -> SparseProbingSettings:
    from csae_bench import models
    from csae_bench.upstream.sparse_probing import SparseProbingSettings

    return SparseProbingSettings(
        model_name=ctx.model_true_name or models.describe(ctx.model_name).name,
        hook_name=ctx.hook_name,
        dataset_names=names,
        probe_train_set_size=sizes.train,
        probe_test_set_size=sizes.test,
        context_length=cfg.context_length,
        sae_batch_size=cfg.sae_batch_size,
        llm_batch_size=batch_size,
        k_values=cfg.k_values,
        lower_vram_usage=cfg.lower_vram_usage,
        random_seed=cfg.random_seed,
    )
