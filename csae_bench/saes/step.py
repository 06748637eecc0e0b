"""Input of a training step whose rows are pairs, and output with the active codes."""

from __future__ import annotations

from dataclasses import dataclass

from sae_lens.saes.sae import TrainStepInput, TrainStepOutput

from csae_bench.errors import TrainingError
from csae_bench.saes.active_codes import ActiveCodes
from csae_bench.saes.pair_ids import PairIds

__all__ = ["PairIds", "PairedStepInput", "SparseStepOutput"]


@dataclass
class PairedStepInput(TrainStepInput):
    """SAELens's step input whose rows 2i and 2i + 1 are anchor and positive of pair i."""

    pairs: PairIds

    def __post_init__(self) -> None:
        n_rows = len(self.sae_in)
        if n_rows != 2 * len(self.pairs):
            raise TrainingError(
                f"A batch of {n_rows} rows came with the ids of {len(self.pairs)} pairs; "
                f"{len(self.pairs)} pairs are {2 * len(self.pairs)} rows."
            )


@dataclass
class SparseStepOutput(TrainStepOutput):
    """SAELens's step output, with the active codes by themselves where the SAE has them."""

    active_codes: ActiveCodes | None = None
