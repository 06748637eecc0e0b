"""SAE-Bench's own `multiple_evals`, made to fail aloud.

For the parity tests, and for users who want SAE-Bench's own file. It swallows every exception,
sleeps between retries, loads models by name only and converts the SAE it is given.
"""

from __future__ import annotations

import contextlib
import copy
import logging
import sys
from collections.abc import Callable, Generator
from pathlib import Path
from typing import Any

from sae_bench.evals.core import main as core_main
from sae_bench.sae_bench_utils import general_utils
from sae_lens import SAE
from transformer_lens import HookedTransformer

from csae_bench.errors import EvalError
from csae_bench.upstream.isolation import isolated


def reference_multiple_evals(
    sae: SAE[Any],
    *,
    release: str,
    dataset: str,
    output_folder: Path,
    model: HookedTransformer | None = None,
    context_size: int = 128,
    batch_size_prompts: int = 16,
    n_eval_reconstruction_batches: int = 20,
    n_eval_sparsity_variance_batches: int = 40,
    exclude_special_tokens_from_reconstruction: bool = True,
    dtype: str = "float32",
    device: str = "cpu",
) -> Path:
    """Run `multiple_evals` on one SAE, which is not changed, and return the file it wrote.

    Args:
        dataset: as SAE-Bench takes it: a folder of jsonl or parquet files, or a name on the hub.
        model: given instead of what SAE-Bench would load by the name in the SAE's config.

    Raises:
        EvalError: SAE-Bench swallowed an exception (it is the cause), or left no new result.
    """
    path = Path(general_utils.get_results_filepath(str(output_folder), release, "custom_sae"))
    before = _stamp(path)
    own_sae = copy.deepcopy(sae)
    injected = given_model(own_sae.cfg.metadata.model_name, model)
    with isolated(), _without_retries(), injected, _kept_exceptions() as swallowed:
        core_main.multiple_evals(
            selected_saes=[(release, own_sae)],
            n_eval_reconstruction_batches=n_eval_reconstruction_batches,
            n_eval_sparsity_variance_batches=n_eval_sparsity_variance_batches,
            eval_batch_size_prompts=batch_size_prompts,
            compute_featurewise_density_statistics=True,
            compute_featurewise_weight_based_metrics=True,
            exclude_special_tokens_from_reconstruction=exclude_special_tokens_from_reconstruction,
            dataset=dataset,
            context_size=context_size,
            output_folder=str(output_folder),
            dtype=dtype,
            device=device,
            force_rerun=True,
        )
    if swallowed:
        error = swallowed[0]
        raise EvalError(
            f"SAE-Bench failed on {release}: {type(error).__name__}: {error}"
        ) from error
    if _stamp(path) in (None, before):
        raise EvalError(f"SAE-Bench reported no error but left no new result at {path}.")
    return path


@contextlib.contextmanager
def given_model(name: str, model: HookedTransformer | None) -> Generator[None, None, None]:
    """Give SAE-Bench `model` when it loads the name `name`; other names load as usual."""
    if model is None:
        yield
        return
    load = HookedTransformer.from_pretrained_no_processing

    def from_pretrained_no_processing(model_name: str, *args: Any, **kwargs: Any) -> Any:
        return model if model_name == name else load(model_name, *args, **kwargs)

    with _replaced(
        HookedTransformer, "from_pretrained_no_processing", from_pretrained_no_processing
    ):
        yield


def _without_retries() -> contextlib.AbstractContextManager[None]:
    def decorator(**_: Any) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
        return lambda function: function

    return _replaced(general_utils, "retry_with_exponential_backoff", decorator)


@contextlib.contextmanager
def _kept_exceptions() -> Generator[list[BaseException], None, None]:
    """Collect the exceptions that `multiple_evals` logs and ignores."""
    kept: list[BaseException] = []

    class Keeper(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            error = sys.exc_info()[1]  # it logs from within its except blocks
            if error is not None:
                kept.append(error)

    handler = Keeper(level=logging.ERROR)
    core_main.logger.addHandler(handler)
    propagate, core_main.logger.propagate = core_main.logger.propagate, False
    try:
        yield kept
    finally:
        core_main.logger.propagate = propagate
        core_main.logger.removeHandler(handler)


@contextlib.contextmanager
def _replaced(owner: Any, name: str, value: Any) -> Generator[None, None, None]:
    original = vars(owner)[name]  # not getattr: that would unwrap a classmethod
    setattr(owner, name, value)
    try:
        yield
    finally:
        setattr(owner, name, original)


def _stamp(path: Path) -> int | None:
    return path.stat().st_mtime_ns if path.exists() else None
