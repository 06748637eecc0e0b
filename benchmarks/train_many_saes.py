"""Eight SAEs trained side by side against one: each row is made once, and read by all.

SAEs of custom_sae that differ in k, at its full size, for 60 steps, with the end of training:
threshold, L0, pair separation. The ideal is 8 / (m + 8 s), with m the share of drawing the batches
and s the share of the SAE's steps in one training, measured apart in the same run. Trainings come
in turn, so that a machine that slows down slows all of them.
"""

from __future__ import annotations

import statistics
import sys
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from benchmarks.measured_objective import rows_and_mixing
from benchmarks.timing import seconds

if TYPE_CHECKING:
    from transformer_lens import HookedTransformer

    from csae_bench.config import ResolvedConfig

FIGURES = ("train_8_saes_of_ideal", "train_8_saes_speedup")
N_SAES, N_STEPS, N_TURNS = 8, 60, 2
SETS = (
    f"training.n_tokens={N_STEPS * 2048}",
    "training.lr_warm_up_steps=4",
    "training.lr_decay_steps=8",
    "training.curriculum=[{name: reconstruction, until: 0.07, strength: 0}, "
    "{name: contrast, until: 1}]",
    *rows_and_mixing(warm_up_steps=10),
)


class Times(NamedTuple):
    """Seconds of one turn."""

    drawing: float
    steps: float
    one: float
    many: float


def main() -> None:
    """Print the figures."""
    from csae_bench import models
    from csae_bench.config.loading import load_config

    configs = [
        load_config("custom_sae", sets=(*SETS, f"sae.k={14 + i}"), model=None, seed=None,
                    device=None, evals=None)
        for i in range(N_SAES)
    ]  # fmt: skip
    model = models.load("tiny-gemma2-it")
    _train(configs[:1], model)  # the first pass of a process
    turns = [_turn(configs, model) for _ in range(N_TURNS)]
    for turn in turns:
        print(", ".join(f"{k} {v:.1f} s" for k, v in turn._asdict().items()), file=sys.stderr)
    speedup = statistics.median(N_SAES * turn.one / turn.many for turn in turns)
    of_model = statistics.median(turn.drawing / (turn.drawing + turn.steps) for turn in turns)
    ideal = N_SAES / (of_model + N_SAES * (1 - of_model))
    print(f"m {of_model:.2f}, s {1 - of_model:.2f}, ideal {ideal:.2f}", file=sys.stderr)
    print(f"BENCH train_8_saes_of_ideal {speedup / ideal:.2f} share")
    print(f"BENCH train_8_saes_speedup {speedup:.2f} ratio")


def _turn(configs: list[ResolvedConfig], model: HookedTransformer) -> Times:
    from csae_bench.training.data import pair_stream

    stream = pair_stream(configs[0].config, model)
    batches: list[tuple[Any, Any, Any]] = []

    def draw() -> None:
        for _ in range(N_STEPS):
            rows = next(stream)
            batches.append((rows, stream.pairs, stream.counts))

    return Times(
        drawing=seconds(draw),
        steps=seconds(lambda: _make_steps(configs[0], _Replay(batches))),
        one=seconds(lambda: _train(configs[:1], model)),
        many=seconds(lambda: _train(configs, model)),
    )


def _train(configs: list[ResolvedConfig], model: HookedTransformer) -> None:
    from csae_bench.training.train import TrainingTask, train_side_by_side

    with tempfile.TemporaryDirectory() as folder:
        tasks = [
            TrainingTask(resolved=config, folder=Path(folder) / str(i))
            for i, config in enumerate(configs)
        ]
        for trained in train_side_by_side(tasks, model, progress=False):
            if trained.error is not None:
                raise trained.error


def _make_steps(config: ResolvedConfig, replay: _Replay) -> None:
    from csae_bench.pairs import SharedStream
    from csae_bench.training.sae_training import SaeTraining
    from csae_bench.training.task import TrainingTask

    stream: Any = replay
    with tempfile.TemporaryDirectory() as folder:
        task = TrainingTask(resolved=config, folder=Path(folder))
        training = SaeTraining(task, SharedStream(stream).reader(), device="cpu")
        while training.step():
            pass


class _Replay(Iterator[Any]):
    """Batches that were drawn before, as a PairStream gives them."""

    epochs = 0

    def __init__(self, batches: list[tuple[Any, Any, Any]]) -> None:
        self._batches = iter(batches)
        self.batch_size, self.d_in = batches[0][0].shape
        self.shares: dict[str, float] = {}

    def __next__(self) -> Any:
        rows, self.pairs, self.counts = next(self._batches)
        return rows

    def set_shares(self, shares: Mapping[str, float]) -> None:
        """Do nothing: what was drawn is drawn."""

    def check_shares(self, shares: Mapping[str, float]) -> None:
        """Do nothing: what was drawn is drawn."""

    def draw_ahead(self) -> None:
        """Do nothing: all is drawn."""

    def wait(self) -> None:
        """Do nothing: nothing is being drawn."""


if __name__ == "__main__":
    main()
