"""SaeTraining: the training of one SAE, made step by step so that others can go on beside it."""

from __future__ import annotations

import math
import pickle
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

import torch
from safetensors import SafetensorError

from csae_bench.activations.cache.draws import ActivationCache
from csae_bench.config import RunConfig, TrainedSae
from csae_bench.errors import CsaeBenchError, TrainingError, UsageError
from csae_bench.hardware.peak_memory import peak_memory_gib
from csae_bench.pairs.shared_stream import StreamReader
from csae_bench.saes.building import training_sae
from csae_bench.training.compiling import compile_steps
from csae_bench.training.data import sae_metadata
from csae_bench.training.finishing import finish
from csae_bench.training.log import LOG_FILE, TrainingLog
from csae_bench.training.loop import ContrastiveSAETrainer
from csae_bench.training.objective_schedule import ObjectiveScheduleSettings
from csae_bench.training.outcome import TrainingOutcome, write_outcome
from csae_bench.training.saving import save
from csae_bench.training.settings import trainer_config
from csae_bench.training.state import (
    StateFolder,
    random_state,
    saved_step,
    set_random_state,
    write_step,
)
from csae_bench.training.task import TrainingTask


class SaeTraining:
    """Training of one SAE into its folder.

    The global random generators are its own while it makes a step, and those of whoever calls
    otherwise: what is trained beside it does not change its weights.

    Args:
        task: the SAE and its folder.
        stream: its share in the rows.
        cache: of the rows, which gives its room on a full disk to what must not be lost.
        n_side_by_side: trainings that read the same stream; this one included.
    """

    def __init__(
        self,
        task: TrainingTask,
        stream: StreamReader,
        *,
        device: str,
        cache: ActivationCache | None = None,
        n_side_by_side: int = 1,
    ) -> None:
        config = task.resolved.config
        self.task, self.stream = task, stream
        self._cache, self._n_side_by_side = cache, n_side_by_side
        self._state = StateFolder(task.folder / "trainer")
        metadata = {**sae_metadata(task.resolved), "csae_bench_training_hash": task.folder.name}
        self._sae = training_sae(
            _trained(config), d_in=stream.d_in, device=device, metadata=metadata
        )
        if config.training.compile_sae:
            compile_steps(self._sae)
        log = TrainingLog(task.folder / LOG_FILE, every=config.training.log_every)
        self.trainer = ContrastiveSAETrainer(
            trainer_config(config, device),
            self._sae,
            stream,
            schedule=ObjectiveScheduleSettings.of(config),
            gradient_clip_norm=config.training.gradient_clip_norm,
            debug_gradients=config.training.debug_gradients,
            log=log,
            after_step=self._save_if_due,
            progress=False,
        )
        with self._outcome_written():
            _restore(self.trainer, self._state, log)
        self._steps = self.trainer.steps()
        self._random = random_state()

    def step(self) -> bool:
        """Make the next step; False, once, where all have been made.

        Raises:
            TrainingError, DataError: as `train` says; the outcome so far is written.
        """
        with self._own_random_generators(), self._outcome_written():
            try:
                self.loss = next(self._steps)
            except StopIteration:
                return False
            return True

    loss: float | None = None
    """Loss of the last step, where it was logged."""

    def save(self) -> None:
        """Save the state after the last step, from which the same training resumes.

        Raises:
            TrainingError: it cannot be written.
        """
        with self._own_random_generators(), self._outcome_written():
            self._save()
        write_outcome(self.task.folder, self._outcome())

    def finish(self, held_out: StreamReader) -> TrainingOutcome:
        """Calibrate and save the SAE; after the last step.

        Raises:
            TrainingError: the SAE cannot be written.
        """
        outcome = self._outcome()
        if outcome.executed_steps != outcome.planned_steps:
            raise TrainingError(
                f"{outcome.executed_steps} steps were made where {outcome.planned_steps} were "
                "planned."
            )
        with self._own_random_generators():
            config, folder = self.task.resolved.config, self.task.folder
            return finish(config, self._sae, self.stream, held_out, folder, outcome, self._cache)

    @contextmanager
    def _own_random_generators(self) -> Generator[None]:
        if self._n_side_by_side == 1:
            yield
            return
        set_random_state(self._random)
        try:
            yield
        finally:
            self._random = random_state()

    @contextmanager
    def _outcome_written(self) -> Generator[None]:
        """Write the outcome so far if training ends within, and say it where memory ran out."""
        try:
            yield
        except (CsaeBenchError, KeyboardInterrupt):
            write_outcome(self.task.folder, self._outcome())
            raise
        except (torch.OutOfMemoryError, RuntimeError) as error:
            if "memory" not in str(error):
                raise
            write_outcome(self.task.folder, self._outcome())
            raise TrainingError(
                f"Step {self.trainer.n_training_steps + 1}: memory ran out. Lower "
                "training.batch_size, sae.d_sae or activations.pairs_in_buffer. "
                f"{error}"
            ) from error

    def _save_if_due(self, trainer: ContrastiveSAETrainer) -> None:
        every = self.task.resolved.config.training.checkpoint_every
        if every and trainer.n_training_steps % every == 0:
            self._save()

    def _save(self) -> None:
        step = self.trainer.n_training_steps
        save(
            lambda: self._state.replace(self._write_state),
            self._state.path,
            f"the state after step {step}",
            self._cache,
        )

    def _write_state(self, path: Path) -> None:
        self._sae.save_model(path)
        self.trainer.save_trainer_state(path)
        write_step(path, self.trainer.n_training_steps)

    def _outcome(self) -> TrainingOutcome:
        trainer = self.trainer
        loss = trainer.last_loss
        return TrainingOutcome(
            planned_steps=trainer.planned_steps,
            executed_steps=trainer.n_training_steps,
            n_tokens_used=trainer.n_training_steps * trainer.cfg.train_batch_size_samples,
            final_loss=loss if loss is not None and math.isfinite(loss) else None,
            wall_seconds=round(trainer.seconds, 3),
            n_side_by_side=self._n_side_by_side,
            peak_memory_gib=peak_memory_gib(trainer.cfg.device),
            epochs=trainer.data_provider.epochs,
        )


def step_of(task: TrainingTask) -> int | None:
    """Return the step after which a killed training resumes; 0: it starts; None: unknown."""
    saved = StateFolder(task.folder / "trainer").find()
    return 0 if saved is None else saved_step(saved)


def _restore(trainer: ContrastiveSAETrainer, state: StateFolder, log: TrainingLog) -> None:
    saved = state.find()
    if saved is None:
        log.drop_after(0)
        return
    try:
        trainer.sae.load_weights_from_checkpoint(saved)
        trainer.load_trainer_state(saved)
    except (OSError, RuntimeError, KeyError, pickle.UnpicklingError, SafetensorError) as error:
        # not the error's own text: torch.load's advises to load what may be unsafe
        raise TrainingError(
            f"{saved}: training cannot resume from this state, which is damaged or from another "
            f"version ({type(error).__name__}). Start over with --no-resume."
        ) from error


def _trained(config: RunConfig) -> TrainedSae:
    if not isinstance(config.sae, TrainedSae):
        raise UsageError(f"sae.architecture is '{config.sae.architecture}', which is not trained.")
    return config.sae
