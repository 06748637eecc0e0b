"""SAE-Bench's autointerp eval on an SAE, a model, a text and a judge that are objects.

Its `run_eval_single_sae` runs untouched, in a folder of its own that holds the tokens already.
Never handed to it is an SAE's sparsity: that of SAELens is a base-10 logarithm, and SAE-Bench
compares it as a frequency, so that every latent looks dead; and it changes the tensor in place.
"""

from __future__ import annotations

import asyncio
import contextlib
import io
import math
import tempfile
from collections.abc import Generator, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import torch
from jaxtyping import Float, Int
from sae_bench.evals.autointerp import main
from sae_bench.evals.autointerp.eval_config import AutoInterpEvalConfig
from sae_bench.sae_bench_utils import activation_collection
from torch import Tensor
from transformer_lens import HookedTransformer

from csae_bench.activations.shared import GIB, SharedPasses
from csae_bench.engines.autointerp.judges import Judge
from csae_bench.errors import EvalError, SaeError
from csae_bench.saes import attributes
from csae_bench.saes.attributes import AnySae
from csae_bench.support import progress
from csae_bench.support.printable import shortened
from csae_bench.upstream.adapting import formatted_copy
from csae_bench.upstream.autointerp_run import (
    LatentExamples,
    Observed,
    observed_class,
    outside_a_loop,
)
from csae_bench.upstream.autointerp_text import AutoInterpSettings, sae_bench_config
from csae_bench.upstream.isolation import isolated, without_shape_checks
from csae_bench.upstream.split_model import remembering
from csae_bench.upstream.unlearning_isolation import no_bar, replaced, seeded

UNDEFINED = -1.0
"""SAE-Bench's stand-in for a NaN."""
CALLS_OF_A_LATENT = 2
_MAX_SHOWN = 80


@dataclass(frozen=True, kw_only=True)
class LatentOutcome:
    """SAE-Bench's result of one latent."""

    latent: int
    explanation: str
    predictions: tuple[int, ...]
    """Numbers, from 1, of the examples in which the judge says that it fires."""
    score: float
    """Share of the examples that it is right about, by SAE-Bench's labels."""
    examples: LatentExamples


@dataclass(frozen=True, kw_only=True)
class AutoInterpOutcome:
    """SAE-Bench's score, untouched, and what it was made of."""

    metrics: dict[str, dict[str, float]]
    latents: tuple[LatentOutcome, ...]
    """In the order of their numbers."""
    n_drawn: int
    """Latents that SAE-Bench drew."""
    n_without_examples: int
    """Of these, latents that fire too rarely to be judged."""
    unparsed: tuple[str, ...]
    """Answers that could not be parsed; each cost a latent."""
    negative_share: float
    """Share of the codes that are not 0 that are negative; SAE-Bench takes these for silence."""
    eval_config: dict[str, Any]
    """SAE-Bench's AutoInterpEvalConfig."""
    warnings: list[str] = field(default_factory=list[str])


def run_autointerp(
    sae: AnySae,
    model: HookedTransformer,
    tokens: Int[Tensor, "n_sequences context_size"],
    judge: Judge,
    settings: AutoInterpSettings,
    shared: SharedPasses | None = None,
) -> AutoInterpOutcome:
    """Evaluate `sae`, which is not changed, at the model's dtype and on the model's device.

    Args:
        shared: holds the activations for other SAEs on the same hook.

    Raises:
        SaeError: the model has no such hook, or one of another width.
        EvalError: the judge failed, or no answer of its could be parsed.
    """
    _check(sae, model, settings)
    config = sae_bench_config(model, settings)
    own = formatted_copy(sae, model, settings.model_name, settings.hook_name)
    seen = Observed()
    kept = _kept_passes(shared or SharedPasses(), model, settings.hook_name)
    n_calls = CALLS_OF_A_LATENT * settings.n_latents
    with (
        tempfile.TemporaryDirectory(prefix="csae-bench-") as folder,
        progress.counted("asking the judge", n_calls) as counter,
        _contained(settings.random_seed) as warnings,
        remembering(model, settings.hook_name, kept),
        replaced(main, AutoInterp=observed_class(judge, seen, counter)),
    ):
        torch.save(tokens, Path(folder) / _file_name(config))
        results: Any = outside_a_loop(
            lambda: main.run_eval_single_sae(
                config, own, model, str(model.cfg.device), folder, api_key="", sae_sparsity=None
            )
        )
    return _outcome(results, seen, config, warnings)


def run_on_codes(
    model: HookedTransformer,
    tokens: Int[Tensor, "n_sequences context_size"],
    codes: Float[Tensor, "n_sequences context_size n_latents"],
    judge: Judge,
    settings: AutoInterpSettings,
) -> AutoInterpOutcome:
    """Let SAE-Bench's eval run on codes that are no SAE's, to score the judge itself.

    Raises:
        EvalError: as `run_autointerp`.
    """
    n_latents = codes.shape[-1]
    config = replace(
        sae_bench_config(model, settings),
        n_latents=None,
        override_latents=list(range(n_latents)),
    )
    seen = Observed()
    no_sae: Any = SimpleNamespace(cfg=SimpleNamespace(hook_layer=0, hook_name=""))
    with (
        progress.counted("scoring the judge", CALLS_OF_A_LATENT * n_latents) as counter,
        _contained(settings.random_seed) as warnings,
        replaced(activation_collection, collect_sae_activations=lambda *_, **__: codes),
    ):
        run = observed_class(judge, seen, counter)(
            cfg=config,
            model=model,
            sae=no_sae,
            tokenized_dataset=tokens,
            sparsity=torch.ones(n_latents),
            device=str(model.cfg.device),
            api_key="",
        )
        results = outside_a_loop(lambda: asyncio.run(run.run()))
    return _outcome(results, seen, config, warnings)


@contextlib.contextmanager
def _contained(seed: int) -> Generator[list[str], None, None]:
    """Seed the generators that SAE-Bench draws from, and undo its effects on leaving."""
    with (
        replaced(main, tqdm=no_bar),
        replaced(activation_collection, tqdm=no_bar),
        without_shape_checks(activation_collection),
        seeded(seed),
        isolated() as warnings,
        contextlib.redirect_stdout(io.StringIO()),  # it prints shapes and counts
    ):
        yield warnings


def _kept_passes(shared: SharedPasses, model: HookedTransformer, hook_name: str) -> SharedPasses:
    """Return where activations are kept, for one SAE too.

    SAE-Bench reads all text twice: for the sparsity, and for the codes of the latents it has drawn.
    Repetitions under other seeds read it again.
    """
    if shared.n_users > 1:
        return shared
    return shared.get_or_make(
        ("autointerp passes", id(model), hook_name), lambda: SharedPasses(GIB, n_users=2)
    )


def _outcome(
    results: Mapping[int, Mapping[str, Any]],
    seen: Observed,
    config: AutoInterpEvalConfig,
    warnings: list[str],
) -> AutoInterpOutcome:
    if seen.failure is not None:
        raise seen.failure
    if seen.unparsed and not results:
        raise EvalError(
            f"autointerp: none of the judge's {len(seen.unparsed)} answers is a list of numbers or "
            f"None; the first is '{shortened(seen.unparsed[0], _MAX_SHOWN)}'. Name another judge "
            "in evals.autointerp.judge."
        )
    latents = [
        LatentOutcome(
            latent=latent,
            explanation=result["explanation"],
            predictions=tuple(result["predictions"]),
            score=result["score"],
            examples=seen.examples[latent],
        )
        for latent, result in sorted(results.items())
    ]
    return AutoInterpOutcome(
        metrics=_metrics([latent.score for latent in latents]),
        latents=tuple(latents),
        n_drawn=len(seen.latents),
        n_without_examples=len(seen.latents) - len(seen.examples),
        unparsed=tuple(seen.unparsed),
        negative_share=seen.n_negative / max(seen.n_nonzero, 1),
        eval_config=asdict(config),
        warnings=warnings,
    )


def _metrics(scores: Sequence[float]) -> dict[str, dict[str, float]]:
    """Return SAE-Bench's values: mean and standard deviation over latents, in float32."""
    each = torch.tensor(scores)
    values = {
        "autointerp_score": each.mean().item() if scores else math.nan,
        "autointerp_std_dev": each.std().item() if len(scores) > 1 else math.nan,
    }
    return {
        "autointerp": {
            name: UNDEFINED if math.isnan(value) else value for name, value in values.items()
        }
    }


def _file_name(config: AutoInterpEvalConfig) -> str:
    """Return the name under which SAE-Bench looks for tokens."""
    name = main.escape_slash(config.model_name)
    return f"{name}_{config.total_tokens}_tokens_{config.llm_context_size}_ctx.pt"


def _check(sae: AnySae, model: HookedTransformer, settings: AutoInterpSettings) -> None:
    name = settings.model_name
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
