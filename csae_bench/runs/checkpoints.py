"""Makes the SAE that a configuration describes, unless its checkpoint exists."""

from __future__ import annotations

import contextlib
import shutil
import tempfile
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

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
from csae_bench.saes.folder import sort_cfg
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
    with _only_one([resolved_sae.checkpoint]):
        if not _is_begun_anew(resolved_sae, request):
            return
        sae = resolved_sae.config.sae
        if isinstance(sae, TrainedSae):
            for made in _train([(resolved_sae, request)], device=device, load_model=load_model):
                if made.error is not None:
                    raise made.error
        else:
            made_sae = _baseline(resolved_sae, request, sae, device=device, load_model=load_model)
            _save(made_sae, resolved_sae.checkpoint)


def ensure_side_by_side(
    wanted: Sequence[tuple[ResolvedSae, RunRequest]], *, device: str, load_model: LoadModel
) -> Iterator[Made]:
    """Train SAEs with one `rows_key` and different training hashes, each row made once.

    Yields each as it ends, with what went wrong with it alone.

    Raises:
        DataError, ModelError, UsageError: none of them can be made.
    """
    with _only_one([resolved_sae.checkpoint for resolved_sae, _ in wanted]):
        needed: list[tuple[ResolvedSae, RunRequest]] = []
        for resolved_sae, request in wanted:
            if _is_begun_anew(resolved_sae, request):
                needed.append((resolved_sae, request))
            else:
                yield Made(resolved_sae)
        if needed:
            yield from _train(needed, device=device, load_model=load_model)


class Made(NamedTuple):
    """An SAE that was to be made, and how that ended."""

    resolved_sae: ResolvedSae
    error: Exception | None = None


def _is_begun_anew(resolved_sae: ResolvedSae, request: RunRequest) -> bool:
    """Prepare the folder for a training; False where another run has finished it meanwhile."""
    if resolved_sae.is_ready and not request.force:
        return False
    if request.force:
        _empty(resolved_sae.checkpoint)
    elif (why := why_made_again(resolved_sae, request.store)) is not None:
        click.echo(printable(why), err=True)
    write_made_from(resolved_sae)
    return True


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
            n_side_by_side=outcome.n_side_by_side,
            peak_memory_gib=outcome.peak_memory_gib,
            epochs=outcome.epochs,
            l0_training=outcome.l0_training,
            l0_inference=outcome.l0_inference,
            pair_separation=outcome.pair_separation,
            pair_separation_by_kind=outcome.pair_separation_by_kind or {},
            shift_participation=outcome.shift_participation,
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
    wanted: Sequence[tuple[ResolvedSae, RunRequest]], *, device: str, load_model: LoadModel
) -> Iterator[Made]:
    progress.begin_imports()
    from csae_bench.support.float32_products import float32_products
    from csae_bench.training.train import TrainingTask, train_side_by_side

    of_folder = {resolved_sae.checkpoint: resolved_sae for resolved_sae, _ in wanted}
    first, request = wanted[0]
    config = first.config
    types = (config.model_dtype, "bfloat16") if config.training.autocast else (config.model_dtype,)
    tasks = [
        TrainingTask(
            resolved=resolved_sae.resolved, folder=resolved_sae.checkpoint, resume=request.resume
        )
        for resolved_sae, request in wanted
    ]
    model = load_model(config.model) if first.model else None
    trainings = train_side_by_side(
        tasks,
        model,
        device=device,
        cache_folder=request.store.activation_cache,
        progress=request.progress,
    )
    while True:
        with float32_products(device, *types):  # not while the SAEs that are made wait
            trained = next(trainings, None)
        if trained is None:
            return
        yield Made(of_folder[trained.task.folder], trained.error)


def _baseline(
    resolved_sae: ResolvedSae,
    request: RunRequest,
    sae: BaselineSae,
    *,
    device: str,
    load_model: LoadModel,
) -> SAE[Any]:
    progress.begin_imports()
    from csae_bench.activations.cache.draws import activation_cache
    from csae_bench.saes.baselines import BuildInputs, build
    from csae_bench.support.float32_products import float32_products
    from csae_bench.training.data import sae_metadata, sample_rows

    progress.begin(f"making {resolved_sae.sae_id}")
    config = resolved_sae.config

    def rows(n_rows: int) -> Tensor:
        model = load_model(config.model) if resolved_sae.model else None
        with (
            float32_products(device, config.model_dtype),
            activation_cache(request.store.activation_cache, config.activations.cache_gib) as cache,
        ):
            return sample_rows(resolved_sae.resolved, model, n_rows, device=device, cache=cache)

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
            model=None if resolved_sae.model is None else lambda: load_model(config.model),
            hook_name=resolved_sae.hook_name,
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
        sort_cfg(unfinished)
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
def _only_one(folders: Sequence[Path]) -> Generator[None]:
    """Hold the checkpoints' locks; wait, with a message, while another run holds one.

    Raises:
        UsageError: a folder cannot be made.
    """
    with contextlib.ExitStack() as held:
        for folder in sorted(folders):  # in one order, or two runs could wait for each other
            try:
                folder.mkdir(parents=True, exist_ok=True)
            except OSError as error:
                raise UsageError(f"{folder}: cannot be made: {error.strerror}.") from error
            lock = FileLock(folder.parent / f".{folder.name}.lock")
            try:
                lock.acquire(timeout=0)
            except Timeout:
                click.echo(f"Waiting for another run that makes {folder}.", err=True)
                lock.acquire()
            held.callback(lock.release)
        yield
