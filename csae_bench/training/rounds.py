"""Trainings side by side: one step of each in turn, until all are made or something stops them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager
from typing import NamedTuple

from csae_bench.activations.cache.draws import ActivationCache
from csae_bench.errors import TrainingError
from csae_bench.support import progress
from csae_bench.training.interruption import Interruption
from csae_bench.training.outcome import TrainingOutcome
from csae_bench.training.sae_training import SaeTraining
from csae_bench.training.task import TrainingTask

StopError = Callable[[int], BaseException]
"""Makes the error of trainings that were stopped after a step."""


class Trained(NamedTuple):
    """How the training of one SAE ended."""

    task: TrainingTask
    outcome: TrainingOutcome | None
    """None where it failed."""
    error: Exception | None = None


def stepped(
    trainings: Sequence[SaeTraining],
    must_stop: Callable[[], StopError | None],
    counter: progress.ProgressCounter,
) -> Iterator[SaeTraining | Trained]:
    """Make all steps in turn; yield each training at its end, or the error that ended it.

    Args:
        must_stop: returns what makes the error of all trainings that are not at their end, given
            the step; None: they go on.

    Raises:
        KeyboardInterrupt: Ctrl-C; the states are saved.
    """
    live = list(trainings)
    while live:
        for training in tuple(live):
            try:
                if training.step():
                    counter.advance(training.loss if len(trainings) == 1 else None)
                    continue
                end: SaeTraining | Trained = training
            except Exception as error:  # of this SAE; those beside it go on
                end = _failed(training, error)
            live.remove(training)
            yield end
        stop_error = must_stop()
        if stop_error is not None:  # between two rounds: all have made the same steps
            yield from _stopped(live, stop_error)
            return


def stop_error_of(stop: Interruption, cache: ActivationCache | None) -> StopError | None:
    """Return what makes the error of trainings that must stop, of the step; None: they go on."""
    failure = None if cache is None else cache.failure
    if stop.is_requested:
        return lambda step: stop.error(
            f"Training stopped after step {step}; the same command resumes from there."
        )
    if failure is not None:
        return lambda step: TrainingError(
            f"{failure} Training stopped after step {step}; it resumes from there."
        )
    return None


def _stopped(trainings: Sequence[SaeTraining], stop_error: StopError) -> Iterator[Trained]:
    error: BaseException | None = None
    for training in trainings:
        try:
            training.save()
            error = stop_error(training.trainer.n_training_steps)
        except TrainingError as not_saved:
            error = not_saved
        if isinstance(error, Exception):
            yield _failed(training, error)
    if error is not None and not isinstance(error, Exception):
        raise error


def _failed(training: SaeTraining, error: Exception) -> Trained:
    training.stream.close()
    return Trained(training.task, None, error)


def counted(
    trainings: Sequence[SaeTraining], *, bar: bool
) -> AbstractContextManager[progress.ProgressCounter]:
    """Count the steps of all trainings together."""
    return progress.counted(
        "training",
        sum(training.trainer.planned_steps for training in trainings),
        done=sum(training.trainer.n_training_steps for training in trainings),
        rows_a_step=trainings[0].stream.batch_size if trainings else None,
        bar=bar,
    )
