"""What training and core cost for 1 to 16 SAEs of 1k to 64k latents: Markdown tables.

On the bundled model. Training is that of custom_sae's objective, SAEs side by side on the same
rows, per batch of 2048 rows; core's is per batch of 16 x 128 tokens, in its default proportion of
one reconstruction batch to about three sparsity batches. The cost of K SAEs is fitted as
m + K s, neither below 0: m is the model's, paid once, and s each SAE's. Next to them: the same by
counted operations at this machine's rate of a product of two 2048 x 2048 float32 matrices.

Counted for a step of an SAE: encoding all rows and half as many mixtures, 3 d_in d_sae a row; and
six products of active codes with rows of the decoder or the encoder, 12 d_in k a row.
"""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from statistics import mean
from typing import TYPE_CHECKING, Any, NamedTuple

import click

from benchmarks.core_many_saes import CONTEXT, N_PROMPTS, random_sae, run_ours, write_text
from benchmarks.measured_objective import rows_and_mixing
from benchmarks.operations import count_operations, matmul_rate
from benchmarks.timing import seconds

if TYPE_CHECKING:
    from transformer_lens import HookedTransformer

LAYER, K = 2, 18
N_BATCHES, N_LONG_BATCHES = (2, 6), (1, 3)
"""Batches of core for reconstruction and sparsity, up to and beyond `LONG` latents."""
BATCH = 2048
N_STEPS, N_LONG_STEPS = 8, 2
"""Rounds of training that are timed up to and beyond `LONG` latents."""
LONG = 4096


class Cost(NamedTuple):
    """Seconds of one batch."""

    of_many: dict[int, float]
    """By the number of SAEs."""
    model: float
    """By counted operations."""
    sae: float
    """By counted operations, of one SAE."""


@click.command()
@click.option("--n-saes", "numbers", type=int, multiple=True, default=(1, 2, 4, 8, 16))
@click.option("--d-sae", "widths", type=int, multiple=True, default=(1024, 4096, 16384, 65536))
@click.option("--only", type=click.Choice(["training", "core"]), default=None)
def main(numbers: tuple[int, ...], widths: tuple[int, ...], only: str | None) -> None:
    """Print the tables."""
    from csae_bench.cli.terminal import prepare_process

    prepare_process()  # as the command line does, before torch is imported
    from csae_bench import models

    model = models.load("tiny-gemma2-it")
    rate = matmul_rate()
    print(f"Products of 2048 x 2048 float32 matrices: {rate / 1e9:.0f} GFLOP/s.\n")
    for title, measure in (("training", _training), ("core", _core)):
        if only not in (None, title):
            continue
        costs: dict[int, Cost] = {}
        for width in widths:
            costs[width] = measure(model, numbers, width, rate)
        _print_table(title, numbers, costs)


def _report(title: str, n_saes: int, d_sae: int, taken: float) -> None:
    print(f"{title}, {n_saes} SAEs of {d_sae} latents: {taken:.3f} s a batch", file=sys.stderr)


def _print_table(title: str, numbers: Sequence[int], costs: dict[int, Cost]) -> None:
    import numpy as np
    from scipy.optimize import nnls

    header = [f"{title}: d_sae", *(f"{n} SAE{'s' * (n > 1)}" for n in numbers)]
    header += ["m", "s", "m by operations", "s by operations", "model's share, 1 SAE", "16 SAEs"]
    print(f"| {' | '.join(header)} |\n|{' --- |' * len(header)}")
    for width, cost in costs.items():
        each = np.array(list(cost.of_many.values()))
        # relative errors count: the cost of one SAE matters as that of sixteen does
        design = np.stack([np.ones(len(numbers)), np.array(numbers)], 1) / each[:, None]
        m, s = nnls(design, np.ones(len(numbers)))[0]
        shares = (m / (m + n * s) for n in (1, 16))
        cells = [f"{width:,}", *(f"{1000 * one:.0f}" for one in each)]
        cells += [f"{1000 * value:.1f}" for value in (m, s, cost.model, cost.sae)]
        print(f"| {' | '.join([*cells, *(f'{share:.0%}' for share in shares)])} |")
    print()


def _training(model: HookedTransformer, numbers: Sequence[int], d_sae: int, rate: float) -> Cost:
    rounds: dict[int, tuple[float, float]] = {}
    for n in numbers:
        rounds[n] = _round(model, n, d_sae)
        _report("training", n, d_sae, rounds[n][0])
    d_in = model.cfg.d_model
    prefix = count_operations(model, LAYER, CONTEXT, d_sae).prefix
    return Cost(
        {n: taken for n, (taken, _) in rounds.items()},
        model=prefix * mean(n_tokens for _, n_tokens in rounds.values()) / rate,
        sae=BATCH * d_in * (3 * d_sae + 12 * K) / rate,
    )


class _TokensRead:
    """Counts the tokens that a model reads."""

    def __init__(self, model: HookedTransformer) -> None:
        self.n = 0
        embed: Any = model.embed
        self._hook = embed.register_forward_pre_hook(self._count)

    def _count(self, _: Any, inputs: tuple[Any, ...]) -> None:
        self.n += inputs[0].numel()

    def stop(self) -> None:
        """Stop counting."""
        self._hook.remove()


def _round(model: HookedTransformer, n_saes: int, d_sae: int) -> tuple[float, float]:
    """Return the seconds of a step of each SAE on one batch, and the tokens read meanwhile."""
    from csae_bench.config.loading import load_config
    from csae_bench.pairs import SharedStream
    from csae_bench.training.data import pair_stream
    from csae_bench.training.sae_training import SaeTraining
    from csae_bench.training.task import TrainingTask

    # a buffer of two batches: the model runs in every round, not in one of eight
    sets = (f"sae.d_sae={d_sae}", f"training.n_tokens={1000 * BATCH}", "training.curriculum=[]",
            *rows_and_mixing(warm_up_steps=0),
            f"activations.pairs_in_buffer={BATCH}")  # fmt: skip
    config = load_config("custom_sae", sets=sets, model=None, seed=None, device=None, evals=None)
    with tempfile.TemporaryDirectory() as folder:
        stream = SharedStream(pair_stream(config.config, model))
        readers = [stream.reader() for _ in range(n_saes)]
        folders = [Path(folder) / str(i) for i in range(n_saes)]
        for own in folders:
            own.mkdir()
        trainings = [
            SaeTraining(
                TrainingTask(resolved=config, folder=own),
                reader,
                device="cpu",
                n_side_by_side=n_saes,
            )
            for own, reader in zip(folders, readers, strict=True)
        ]

        def round_() -> None:
            for training in trainings:
                training.step()

        n_steps = N_STEPS if d_sae <= LONG else N_LONG_STEPS
        round_()
        read = _TokensRead(model)
        taken = seconds(lambda: [round_() for _ in range(n_steps)])
        readers[0].wait()
        read.stop()
        return taken / n_steps, read.n / n_steps


def _core(model: HookedTransformer, numbers: Sequence[int], d_sae: int, rate: float) -> Cost:
    hook_name = f"blocks.{LAYER}.hook_resid_post"
    saes = [random_sae(seed, hook_name, model.cfg.d_model, d_sae) for seed in range(max(numbers))]
    batches = N_BATCHES if d_sae <= LONG else N_LONG_BATCHES
    n_batches = sum(batches)
    with tempfile.TemporaryDirectory() as folder:
        data = write_text(Path(folder) / "text", CONTEXT * N_PROMPTS * (n_batches + 4))

        def run(n_saes: int) -> None:
            run_ours(saes[:n_saes], model, data, hook_name, batches)

        run(1)
        of_many: dict[int, float] = {}
        for n in numbers:
            of_many[n] = seconds(lambda n=n: run(n)) / n_batches
            _report("core", n, d_sae, of_many[n])
    operations = count_operations(model, LAYER, CONTEXT, d_sae)
    per_batch = CONTEXT * N_PROMPTS / n_batches / rate
    one, two = (operations.of_ours(n, *batches) * per_batch for n in (1, 2))
    return Cost(of_many, model=2 * one - two, sae=two - one)


if __name__ == "__main__":
    main()
