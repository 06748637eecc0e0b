"""Settings that tpp and scr share, named as in SAE-Bench."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import Field

from csae_bench.config.base import Count
from csae_bench.engines.classes.drawing import Sizes, chosen_sizes
from csae_bench.engines.classes.inputs import ClassesInput
from csae_bench.engines.classes.names import HUB, SCR_AND_TPP_HUB, chosen_datasets
from csae_bench.engines.perturbation.fields import NS, N
from csae_bench.evals import Cost, EvalConfig, Preset
from csae_bench.evals.inputs import Needs

if TYPE_CHECKING:
    from csae_bench.evals import EvalContext


@dataclass(frozen=True, kw_only=True)
class PerturbationSettings:
    """Arguments of SAE-Bench's scr and tpp, by its own names."""

    eval_name: Literal["scr", "tpp"]
    model_name: str
    """The model's true name, for the record."""
    hook_name: str
    dataset_names: tuple[str, ...]
    train_set_size: int
    test_set_size: int
    context_length: int
    probe_train_batch_size: int
    probe_epochs: int
    probe_lr: float
    probe_l1_penalty: float
    early_stopping_patience: int
    sae_batch_size: int
    llm_batch_size: int
    n_values: tuple[int, ...]
    lower_vram_usage: bool
    random_seed: int
    n_control: int = 0
    """Draws of random latents, for scr."""

    @property
    def performs_scr(self) -> bool:
        """Whether this is scr."""
        return self.eval_name == "scr"


class PerturbationConfig(EvalConfig):
    """Settings of tpp and scr but for their datasets."""

    train_set_size: Annotated[int, Field(ge=40)] | None = None
    """Texts that a probe is trained on, half of them of its class; none: SAE-Bench's 4000, or as
    many as all datasets have."""

    test_set_size: Annotated[int, Field(ge=20)] | None = None
    """Texts that it is tested on; none: SAE-Bench's 1000, or as many as all datasets have."""

    context_length: Annotated[int, Field(ge=2)] = 128
    """Tokens of a text that are read, its first."""

    n_values: Annotated[tuple[N, ...], Field(min_length=1)] | None = None
    """Numbers of latents to ablate; none: SAE-Bench's 2, 5, 10, 20, 50, 100 and 500, as far as the
    SAE has so many."""

    probe_train_batch_size: Count = 16
    """Texts in a step of a probe; SAE-Bench's paper says how much of a correlation is learned with
    it (arXiv:2503.09532)."""

    probe_epochs: Count = 20
    """Passes of a probe over its training texts."""

    probe_lr: Annotated[float, Field(gt=0)] = 1e-3
    """Learning rate of probes."""

    probe_l1_penalty: Annotated[float, Field(ge=0)] = 1e-3
    """Weight of the l1 norm of a probe's weights in its loss."""

    early_stopping_patience: Count = 20
    """Epochs without a better accuracy after which a probe's training ends."""

    sae_batch_size: Count = 125
    """Texts that the SAE encodes at once."""

    llm_batch_size: Count = 32
    """Texts in a forward pass."""

    lower_vram_usage: bool = False
    """Keep the model off the GPU while the SAE is there."""

    random_seed: Annotated[int, Field(ge=0, lt=2**31)] = 42
    """Seed of texts, rows and probes."""

    n_resamples: Annotated[int, Field(ge=1000)] = 1000
    """Number of resamples of the test texts, for the 95% intervals."""

    def sizes(self, names: tuple[str, ...], *, has_two_labels: bool) -> Sizes:
        """Return how many texts a probe has of each of these datasets."""
        return chosen_sizes(
            names, self.train_set_size, self.test_set_size, has_two_labels=has_two_labels
        )

    def values_of_n(self, d_sae: int) -> tuple[int, ...]:
        """Return the numbers of latents to ablate in an SAE of this size."""
        return tuple(n for n in NS if n <= d_sae) if self.n_values is None else self.n_values


def needs_classes(
    cfg: PerturbationConfig, datasets: tuple[str, ...], *, has_two_labels: bool
) -> Needs:
    """Return the datasets as inputs."""
    sizes = cfg.sizes(datasets, has_two_labels=has_two_labels)
    return Needs(
        inputs=tuple(
            ClassesInput(
                name=name, sizes=sizes, seed=cfg.random_seed, has_two_labels=has_two_labels
            )
            for name in datasets
        ),
        batch_size=cfg.llm_batch_size,
        prompt_tokens=cfg.context_length,
        n_logits=0,
    )


def resolved(
    names: tuple[str, ...],
    model: str,
    suited: Mapping[str, tuple[str, ...]],
) -> tuple[str, ...]:
    """Return the names of the datasets, `auto` and `sae_bench` resolved."""
    return chosen_datasets(names, model=model, suited=suited, on_hub=SCR_AND_TPP_HUB)


def upstream_settings(
    eval_name: Literal["scr", "tpp"],
    ctx: EvalContext,
    cfg: PerturbationConfig,
    datasets: tuple[str, ...],
    sizes: Sizes,
    batch_size: int,
    n_control: int = 0,
) -> PerturbationSettings:
    """Return the settings as the fence around SAE-Bench takes them."""
    from csae_bench import models
    from csae_bench.saes import attributes

    return PerturbationSettings(
        eval_name=eval_name,
        model_name=ctx.model_true_name or models.describe(ctx.model_name).name,
        hook_name=ctx.hook_name,
        dataset_names=datasets,
        train_set_size=sizes.train,
        test_set_size=sizes.test,
        context_length=cfg.context_length,
        probe_train_batch_size=cfg.probe_train_batch_size,
        probe_epochs=cfg.probe_epochs,
        probe_lr=cfg.probe_lr,
        probe_l1_penalty=cfg.probe_l1_penalty,
        early_stopping_patience=cfg.early_stopping_patience,
        sae_batch_size=cfg.sae_batch_size,
        llm_batch_size=batch_size,
        n_values=cfg.values_of_n(attributes.d_sae(ctx.sae)),
        lower_vram_usage=cfg.lower_vram_usage,
        random_seed=cfg.random_seed,
        n_control=n_control,
    )


_PUBLISHED: dict[str, Any] = {
    "dataset_names": [HUB],
    "train_set_size": 4000,
    "test_set_size": 1000,
    "context_length": 128,
    "n_values": list(NS),
    "probe_train_batch_size": 16,
    "probe_epochs": 20,
    "probe_lr": 1e-3,
    "probe_l1_penalty": 1e-3,
    "early_stopping_patience": 20,
    "sae_batch_size": 125,
    "llm_batch_size": 32,
    "lower_vram_usage": False,
    "random_seed": 42,
}


def presets(cost: Cost, **quick: Any) -> dict[str, Preset]:
    """Return the presets of either eval."""
    return {
        "quick": Preset(
            settings={"train_set_size": 400, "test_set_size": 200, **quick},
            about="400 texts to train a probe and 200 to test it, a tenth and a fifth of them all.",
        ),
        "published": Preset(
            settings=_PUBLISHED,
            about="SAE-Bench's defaults, and its batch for Gemma-2-2B.",
            unverified=tuple(_PUBLISHED),
            cost=cost,
        ),
    }
