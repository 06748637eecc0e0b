"""The end of a training: the threshold of inference, the saved SAE, and what it is measured on."""

from __future__ import annotations

import shutil
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

from sae_lens.saes.batchtopk_sae import BatchTopKTrainingSAE
from sae_lens.saes.sae import SAE, TrainingSAE

from csae_bench.activations.cache.draws import ActivationCache
from csae_bench.config import RunConfig
from csae_bench.hardware.peak_memory import peak_memory_gib
from csae_bench.pairs import PairBatches
from csae_bench.saes.folder import sort_cfg
from csae_bench.support import progress
from csae_bench.training.calibration import calibrate_threshold, mean_l0
from csae_bench.training.held_out_pairs import N_ROWS, measure_held_out_pairs
from csae_bench.training.outcome import TrainingOutcome, write_outcome
from csae_bench.training.saving import save
from csae_bench.training.state import StateFolder

N_ROWS_FOR_L0 = 16_384
"""Fresh rows on which L0 is counted, in the form that was trained and in that of inference, at
most."""


def finish(
    config: RunConfig,
    sae: TrainingSAE[Any],
    stream: PairBatches,
    held_out: PairBatches,
    folder: Path,
    outcome: TrainingOutcome,
    cache: ActivationCache | None = None,
) -> TrainingOutcome:
    """Calibrate, save what inference needs, and check that it does what was trained.

    Args:
        stream: after the last batch that was trained on.
        cache: of the rows, which gives its room on a full disk to the SAE.

    Raises:
        TrainingError: the SAE cannot be written.
    """
    started = time.perf_counter()
    if "same_sequence" in config.pairs.shares():
        # L0 is that of running text, which SAEs are used on; in paraphrases less is active
        stream.set_shares({"same_sequence": 1.0})
    if isinstance(sae, BatchTopKTrainingSAE) and config.training.calibration_tokens:
        progress.begin("setting the threshold for inference")
        calibrate_threshold(sae, stream, config.training.calibration_tokens)
    progress.begin("saving the SAE, and measuring L0 and what it makes of pairs")
    # no more than it was trained on: of a large model a trial of two steps costs minutes as it is
    n_rows = min(config.training.n_tokens, N_ROWS_FOR_L0)
    batches = [next(stream) for _ in range(-(-n_rows // stream.batch_size))]
    unfinished = folder / "inference.new"
    save(lambda: _save_sae(sae, unfinished), unfinished, "the trained SAE", cache)
    inference = SAE.load_from_disk(unfinished, device=str(sae.device))
    of_pairs = measure_held_out_pairs(inference, held_out, min(config.training.n_tokens, N_ROWS))
    outcome = replace(
        outcome,
        l0_training=mean_l0(sae, batches),
        l0_inference=mean_l0(inference, batches),
        pair_separation=of_pairs.separation,
        pair_separation_by_kind=of_pairs.separation_by_kind,
        shift_participation=of_pairs.shift_participation,
        threshold=sae.topk_threshold.item() if isinstance(sae, BatchTopKTrainingSAE) else None,
        peak_memory_gib=peak_memory_gib(str(sae.device)),
        wall_seconds=round(outcome.wall_seconds + time.perf_counter() - started, 3),
    )
    write_outcome(folder, outcome)
    unfinished.rename(folder / "inference")
    StateFolder(folder / "trainer").remove()
    return outcome


def _save_sae(sae: TrainingSAE[Any], unfinished: Path) -> None:
    shutil.rmtree(unfinished, ignore_errors=True)
    sae.save_inference_model(unfinished)
    sort_cfg(unfinished)
