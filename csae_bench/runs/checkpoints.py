"""Makes the SAE that a configuration describes, unless its checkpoint exists."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Callable, Generator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from filelock import FileLock, Timeout

from csae_bench.config import BaselineSae, GeneratorActivations, TrainedSae
from csae_bench.errors import UsageError
from csae_bench.results.schema import Cell, Failure, Training
from csae_bench.results.store import Store
from csae_bench.results.training_log import last_line
from csae_bench.runs.made_from import why_made_again, write_made_from
from csae_bench.runs.request import RunRequest
from csae_bench.runs.resolving import ResolvedSae
from csae_bench.support import progress
from csae_bench.support.printable import printable
from csae_bench.training.outcome import OUTCOME_FILE, read_outcome

if TYPE_CHECKING:
    from sae_lens import SAE
    from torch import Tensor
    from transformer_lens import HookedTransformer

LoadModel = Callable[[str], "HookedTransformer"]


def ensure_checkpoint(
    resolved_sae: ResolvedSae, request: RunRequest, *, device: str, load_model: LoadModel
) -> None:
    """Train or build an SAE, so that `resolved_sae.checkpoint/inference` exists.

    An SAE loaded from a folder is never overwritten, not even with --force, as it could not be made
    again. If two runs want the same checkpoint, the second waits for the first.

    Raises:
        TrainingError, DataError, ModelError, UsageError: it could not be made.
    """
    if resolved_sae.training_hash is None or (resolved_sae.is_ready and not request.force):
        return
    if resolved_sae.of is not None:
        ensure_checkpoint(
            resolved_sae.of,
            request.for_source(resolved_sae.of.source),
            device=device,
            load_model=load_model,
        )
    folder = resolved_sae.checkpoint
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UsageError(f"{folder}: cannot be made: {error.strerror}.") from error
    with _only_one(folder):
        if resolved_sae.is_ready and not request.force:
            return
        if request.force:
            _empty(folder)
        elif (why := why_made_again(resolved_sae, request.store)) is not None:
            click.echo(printable(why), err=True)
        write_made_from(resolved_sae)
        sae = resolved_sae.config.sae
        if isinstance(sae, TrainedSae):
            _train(resolved_sae, request, device=device, load_model=load_model)
        else:
            made = _baseline(resolved_sae, sae, device=device, load_model=load_model)
            _save(made, folder)


def training_of(resolved_sae: ResolvedSae, store: Store) -> Training | None:
    """Return planned and completed training; None for an SAE that is not trained here.

    For a killed training, these are the steps and the loss of its log's last line.
    """
    if not resolved_sae.config.is_trained or resolved_sae.training_hash is None:
        return None
    log = resolved_sae.checkpoint / "training_log.jsonl"
    places: dict[str, Any] = {
        "training_log": store.relative(log) if log.is_file() else None,
        "checkpoint": store.relative(resolved_sae.checkpoint) if resolved_sae.is_ready else None,
    }
    if (resolved_sae.checkpoint / OUTCOME_FILE).is_file():
        outcome = read_outcome(resolved_sae.checkpoint)
        return Training(
            planned_steps=outcome.planned_steps,
            executed_steps=outcome.executed_steps,
            n_tokens=outcome.n_tokens_used,
            final_loss=outcome.final_loss,
            wall_seconds=outcome.wall_seconds,
            peak_memory_gib=outcome.peak_memory_gib,
            epochs=outcome.epochs,
            l0_training=outcome.l0_training,
            l0_inference=outcome.l0_inference,
            pair_separation=outcome.pair_separation,
            pair_separation_by_kind=outcome.pair_separation_by_kind or {},
            **places,
        )
    settings = resolved_sae.config.training
    last = last_line(log)
    executed = int(last.get("step", 0))
    return Training(
        planned_steps=settings.n_steps,
        executed_steps=executed,
        n_tokens=executed * settings.batch_size,
        final_loss=last.get("loss"),
        **places,
    )


def training_cell(resolved_sae: ResolvedSae) -> Cell:
    """Return the cell of a training that is done, or that there was none."""
    if not resolved_sae.config.is_trained or resolved_sae.training_hash is None:
        reason = Failure(kind="skipped", message="there is nothing to train")
        return Cell(status="skipped", reasons=(reason,))
    return Cell(status="ok", key=resolved_sae.training_hash)


def _train(
    resolved_sae: ResolvedSae, request: RunRequest, *, device: str, load_model: LoadModel
) -> None:
    progress.begin_imports()
    from csae_bench.support.float32_products import float32_products
    from csae_bench.training.train import train

    config = resolved_sae.config
    types = (config.model_dtype, "bfloat16") if config.training.autocast else (config.model_dtype,)
    with float32_products(device, *types):
        train(
            resolved_sae.resolved,
            load_model(config.model) if resolved_sae.model else None,
            resolved_sae.checkpoint,
            device=device,
            resume=request.resume,
            progress=request.progress,
        )


def _baseline(
    resolved_sae: ResolvedSae, sae: BaselineSae, *, device: str, load_model: LoadModel
) -> SAE[Any]:
    progress.begin_imports()
    from csae_bench.saes.baselines import BuildInputs, build
    from csae_bench.support.float32_products import float32_products
    from csae_bench.training.data import sae_metadata, sample_rows

    progress.begin(f"making {resolved_sae.sae_id}")
    config = resolved_sae.config

    def rows(n_rows: int) -> Tensor:
        model = load_model(config.model) if resolved_sae.model else None
        with float32_products(device, config.model_dtype):
            return sample_rows(resolved_sae.resolved, model, n_rows, device=device)

    def other_sae() -> SAE[Any]:
        from csae_bench.saes.loading import load_sae

        assert resolved_sae.of is not None
        return load_sae(resolved_sae.of.checkpoint, device=device)

    return build(
        BuildInputs(
            settings=sae,
            seed=config.seed,
            d_in=_d_in(resolved_sae),
            rows=rows,
            other_sae=other_sae,
            device=device,
            metadata=sae_metadata(resolved_sae.resolved),
            path=resolved_sae.resolved.path,
        )
    )


def _d_in(resolved_sae: ResolvedSae) -> int:
    if resolved_sae.model is not None:
        return resolved_sae.model.d_model
    activations = resolved_sae.config.activations
    assert isinstance(activations, GeneratorActivations)
    return activations.d_in


def _save(sae: SAE[Any], folder: Path) -> None:
    unfinished = Path(tempfile.mkdtemp(dir=folder, prefix=".inference."))
    try:
        sae.save_model(unfinished)
        unfinished.rename(folder / "inference")
    except OSError as error:
        raise UsageError(f"{folder}: cannot be written: {error.strerror}.") from error
    finally:
        shutil.rmtree(unfinished, ignore_errors=True)


def _empty(folder: Path) -> None:
    for entry in folder.iterdir():
        if entry.is_dir():
            shutil.rmtree(entry)
        elif entry.suffix != ".lock":
            entry.unlink()


@contextmanager
def _only_one(folder: Path) -> Generator[None]:
    """Hold the checkpoint's lock; wait, with a message, while another run holds it."""
    lock = FileLock(folder.parent / f".{folder.name}.lock")
    try:
        lock.acquire(timeout=0)
    except Timeout:
        click.echo(f"Waiting for another run that makes {folder}.", err=True)
        lock.acquire()
    try:
        yield
    finally:
        lock.release()
