"""Training of the SAE that a configuration describes, into its checkpoint folder.

<folder>/training_log.jsonl   one object a logged step
<folder>/trainer/             what a resumed training needs: SAELens's form of a checkpoint and
                              `stream_state.pt`; removed once training is finished
<folder>/training.json        the result; written also if training stops early
<folder>/inference/           the SAE, written last: where it is, training is finished
"""

from __future__ import annotations

import math
import pickle
import shutil
import time
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from sae_lens.saes.batchtopk_sae import BatchTopKTrainingSAE
from sae_lens.saes.sae import SAE, TrainingSAE
from safetensors import SafetensorError

from csae_bench.config import ResolvedConfig, RunConfig, TrainedSae
from csae_bench.errors import CsaeBenchError, TrainingError, UsageError, reason_of
from csae_bench.hardware.peak_memory import peak_memory_gib
from csae_bench.pairs import PairStream
from csae_bench.saes.building import training_sae
from csae_bench.support import progress as reporting
from csae_bench.training.calibration import calibrate_threshold, mean_l0
from csae_bench.training.data import held_out_stream, pair_stream, sae_metadata
from csae_bench.training.interruption import Interruption, interruption
from csae_bench.training.log import LOG_FILE, TrainingLog
from csae_bench.training.loop import ContrastiveSAETrainer
from csae_bench.training.objective_schedule import ObjectiveScheduleSettings
from csae_bench.training.outcome import (
    OUTCOME_FILE,
    TrainingOutcome,
    read_outcome,
    write_outcome,
)
from csae_bench.training.separation import N_ROWS, pair_separation
from csae_bench.training.settings import trainer_config, wandb_run
from csae_bench.training.state import StateFolder, seed_everything

if TYPE_CHECKING:
    from transformer_lens import HookedTransformer

__all__ = ["TrainingOutcome", "train"]

N_ROWS_FOR_L0 = 16_384
"""Fresh rows on which L0 is counted, in the form that was trained and in that of inference, at
most."""


def train(
    resolved: ResolvedConfig,
    model: HookedTransformer | None,
    folder: Path,
    *,
    device: str = "cpu",
    resume: bool = True,
    progress: bool = True,
) -> TrainingOutcome:
    """Train to the end, resuming from the state of a killed training if there is one.

    Equal configurations train to equal weights, killed and resumed or not, to the bit on a CPU.

    Args:
        model: the language model; None for generated activations.
        folder: the checkpoint's own, named after the configuration's hash.
        resume: False starts over, and discards even a finished training.

    Raises:
        TrainingError: zero steps, a loss that is not finite, memory ran out, or SIGTERM.
        KeyboardInterrupt: Ctrl-C. As after SIGTERM, the state is saved.
        DataError: the text is not there, malformed, or too little for one batch.
    """
    config = resolved.config
    if not resume:
        _forget(folder)
    if (folder / "inference").is_dir():
        StateFolder(folder / "trainer").remove()
        return read_outcome(folder)
    folder.mkdir(parents=True, exist_ok=True)
    if config.threads is not None:
        torch.set_num_threads(config.threads)
    seed_everything(config.seed)
    reporting.begin(f"training {resolved.name}, {config.training.n_steps} steps")
    stream = pair_stream(config, model, device=device)
    metadata = {**sae_metadata(resolved), "csae_bench_training_hash": folder.name}
    sae = training_sae(_trained(config), d_in=stream.d_in, device=device, metadata=metadata)
    outcome = _fit(config, sae, stream, folder, device=device, progress=progress)
    held_out = held_out_stream(config, model, device=device)
    return _finish(config, sae, stream, held_out, folder, outcome)


def _fit(
    config: RunConfig,
    sae: TrainingSAE[Any],
    stream: PairStream,
    folder: Path,
    *,
    device: str,
    progress: bool,
) -> TrainingOutcome:
    state = StateFolder(folder / "trainer")
    log = TrainingLog(folder / LOG_FILE, every=config.training.log_every)
    every = config.training.checkpoint_every
    with interruption() as stop, wandb_run(config):
        trainer = ContrastiveSAETrainer(
            trainer_config(config, device),
            sae,
            stream,
            schedule=ObjectiveScheduleSettings.of(config),
            gradient_clip_norm=config.training.gradient_clip_norm,
            debug_gradients=config.training.debug_gradients,
            log=log,
            after_step=lambda trainer: _after_step(trainer, state, stop, every),
            progress=progress,
        )
        try:
            _restore(trainer, state, log)
            trainer.fit()
        except (CsaeBenchError, KeyboardInterrupt):
            write_outcome(folder, _outcome(trainer))
            raise
        except (torch.OutOfMemoryError, RuntimeError) as error:
            if "memory" not in str(error):
                raise
            write_outcome(folder, _outcome(trainer))
            raise TrainingError(
                f"Step {trainer.n_training_steps + 1}: memory ran out. Lower training.batch_size, "
                f"sae.d_sae or activations.pairs_in_buffer. {error}"
            ) from error
    if stop.is_requested:  # after the last step, too late for _after_step
        raise stop.error("Training stopped at its end; the same command finishes it.")
    outcome = _outcome(trainer)
    if outcome.executed_steps != outcome.planned_steps:
        raise TrainingError(
            f"{outcome.executed_steps} steps were made where {outcome.planned_steps} were planned."
        )
    return outcome


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


def _after_step(
    trainer: ContrastiveSAETrainer, state: StateFolder, stop: Interruption, every: int
) -> None:
    step = trainer.n_training_steps
    if stop.is_requested or (every and step % every == 0):
        with _writing(state.path, f"the state after step {step}"):
            state.replace(lambda path: _save_state(trainer, path))
    if stop.is_requested:
        raise stop.error(
            f"Training stopped after step {step}; the same command resumes from there."
        )


@contextmanager
def _writing(path: Path, what: str) -> Generator[None]:
    """Convert what torch, safetensors and the system raise on a full disk to one sentence."""
    try:
        yield
    except (OSError, RuntimeError, SafetensorError) as error:
        free = shutil.disk_usage(path.parent).free / 2**20
        raise TrainingError(
            f"{path}: {what} cannot be written, with {free:.0f} MiB free on the disk: "
            f"{reason_of(error).splitlines()[0]}. Free some and run again; what was saved is kept."
        ) from error


def _save_state(trainer: ContrastiveSAETrainer, path: Path) -> None:
    trainer.sae.save_model(path)
    trainer.save_trainer_state(path)


def _finish(
    config: RunConfig,
    sae: TrainingSAE[Any],
    stream: PairStream,
    held_out: PairStream,
    folder: Path,
    outcome: TrainingOutcome,
) -> TrainingOutcome:
    """Calibrate, save what inference needs, and check that it does what was trained."""
    started = time.perf_counter()
    if "same_sequence" in config.pairs.shares():
        # L0 is that of running text, which SAEs are used on; in paraphrases less is active
        stream.set_shares({"same_sequence": 1.0})
    if isinstance(sae, BatchTopKTrainingSAE) and config.training.calibration_tokens:
        reporting.begin("setting the threshold for inference")
        calibrate_threshold(sae, stream, config.training.calibration_tokens)
    reporting.begin("saving the SAE, and measuring L0 and pair separation")
    # no more than it was trained on: of a large model a trial of two steps costs minutes as it is
    n_rows = min(config.training.n_tokens, N_ROWS_FOR_L0)
    batches = [next(stream) for _ in range(-(-n_rows // stream.batch_size))]
    unfinished = folder / "inference.new"
    shutil.rmtree(unfinished, ignore_errors=True)
    with _writing(unfinished, "the trained SAE"):
        sae.save_inference_model(unfinished)
    inference = SAE.load_from_disk(unfinished, device=str(sae.device))
    separation = pair_separation(inference, held_out, min(config.training.n_tokens, N_ROWS))
    outcome = replace(
        outcome,
        l0_training=mean_l0(sae, batches),
        l0_inference=mean_l0(inference, batches),
        pair_separation=separation.overall,
        pair_separation_by_kind=separation.by_kind,
        threshold=sae.topk_threshold.item() if isinstance(sae, BatchTopKTrainingSAE) else None,
        peak_memory_gib=peak_memory_gib(str(sae.device)),
        wall_seconds=round(outcome.wall_seconds + time.perf_counter() - started, 3),
    )
    write_outcome(folder, outcome)
    unfinished.rename(folder / "inference")
    StateFolder(folder / "trainer").remove()
    return outcome


def _outcome(trainer: ContrastiveSAETrainer) -> TrainingOutcome:
    loss = trainer.last_loss
    return TrainingOutcome(
        planned_steps=trainer.planned_steps,
        executed_steps=trainer.n_training_steps,
        n_tokens_used=trainer.n_training_steps * trainer.cfg.train_batch_size_samples,
        final_loss=loss if loss is not None and math.isfinite(loss) else None,
        wall_seconds=round(trainer.seconds, 3),
        peak_memory_gib=peak_memory_gib(trainer.cfg.device),
        epochs=trainer.data_provider.epochs,
    )


def _forget(folder: Path) -> None:
    for name in ("inference", "inference.new"):
        shutil.rmtree(folder / name, ignore_errors=True)
    StateFolder(folder / "trainer").remove()
    for name in (LOG_FILE, OUTCOME_FILE):
        (folder / name).unlink(missing_ok=True)


def _trained(config: RunConfig) -> TrainedSae:
    if not isinstance(config.sae, TrainedSae):
        raise UsageError(f"sae.architecture is '{config.sae.architecture}', which is not trained.")
    return config.sae
