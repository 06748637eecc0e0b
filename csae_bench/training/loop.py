"""SAELens's trainer on pairs: one loop over the planned steps, without silent failures."""

from __future__ import annotations

import time
from collections.abc import Callable, Generator
from pathlib import Path
from typing import Any

import torch
import wandb
from sae_lens.config import SAETrainerConfig
from sae_lens.saes.sae import TrainingSAE, TrainStepOutput
from sae_lens.training.sae_trainer import Evaluator, SAETrainer, SaveCheckpointFn
from torch import Tensor
from typing_extensions import override

from csae_bench.errors import TrainingError
from csae_bench.hardware.peak_memory import peak_memory_gib
from csae_bench.pairs import PairBatches
from csae_bench.saes.objective import ContrastiveStepOutput
from csae_bench.saes.step import PairedStepInput, SparseStepOutput
from csae_bench.support import progress
from csae_bench.training.finite import check_finite, gradients_located
from csae_bench.training.log import (
    TrainingLog,
    gradient_norms,
    measurements,
    pair_measurements,
    term_measurements,
)
from csae_bench.training.objective_schedule import ObjectiveSchedule, ObjectiveScheduleSettings
from csae_bench.training.scaling import estimate_scaling, fold_scaling
from csae_bench.training.state import random_state, set_random_state

_STREAM_FILE = "stream_state.pt"


class ContrastiveSAETrainer(SAETrainer[TrainingSAE[Any], Any]):
    """Trainer of any of SAELens's architectures and ours on batches of pairs.

    It differs from SAELens's in that
    - the SAE is told which rows are pairs;
    - it makes total_training_samples / train_batch_size_samples steps, rounded down, which is what
      the learning rate's schedule is made for;
    - a loss or gradient that is not finite stops it, before the weights are touched;
    - its state holds the stream's place and the random generators, and its counters are those of
      completed steps: resumed, it ends in the same weights, to the bit on a CPU.
    """

    data_provider: PairBatches  # pyright: ignore[reportIncompatibleVariableOverride]

    def __init__(
        self,
        cfg: SAETrainerConfig,
        sae: TrainingSAE[Any],
        data_provider: PairBatches,
        evaluator: Evaluator[Any] | None = None,
        save_checkpoint_fn: SaveCheckpointFn | None = None,
        *,
        schedule: ObjectiveScheduleSettings | None = None,
        gradient_clip_norm: float = 1.0,
        debug_gradients: bool = False,
        log: TrainingLog | None = None,
        after_step: Callable[[ContrastiveSAETrainer], None] | None = None,
        progress: bool = True,
    ) -> None:
        super().__init__(cfg, sae, data_provider, evaluator, save_checkpoint_fn)
        self.schedule = ObjectiveSchedule(
            sae,
            data_provider,
            self.coefficient_schedulers,
            schedule or ObjectiveScheduleSettings(),
            planned_steps=self.planned_steps,
        )
        self._gradient_clip_norm = gradient_clip_norm
        self._debug_gradients = debug_gradients
        self._log = log
        self._after_step = after_step
        self._progress = progress
        self._last_loss: Tensor | None = None
        self._line: dict[str, float | str] = {}
        self._seconds_before = 0.0
        self._started = self._logged_at = time.perf_counter()
        self._n_samples_logged = 0

    @property
    def planned_steps(self) -> int:
        """Steps that the samples suffice for."""
        return self.cfg.total_training_steps

    @property
    def last_loss(self) -> float | None:
        """Loss of the last completed step."""
        return None if self._last_loss is None else self._last_loss.item()

    @property
    def seconds(self) -> float:
        """Time since the start, of earlier attempts too."""
        return self._seconds_before + time.perf_counter() - self._started

    @override
    def fit(self) -> TrainingSAE[Any]:
        """Train to the last planned step, from the start or from a restored state.

        Raises:
            TrainingError: no step is planned; a loss or gradient is not finite.
        """
        with progress.counted(
            "training",
            self.planned_steps,
            done=self.n_training_steps,
            rows_a_step=self.cfg.train_batch_size_samples,
            bar=self._progress,
        ) as counter:
            for loss in self.steps():
                counter.advance(loss)
        return self.sae

    def steps(self) -> Generator[float | None]:
        """Train to the last planned step, and yield after each; the loss where it was logged.

        What follows the last step is done when the generator is asked once more.

        Raises:
            TrainingError: as `fit` does.
        """
        if self.planned_steps == 0:
            samples, batch = self.cfg.total_training_samples, self.cfg.train_batch_size_samples
            raise TrainingError(
                f"{samples} tokens / batch {batch} = 0 steps; need at least {batch}."
            )
        self.sae.to(self.cfg.device)
        estimate_scaling(self.sae, self.activation_scaler, self.data_provider)
        try:
            while self.n_training_steps < self.planned_steps:
                self._log_sparsity(self.maybe_reset_sparsity())
                loss = self._make_step()
                self._checkpoint_if_needed()
                if self._after_step is not None:
                    self._after_step(self)
                yield loss
        finally:  # or a batch would still be drawn while the caller uses the model
            self.data_provider.wait()
        self._log_sparsity(self.full_sparsity_window_log())
        fold_scaling(self.sae, self.activation_scaler)
        self.set_final_sae_metadata()
        if self.cfg.save_final_checkpoint:
            self.save_checkpoint(checkpoint_name=f"final_{self.n_training_samples}")

    @override
    def save_trainer_state(self, checkpoint_path: Path) -> None:
        """Save SAELens's state, the stream's position, the random generators and the time used."""
        super().save_trainer_state(checkpoint_path)
        state = {
            "stream": self.data_provider.state_dict(),
            "random": random_state(),
            "schedule": self.schedule.state_dict(),
            "seconds": self.seconds,
            "last_loss": self.last_loss,
        }
        torch.save(state, checkpoint_path / _STREAM_FILE)

    @override
    def load_trainer_state(self, checkpoint_path: Path | str) -> None:
        """Restore the state of `save_trainer_state`; on a stream not used yet."""
        super().load_trainer_state(checkpoint_path)
        # weights_only: a state is data, and no code of it is run
        state = torch.load(
            Path(checkpoint_path) / _STREAM_FILE, map_location="cpu", weights_only=True
        )
        self.data_provider.load_state_dict(state["stream"])
        set_random_state(state["random"])
        self.schedule.load_state_dict(state["schedule"])
        self._seconds_before = state["seconds"]
        self._last_loss = None if state["last_loss"] is None else torch.tensor(state["last_loss"])
        self._n_samples_logged = self.n_training_samples
        self.checkpoint_thresholds = [
            each for each in self.checkpoint_thresholds if each >= self.n_training_samples
        ]
        if self._log is not None:
            self._log.drop_after(self.n_training_steps)

    def _make_step(self) -> float | None:
        """Make one step; return its loss where it was logged."""
        self.schedule.before_step(self.n_training_steps)
        batch = next(self.data_provider)
        if self._may_draw_ahead():
            self.data_provider.draw_ahead()
        output = self.step(batch)
        self._last_loss, loss = output.loss.detach(), None
        if self.cfg.logger.log_to_wandb:
            self._log_train_step(output)
            self._run_and_log_evals()
        if self._is_due():
            self._write_log(output)
            loss = self.last_loss
        self.n_training_steps += 1
        return loss

    def _may_draw_ahead(self) -> bool:
        """Decide whether the next batch may be drawn while this step is made.

        Not where the evaluator runs the same model, where the next batch is of another stage, where
        one thread was asked for, and on a GPU, which has no core to spare.
        """
        curriculum, following = self.schedule.curriculum, self.n_training_steps + 1
        return (
            following < self.planned_steps
            and curriculum.at(following) is curriculum.at(self.n_training_steps)
            and torch.device(self.cfg.device).type == "cpu"
            and torch.get_num_threads() > 1
            and not self.cfg.logger.log_to_wandb
        )

    @override
    def _train_step(self, sae: TrainingSAE[Any], sae_in: Tensor) -> TrainStepOutput:
        sae.train()
        with gradients_located(self.n_training_steps + 1, enabled=self._debug_gradients):
            output = self._forward(sae, sae_in)
            norms = self._measure(output, sae.W_enc)
            output.loss.backward()
        norm = torch.nn.utils.clip_grad_norm_(sae.parameters(), self._gradient_clip_norm)
        check_finite(self.n_training_steps + 1, output, norm, norms)
        self.schedule.learn(self.n_training_steps, output, norms)
        self.optimizer.step()
        self.optimizer.zero_grad()
        self.lr_scheduler.step()
        for scheduler in self.coefficient_schedulers.values():
            scheduler.step()
        return output

    def _forward(self, sae: TrainingSAE[Any], sae_in: Tensor) -> TrainStepOutput:
        with self.autocast_if_enabled:
            output = sae.training_forward_pass(
                PairedStepInput(
                    sae_in=sae_in,
                    coefficients=self.get_coefficients(),
                    dead_neuron_mask=self.dead_neurons,
                    n_training_steps=self.n_training_steps,
                    is_logging_step=self._is_logging_step() or self._is_due(),
                    pairs=self.data_provider.pairs.to(sae_in.device),
                )
            )
        self._count_firing(output)
        return output

    def _measure(self, output: TrainStepOutput, W_enc: Tensor) -> dict[str, float] | None:
        """Measure the norms of the gradients if the log or the schedule needs them."""
        if not self._is_due() and not self.schedule.must_measure(self.n_training_steps):
            return None
        norms = gradient_norms(output, W_enc)
        if self._is_due():  # now, as the schedulers move on before the line is written
            self._line = {
                "lr": self.optimizer.param_groups[0]["lr"],
                **self.schedule.measurements(),
            }
            if isinstance(output, ContrastiveStepOutput):
                self._line |= term_measurements(output, self.get_coefficients(), norms)
        return norms

    @torch.no_grad()
    def _count_firing(self, output: TrainStepOutput) -> None:
        codes = output.feature_acts.detach()
        if isinstance(output, SparseStepOutput) and output.active_codes is not None:
            counts = torch.bincount(output.active_codes.latent, minlength=codes.shape[1])
        else:
            counts = ((codes.to_dense() if codes.is_sparse else codes) != 0).sum(0)
        self.n_forward_passes_since_fired += 1
        self.n_forward_passes_since_fired.masked_fill_(counts > 0, 0)
        self.act_freq_scores += counts
        self.n_frac_active_samples += self.cfg.train_batch_size_samples

    def _is_due(self) -> bool:
        return self._log is not None and (
            self._log.is_due(self.n_training_steps + 1, last=self.planned_steps)
            or self.schedule.curriculum.is_start(self.n_training_steps)
        )

    def _write_log(self, output: TrainStepOutput) -> None:
        now = time.perf_counter()
        n_samples = self.n_training_samples - self._n_samples_logged
        line = {
            "step": self.n_training_steps + 1,
            **measurements(output),
            "dead_latents": int(self.dead_neurons.sum()),
            "tokens_per_second": round(n_samples / max(now - self._logged_at, 1e-9), 1),
            "memory_gib": peak_memory_gib(self.cfg.device),
            **pair_measurements(output, self.data_provider.pairs, self.sae.W_dec),
            **self._line,
        }
        assert self._log is not None
        self._log.write(line)
        self._logged_at, self._n_samples_logged = now, self.n_training_samples

    def _log_sparsity(self, values: dict[str, Any]) -> None:
        if values and self.cfg.logger.log_to_wandb:
            wandb.log(values, step=self.n_training_steps)
