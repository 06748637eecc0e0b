"""SAE-Bench's core eval on an SAE, a model and a dataset that are objects.

SAE-Bench's own `multiple_evals` takes names only and loads by itself; this calls the functions it
is made of in its order, and equals it bit for bit on the same data.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, cast

from datasets import IterableDataset
from sae_bench.evals.core import main as core_main
from sae_bench.evals.core.eval_config import CoreEvalConfig
from sae_bench.sae_bench_utils import general_utils
from sae_lens import SAE
from transformer_lens import HookedTransformer

from csae_bench.activations.shared import SharedPasses
from csae_bench.errors import ConfigError, DataError, EvalError, ModelError, SaeError
from csae_bench.saes import attributes
from csae_bench.saes.attributes import AnySae
from csae_bench.upstream.adapting import formatted_copy
from csae_bench.upstream.corrected import (
    CorrectedValues,
    activation_values,
    alive_values,
    reconstruction_values,
)
from csae_bench.upstream.instrumentation import DataUse, ObservedStore, Observer
from csae_bench.upstream.isolation import isolated
from csae_bench.upstream.split_model import SplitModel

SHUFFLE_SEED = 42
"""SAE-Bench's."""

_MODEL_WIDE = ("resid_pre", "resid_mid", "resid_post", "attn_out", "mlp_out")

Metrics = dict[str, dict[str, float | int]]


@dataclass(frozen=True, kw_only=True)
class CoreSettings:
    """Settings of SAE-Bench's core eval."""

    dataset_name: str
    """The dataset's true name, for the record."""
    model_name: str
    """The model's true name, for the record."""
    hook_name: str
    context_size: int
    batch_size_prompts: int
    n_eval_reconstruction_batches: int
    n_eval_sparsity_variance_batches: int
    exclude_special_tokens_from_reconstruction: bool = True
    progress: bool = False


@dataclass(frozen=True, kw_only=True)
class CoreOutcome:
    """SAE-Bench's core values, untouched, and the corrected ones."""

    metrics: Metrics
    """Metrics as SAE-Bench writes them: -1 where a value is NaN, and here also where infinite."""
    details: list[dict[str, Any]]
    """One dict of SAE-Bench's CoreFeatureMetric per latent."""
    eval_config: dict[str, Any]
    """SAE-Bench's CoreEvalConfig."""
    corrected: CorrectedValues
    upstream_undefined: dict[str, str]
    """Metrics whose -1 stands for an undefined value: name -> `nan`, `inf` or `-inf`."""
    data: DataUse
    warnings: list[str]


def run_core(
    sae: AnySae,
    model: HookedTransformer,
    dataset: IterableDataset | str,
    settings: CoreSettings,
    shared: SharedPasses | None = None,
) -> CoreOutcome:
    """Evaluate `sae`, which is not changed, at the model's dtype and on the model's device.

    Args:
        dataset: has a column `text`, `tokens` or `input_ids`; a name is loaded as SAE-Bench does.
        shared: holds the passes that no SAE takes part in, for other SAEs on the same hook.

    Raises:
        ModelError: the tokenizer lacks a special token.
        SaeError: the model has no such hook, or one of another width, or the SAE has no W_enc.
        ConfigError: the context is longer than the model's.
        DataError: the dataset holds not a single sequence.
    """
    ignore_tokens = special_tokens(model, settings.model_name)
    _check(sae, model, settings)
    config = _core_eval_config(model, settings)
    split = SplitModel(model, settings.hook_name, shared or SharedPasses())
    observer = Observer(ignore_tokens, split)
    with isolated() as warnings:
        own_sae = formatted_copy(sae, model, settings.model_name, settings.hook_name)
        store = _open_store(split, own_sae, dataset, settings)
        store.observer = observer
        observer.watch_sae(own_sae)
        try:
            scalars, features = _run_evals(
                own_sae, store, observer.watched_model(), config, ignore_tokens, settings
            )
        except ZeroDivisionError as error:
            raise _without_effect(observer, config, settings.hook_name) from error
        scalars["misc_metrics"] = core_main.calculate_misc_metrics(features)
        undefined = _undefined(scalars)
        features = core_main.replace_nans_with_negative_one(features)
        details = core_main.convert_feature_metrics(features)
    sums = observer.sums(
        settings.n_eval_reconstruction_batches, settings.n_eval_sparsity_variance_batches
    )
    data = observer.data_use()
    return CoreOutcome(
        metrics=_finite(core_main.replace_nans_with_negative_one(scalars)),
        details=[_finite(asdict(latent)) for latent in details],
        eval_config=asdict(config),
        corrected=_joined(
            reconstruction_values(sums.logits),
            activation_values(sums.activations),
            alive_values(sums.activations),
        ),
        upstream_undefined=undefined,
        data=data,
        warnings=[*warnings, *_data_warnings(data, settings.dataset_name)],
    )


def _run_evals(
    sae: SAE[Any],
    store: ObservedStore,
    model: Any,
    config: CoreEvalConfig,
    ignore_tokens: set[int],
    settings: CoreSettings,
) -> tuple[Any, Any]:
    """Run SAE-Bench's function; return its metrics, and those of single latents."""
    try:
        return core_main.run_evals(
            sae=sae,
            activation_store=store,
            model=model,
            eval_config=config,
            ignore_tokens=cast(set[int | None], ignore_tokens),
            verbose=settings.progress,
        )
    except StopIteration:
        raise DataError(
            f"{settings.dataset_name} holds not one sequence of {settings.context_size} tokens."
        ) from None


def _without_effect(observer: Observer, config: CoreEvalConfig, hook_name: str) -> EvalError:
    """Return what SAE-Bench's division by zero means: it is made by what ablation changes."""
    clean, ablated = observer.cross_entropies()
    half = config.llm_dtype != "float32"
    return EvalError(
        f"core: SAE-Bench divides by what it costs to set {hook_name} to zero, which is 0 in "
        f"{config.llm_dtype}: cross-entropy is {clean:.6g} as it is and {ablated:.6g} so ablated. "
        + ("Set model_dtype=float32, where less is rounded away, or n" if half else "N")
        + "ame a hook that the language model uses."
    )


def special_tokens(model: HookedTransformer, model_name: str) -> set[int]:
    """Return the ids that core leaves out: padding, end and beginning of sequence.

    Raises:
        ModelError: one of them has no id; SAE-Bench would die of it with a TypeError.
    """
    ids: dict[str, int | None] = {
        name: getattr(model.tokenizer, f"{name}_token_id", None) for name in ("pad", "eos", "bos")
    }
    missing = [name for name, token_id in ids.items() if token_id is None]
    if missing:
        raise ModelError(
            f"{model_name}: its tokenizer has no {', '.join(missing)} token; SAE-Bench's core eval "
            "needs all of pad, eos and bos. Set tokenizer.pad_token and its like, for example to "
            "the eos token."
        )
    return {token_id for token_id in ids.values() if token_id is not None}


def _check(sae: AnySae, model: HookedTransformer, settings: CoreSettings) -> None:
    attributes.check_sae(sae)
    # both featurewise flags must be on, and one of them compares encoders
    attributes.matrix(sae, "W_enc", needed_by="SAE-Bench's core eval")
    if settings.hook_name not in model.hook_dict:
        raise SaeError(
            f"The SAE's hook_name is '{settings.hook_name}', which {settings.model_name} does not "
            f"have; its last residual stream is blocks.{model.cfg.n_layers - 1}.hook_resid_post."
        )
    if settings.hook_name.endswith(_MODEL_WIDE) and attributes.d_in(sae) != model.cfg.d_model:
        raise SaeError(
            f"The SAE's d_in is {attributes.d_in(sae)}; {settings.hook_name} of "
            f"{settings.model_name} is {model.cfg.d_model} wide."
        )
    if settings.context_size > model.cfg.n_ctx:
        raise ConfigError(
            [
                f"evals.core.context_size is {settings.context_size}; it must be at most "
                f"{model.cfg.n_ctx}, the context of {settings.model_name}."
            ]
        )


def _core_eval_config(model: HookedTransformer, settings: CoreSettings) -> CoreEvalConfig:
    return CoreEvalConfig(
        model_name=settings.model_name,
        llm_dtype=general_utils.dtype_to_str(model.cfg.dtype),
        batch_size_prompts=settings.batch_size_prompts,
        n_eval_reconstruction_batches=settings.n_eval_reconstruction_batches,
        n_eval_sparsity_variance_batches=settings.n_eval_sparsity_variance_batches,
        dataset=settings.dataset_name,
        context_size=settings.context_size,
        compute_kl=True,
        compute_ce_loss=True,
        compute_l2_norms=True,
        compute_sparsity_metrics=True,
        compute_variance_metrics=True,
        # Both: with one alone SAE-Bench fails on the details, and says nothing.
        compute_featurewise_density_statistics=True,
        compute_featurewise_weight_based_metrics=True,
        exclude_special_tokens_from_reconstruction=settings.exclude_special_tokens_from_reconstruction,
    )


def _open_store(
    model: SplitModel,
    sae: SAE[Any],
    dataset: IterableDataset | str,
    settings: CoreSettings,
) -> ObservedStore:
    try:
        store = cast(
            ObservedStore,
            ObservedStore.from_sae(
                cast(HookedTransformer, model),
                sae,
                context_size=settings.context_size,
                dataset=dataset,
                dataset_trust_remote_code=True,  # as SAE-Bench's multiple_evals asks for it
            ),
        )
    except StopIteration:
        raise DataError(f"{settings.dataset_name} is empty.") from None
    store.shuffle_input_dataset(seed=SHUFFLE_SEED)
    return store


def _undefined(scalars: Metrics) -> dict[str, str]:
    """Name -> `nan`, `inf` or `-inf`, for what is none of the finite numbers."""
    return {
        name: str(value)
        for category in scalars.values()
        for name, value in category.items()
        if not math.isfinite(value)
    }


def _joined(*parts: CorrectedValues) -> CorrectedValues:
    joined = CorrectedValues({}, {})
    for part in parts:
        joined.values.update(part.values)
        joined.reasons.update(part.reasons)
    return joined


def _finite(value: Any) -> Any:
    """Return `value` with infinities as -1, SAE-Bench's mark of a missing value: JSON has none."""
    if isinstance(value, Mapping):
        return {name: _finite(inner) for name, inner in value.items()}
    return -1 if isinstance(value, float) and math.isinf(value) else value


def _data_warnings(data: DataUse, dataset_name: str) -> list[str]:
    if data["n_epochs"] <= 1:
        return []
    return [
        f"{dataset_name} was too small and was begun {data['n_epochs']} times: "
        f"{data['n_distinct_sequences']} of the {data['n_sequences']} sequences are distinct."
    ]
