"""Training of the SAEs that configurations describe, into their checkpoint folders.

<folder>/training_log.jsonl   one object a logged step
<folder>/trainer/             what a resumed training needs: SAELens's form of a checkpoint and
                              `stream_state.pt`; removed once training is finished
<folder>/training.json        the result; written also if training stops early
<folder>/inference/           the SAE, written last: where it is, training is finished
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Sequence
from contextlib import closing
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING

import torch

from csae_bench.activations.cache.draws import ActivationCache, activation_cache
from csae_bench.config import ResolvedConfig
from csae_bench.errors import ResultError
from csae_bench.pairs import SharedStream
from csae_bench.pairs.shared_stream import StreamReader
from csae_bench.support import progress as reporting
from csae_bench.training.data import held_out_stream, pair_stream
from csae_bench.training.interruption import interruption
from csae_bench.training.log import LOG_FILE
from csae_bench.training.outcome import OUTCOME_FILE, TrainingOutcome, read_outcome
from csae_bench.training.rounds import Trained, counted, stepped, stop_error_of
from csae_bench.training.sae_training import SaeTraining, step_of
from csae_bench.training.settings import wandb_run
from csae_bench.training.state import (
    StateFolder,
    random_state,
    seed_everything,
    set_random_state,
)
from csae_bench.training.task import TrainingTask

if TYPE_CHECKING:
    from transformer_lens import HookedTransformer

__all__ = ["Trained", "TrainingOutcome", "TrainingTask", "train", "train_side_by_side"]


def train(
    resolved: ResolvedConfig,
    model: HookedTransformer | None,
    folder: Path,
    *,
    device: str = "cpu",
    cache_folder: Path | None = None,
    resume: bool = True,
    progress: bool = True,
) -> TrainingOutcome:
    """Train to the end, resuming from the state of a killed training if there is one.

    Equal configurations train to equal weights, killed and resumed or not, to the bit on a CPU.

    Args:
        model: the language model; None for generated activations.
        folder: the checkpoint's own, named after the configuration's hash.
        cache_folder: where activations are kept for other trainings, if `activations.cache_gib`
            asks for it; None: nowhere.
        resume: False starts over, and discards even a finished training.

    Raises:
        TrainingError: zero steps, a loss that is not finite, memory ran out, or SIGTERM.
        KeyboardInterrupt: Ctrl-C. As after SIGTERM, the state is saved.
        DataError: the text is not there, malformed, or too little for one batch.
        ResultError: activations cannot be kept in the cache's folder. Where training had begun it
            is TrainingError, and the state is saved.
    """
    task = TrainingTask(resolved=resolved, folder=folder, resume=resume)
    (trained,) = train_side_by_side(
        [task], model, device=device, cache_folder=cache_folder, progress=progress
    )
    if trained.error is not None:
        raise trained.error
    assert trained.outcome is not None, "it ended in an outcome or in an error"
    return trained.outcome


def train_side_by_side(
    tasks: Sequence[TrainingTask],
    model: HookedTransformer | None,
    *,
    device: str = "cpu",
    cache_folder: Path | None = None,
    progress: bool = True,
) -> Iterator[Trained]:
    """Train SAEs whose rows are the same, step by step in turn, so that each row is made once.

    Each gets the weights of a training of its own, to the bit on a CPU, and fails alone. Trainings
    that were killed at different steps go on one after the other.

    Args:
        tasks: with one `rows_key`, or a single one.
        cache_folder: as of `train`.

    Raises:
        KeyboardInterrupt: Ctrl-C; the states are saved.
        DataError, ResultError: as `train` says, before training had begun.
    """
    waiting: list[TrainingTask] = []
    for task in tasks:
        if not task.resume:
            _forget(task.folder)
        if (task.folder / "inference").is_dir():
            StateFolder(task.folder / "trainer").remove()
            yield Trained(task, read_outcome(task.folder))
        else:
            task.folder.mkdir(parents=True, exist_ok=True)
            waiting.append(task)
    for group in _at_one_step(waiting):
        yield from _train_cached(
            group, model, device=device, cache_folder=cache_folder, progress=progress
        )


def _at_one_step(tasks: Sequence[TrainingTask]) -> list[list[TrainingTask]]:
    """Return the tasks in groups that start or resume at the same step."""
    steps = [(step_of(task), task) for task in tasks]
    known = sorted(
        ((step, task) for step, task in steps if step is not None), key=lambda entry: entry[0]
    )
    groups = [[task for _, task in group] for _, group in groupby(known, lambda entry: entry[0])]
    return groups + [[task] for step, task in steps if step is None]


def _train_cached(
    tasks: Sequence[TrainingTask],
    model: HookedTransformer | None,
    *,
    device: str,
    cache_folder: Path | None,
    progress: bool,
) -> Iterator[Trained]:
    have_failed = False
    try:
        with activation_cache(
            cache_folder, tasks[0].resolved.config.activations.cache_gib
        ) as cache:
            for trained in _train(tasks, model, device=device, cache=cache, progress=progress):
                have_failed |= trained.error is not None
                yield trained
    except ResultError:  # of the cache, at its end: then it is known of already
        if not have_failed:
            raise


def _train(
    tasks: Sequence[TrainingTask],
    model: HookedTransformer | None,
    *,
    device: str,
    cache: ActivationCache | None,
    progress: bool,
) -> Iterator[Trained]:
    config = tasks[0].resolved.config
    if config.threads is not None:
        torch.set_num_threads(config.threads)
    seed_everything(config.seed)
    reporting.begin(_announcement(tasks))
    shared = SharedStream(pair_stream(config, model, device=device, cache=cache))
    with interruption() as stop, wandb_run(config):
        trainings: list[SaeTraining] = []
        for begun in _begun(tasks, shared, device, cache):
            if isinstance(begun, SaeTraining):
                trainings.append(begun)
            else:
                yield begun
        ended: list[SaeTraining] = []
        with counted(trainings, bar=progress) as counter:
            for end in stepped(trainings, lambda: stop_error_of(stop, cache), counter):
                if isinstance(end, SaeTraining):
                    ended.append(end)
                else:
                    yield end
    if stop.is_requested and ended:  # after the last step, too late for it to be noticed
        raise stop.error("Training stopped at its end; the same command finishes it.")
    if ended:
        held_out = SharedStream(held_out_stream(config, model, device=device, cache=cache))
        readers = [held_out.reader() for _ in ended]
        for training, reader in zip(ended, readers, strict=True):
            yield _finished(training, reader)


def _announcement(tasks: Sequence[TrainingTask]) -> str:
    n_steps = tasks[0].resolved.config.training.n_steps
    if len(tasks) == 1:
        return f"training {tasks[0].resolved.name}, {n_steps} steps"
    return f"training {len(tasks)} SAEs side by side on the same rows, {n_steps} steps each"


def _begun(
    tasks: Sequence[TrainingTask],
    shared: SharedStream,
    device: str,
    cache: ActivationCache | None,
) -> Iterator[SaeTraining | Trained]:
    """Yield each task's training, at its first step or the step after a saved one."""
    at_start, readers = random_state(), [shared.reader() for _ in tasks]
    for task, reader in zip(tasks, readers, strict=True):
        set_random_state(at_start)
        try:
            yield SaeTraining(task, reader, device=device, cache=cache, n_side_by_side=len(tasks))
        except Exception as error:  # of this SAE; those beside it go on
            reader.close()
            yield Trained(task, None, error)


def _finished(training: SaeTraining, held_out: StreamReader) -> Trained:
    with closing(held_out), closing(training.stream):
        try:
            return Trained(training.task, training.finish(held_out))
        except Exception as error:  # of this SAE; those beside it go on
            return Trained(training.task, None, error)


def _forget(folder: Path) -> None:
    for name in ("inference", "inference.new"):
        shutil.rmtree(folder / name, ignore_errors=True)
    StateFolder(folder / "trainer").remove()
    for name in (LOG_FILE, OUTCOME_FILE):
        (folder / name).unlink(missing_ok=True)
