"""SAE-Bench's unlearning eval on an SAE, a model and data that are objects.

SAE-Bench's own runner skips it for SAEs that are objects, loads by name and keeps what it finished
under names. This calls the functions that it is made of, unmodified, in a folder of their own; only
the answers come from `csae_bench.engines.unlearning.engine`, which are SAE-Bench's, sooner.
"""

from __future__ import annotations

import tempfile
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from sae_bench.evals.unlearning.eval_config import UnlearningEvalConfig
from sae_bench.sae_bench_utils import general_utils
from transformer_lens import HookedTransformer

from csae_bench.activations.shared import SharedPasses
from csae_bench.engines.unlearning.cache import Cache
from csae_bench.engines.unlearning.chat import chat_problems
from csae_bench.engines.unlearning.data import SUBJECTS, UnlearningData
from csae_bench.engines.unlearning.engine import MEMORY_GIB
from csae_bench.engines.unlearning.known_questions import AskedModel, known_questions
from csae_bench.engines.unlearning.prompts import AskedPrompts
from csae_bench.engines.unlearning.sweep import Sweep
from csae_bench.errors import ConfigError, ModelError, SaeError
from csae_bench.saes import attributes
from csae_bench.saes.attributes import AnySae
from csae_bench.saes.hashing import loaded_hash
from csae_bench.support import progress
from csae_bench.upstream.adapting import formatted_copy
from csae_bench.upstream.provenance import versions
from csae_bench.upstream.unlearning_isolation import sae_bench_sees
from csae_bench.upstream.unlearning_run import METHOD, TARGET, UnlearningRun

_FORGOTTEN_BY_DECODING = ("layer_norm", "constant_norm_rescale")

ENGINE_VERSION = 2
"""Raised by a change of this package after which a finished part may differ."""


@dataclass(frozen=True, kw_only=True)
class UnlearningSettings:
    """Settings of SAE-Bench's unlearning eval."""

    model_name: str
    """The model's true name, for the record."""
    model_fingerprint: str
    """Hash that changes when the model's weights do."""
    hook_name: str
    retain_thresholds: tuple[float, ...]
    n_features_list: tuple[int, ...]
    multipliers: tuple[int, ...]
    dataset_size: int
    """Sequences of each kind of text, at most."""
    seq_len: int
    """Tokens in a sequence."""
    batch_size: int
    """Sequences in a forward pass."""
    random_seed: int = 42
    n_control: int = 0
    """Number of draws of random latents."""
    asks_all: bool = False
    """Ask the model all questions, even where the package knows which ones it answers right."""
    progress: bool = False


@dataclass(frozen=True, kw_only=True, eq=False)
class UnlearningOutcome:
    """SAE-Bench's score, untouched, and what it was made of."""

    unlearning_score: float
    """Share of the questions to forget that are answered wrong under the best setting that keeps
    99% of all others right; SAE-Bench's, 0 where no setting does."""
    sweep: Sweep
    controls: list[Sweep]
    """The same settings with random latents in place of those chosen, one sweep a draw; empty
    where that makes no sense, see `control_reason`."""
    control_reason: str | None
    n_alive: int
    """Latents that fire on either text: the random ones are among these."""
    eval_config: dict[str, Any]
    """SAE-Bench's UnlearningEvalConfig."""
    warnings: list[str] = field(default_factory=list[str])


def run_unlearning(
    sae: AnySae,
    model: HookedTransformer,
    data: UnlearningData,
    settings: UnlearningSettings,
    cache: Path | None = None,
    shared: SharedPasses | None = None,
) -> UnlearningOutcome:
    """Evaluate `sae`, which is not changed, at the model's dtype and on the model's device.

    Args:
        cache: a folder in which finished parts are kept by content. What belongs to this SAE alone
            is removed from it at the end; which questions the model can answer stays, for the next
            SAE.
        shared: holds what the model answers without a clamp, for other SAEs on the same hook.

    Raises:
        ModelError: the tokenizer cannot be asked SAE-Bench's questions.
        SaeError: the model has no such hook, or one of another width, or the SAE scales by the
            norm of its input.
        ConfigError: the sequences are longer than the model's context.
        DataError: a text does not fill one sequence, or a question does not fit the context.
        EvalError: of a subject no question is answered right in every order.
    """
    _check(sae, model, settings)
    config = sae_bench_config(model, settings)
    of_model, of_sae = _caches(sae, model, data, settings, cache)
    asked = (shared or SharedPasses()).get_or_make(
        ("asked prompts", id(model), settings.hook_name, settings.batch_size),
        lambda: AskedPrompts(MEMORY_GIB),
    )
    asked_model = AskedModel(
        settings.model_fingerprint, str(model.cfg.dtype), data.questions_digest
    )
    with (
        tempfile.TemporaryDirectory(prefix="csae-bench-") as folder,
        sae_bench_sees(
            model, data, seed=settings.random_seed, progress=settings.progress
        ) as warnings,
    ):
        run = UnlearningRun(
            model=model,
            sae=formatted_copy(sae, model, settings.model_name, settings.hook_name),
            model_name=settings.model_name,
            config=config,
            folder=Path(folder),
            of_model=of_model,
            of_sae=of_sae,
            known_questions=None if settings.asks_all else known_questions(asked_model),
            asked=asked,
            shared=shared or SharedPasses(),
            progress=settings.progress,
        )
        measured = _measured(run, data, settings, warnings)
    run.engine.forget_codes()
    of_sae.remove()
    return measured


def _measured(
    run: UnlearningRun, data: UnlearningData, settings: UnlearningSettings, warnings: list[str]
) -> UnlearningOutcome:
    """Return the sweep, and the same with random latents.

    Args:
        warnings: more are added to it while SAE-Bench's functions run.
    """
    # the questions, the sweep, and each sweep of random latents: of about the same length
    n_parts = 2 + settings.n_control
    with run.fast_answers(), progress.counted("evaluating unlearning", n_parts) as counter:
        run.find_questions(data)
        counter.advance()
        sparsities = run.find_sparsities()
        score, sweep = run.run_sweep()
        counter.advance()
        alive = np.flatnonzero((sparsities["forget"] > 0) | (sparsities["retain"] > 0))
        reason = _no_control(sweep, len(alive), settings)
        rng = np.random.default_rng(settings.random_seed)
        n_draws = 0 if reason else settings.n_control
        controls: list[Sweep] = []
        for _ in range(n_draws):
            controls.append(run.run_control(sweep, alive, rng))
            counter.advance()
    return UnlearningOutcome(
        unlearning_score=score,
        sweep=sweep,
        controls=controls,
        control_reason=reason,
        n_alive=len(alive),
        eval_config=asdict(run.config),
        warnings=warnings,
    )


def _caches(
    sae: AnySae,
    model: HookedTransformer,
    data: UnlearningData,
    settings: UnlearningSettings,
    folder: Path | None,
) -> tuple[Cache, Cache]:
    """Return caches for what depends on the model alone, and for what depends on the SAE."""
    of_model = {
        "model": settings.model_fingerprint,
        "dtype": str(model.cfg.dtype),
        "device": str(model.cfg.device),
        "questions": data.questions_digest,
        "batch_size": settings.batch_size,
        "engine": ENGINE_VERSION,
        "versions": versions(),
    }
    of_sae = {
        **of_model,
        "sae": loaded_hash(sae),
        "hook_name": settings.hook_name,
        "texts": data.texts_digest,
        "dataset_size": settings.dataset_size,
        "seq_len": settings.seq_len,
        "seed": settings.random_seed,
    }
    root = Cache(folder)
    return root.part("model", of_model), root.part("sae", of_sae)


def _no_control(sweep: Sweep, n_alive: int, settings: UnlearningSettings) -> str | None:
    """Return why there is no control, or None."""
    most = max(setting.n_features for setting in sweep.settings)
    if settings.n_control == 0:
        return "n_control is 0"
    if most == 0:
        return "no latent is clamped: none fires on the forget text and rarely on the retain text"
    if n_alive < most:
        return f"there are {n_alive} latents that fire, fewer than the {most} that are clamped"
    return None


def sae_bench_config(
    model: HookedTransformer, settings: UnlearningSettings
) -> UnlearningEvalConfig:
    """Return SAE-Bench's own config of these settings."""
    return UnlearningEvalConfig(
        random_seed=settings.random_seed,
        dataset_names=list(SUBJECTS),
        intervention_method=METHOD,
        retain_thresholds=list(settings.retain_thresholds),
        n_features_list=list(settings.n_features_list),
        multipliers=list(settings.multipliers),
        dataset_size=settings.dataset_size,
        seq_len=settings.seq_len,
        target_metric=TARGET,
        model_name=settings.model_name,
        llm_batch_size=settings.batch_size,
        llm_dtype=general_utils.dtype_to_str(model.cfg.dtype),
    )


def _check(sae: AnySae, model: HookedTransformer, settings: UnlearningSettings) -> None:
    name = settings.model_name

    def encode(text: str) -> list[int]:
        return model.to_tokens(text, prepend_bos=False, move_to_device=False)[0].tolist()

    problems = chat_problems(encode, name)
    if problems:
        raise ModelError("\n".join(problems))
    if settings.hook_name not in model.hook_dict:
        raise SaeError(
            f"The SAE's hook_name is '{settings.hook_name}', which {name} does not have; its last "
            f"residual stream is blocks.{model.cfg.n_layers - 1}.hook_resid_post."
        )
    if "hook_z" not in settings.hook_name and attributes.d_in(sae) != model.cfg.d_model:
        raise SaeError(
            f"The SAE's d_in is {attributes.d_in(sae)}; {settings.hook_name} of {name} is "
            f"{model.cfg.d_model} wide."
        )
    normalization = attributes.normalize_activations(sae)
    if normalization in _FORGOTTEN_BY_DECODING:
        raise SaeError(
            f"The SAE's normalize_activations is '{normalization}'; SAELens "
            "forgets the norms of its input once it has decoded, and SAE-Bench's intervention "
            "decodes twice. Such an SAE has no unlearning score."
        )
    if settings.seq_len > model.cfg.n_ctx:
        raise ConfigError(
            [
                f"evals.unlearning.seq_len is {settings.seq_len}; it must be at most "
                f"{model.cfg.n_ctx}, the context of {name}."
            ]
        )
