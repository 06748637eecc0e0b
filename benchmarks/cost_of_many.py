"""What training and core cost for 1 to 16 SAEs of 1k to 64k latents: Markdown tables.

On the bundled model. Training is that of custom_sae's objective, SAEs side by side on the same
rows, per batch of 2048 rows; core's is per batch of 16 x 128 tokens, in its default proportion of
one reconstruction batch to about three sparsity batches. The cost of K SAEs is fitted as
m + K s: m is the model's, paid once, and s each SAE's. Next to them: the same by counted operations
at this machine's rate of a product of two 2048 x 2048 float32 matrices.

Counted for a step of an SAE: encoding all rows and half as many mixtures, 3 d_in d_sae a row; and
six products of active codes with rows of the decoder or the encoder, 12 d_in k a row.
"""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import click

from benchmarks.core_many_saes import CONTEXT, N_PROMPTS, random_sae, run_ours, write_text
from benchmarks.operations import count_operations, matmul_rate
from benchmarks.timing import seconds

if TYPE_CHECKING:
    from transformer_lens import HookedTransformer

LAYER, K = 2, 18
N_RECONSTRUCTION, N_SPARSITY = 2, 6
N_STEPS, BATCH = 3, 2048


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
def main(numbers: tuple[int, ...], widths: tuple[int, ...]) -> None:
    """Print the tables."""
    from csae_bench.cli.terminal import prepare_process

    prepare_process()  # as the command line does, before torch is imported
    from csae_bench import models

    model = models.load("tiny-gemma2-it")
    rate = matmul_rate()
    print(f"Products of 2048 x 2048 float32 matrices: {rate / 1e9:.0f} GFLOP/s.\n")
    for title, measure in (("training", _training), ("core", _core)):
        costs: dict[int, Cost] = {}
        for width in widths:
            costs[width] = measure(model, numbers, width, rate)
            print(f"{title}, d_sae {width}: {costs[width]}", file=sys.stderr)
        _print_table(title, numbers, costs)


def _print_table(title: str, numbers: Sequence[int], costs: dict[int, Cost]) -> None:
    import numpy as np

    header = [f"{title}: d_sae", *(f"{n} SAE{'s' * (n > 1)}" for n in numbers)]
    header += ["m", "s", "m by operations", "s by operations", "model's share, 1 SAE", "16 SAEs"]
    print(f"| {' | '.join(header)} |\n|{' --- |' * len(header)}")
    for width, cost in costs.items():
        each = np.array(list(cost.of_many.values()))
        # relative errors count: the cost of one SAE matters as that of sixteen does
        design = np.stack([np.ones(len(numbers)), np.array(numbers)], 1) / each[:, None]
        (m, s), *_ = np.linalg.lstsq(design, np.ones(len(numbers)), rcond=None)
        shares = (m / (m + n * s) for n in (1, 16))
        cells = [f"{width:,}", *(f"{1000 * one:.0f}" for one in each)]
        cells += [f"{1000 * value:.1f}" for value in (m, s, cost.model, cost.sae)]
        print(f"| {' | '.join([*cells, *(f'{share:.0%}' for share in shares)])} |")
    print()


def _training(model: HookedTransformer, numbers: Sequence[int], d_sae: int, rate: float) -> Cost:
    n_read = _TokensRead(model)
    of_many = {n: _seconds_of_a_round(model, n, d_sae) for n in numbers}
    d_in = model.cfg.d_model
    n_batches = len(numbers) * (N_STEPS + 2)  # those of the warm-up and the one drawn ahead too
    prefix = count_operations(model, LAYER, CONTEXT, d_sae).prefix
    return Cost(
        of_many,
        model=prefix * n_read.stop() / n_batches / rate,
        sae=BATCH * d_in * (3 * d_sae + 12 * K) / rate,
    )


class _TokensRead:
    """Counts the tokens that a model reads."""

    def __init__(self, model: HookedTransformer) -> None:
        self._n = 0
        embed: Any = model.embed
        self._hook = embed.register_forward_pre_hook(self._count)

    def _count(self, _: Any, inputs: tuple[Any, ...]) -> None:
        self._n += inputs[0].numel()

    def stop(self) -> int:
        """Stop counting; return how many they were."""
        self._hook.remove()
        return self._n


def _seconds_of_a_round(model: HookedTransformer, n_saes: int, d_sae: int) -> float:
    """Return the seconds of a step of each SAE, batch drawn; the first round is not timed."""
    from csae_bench.config.loading import load_config
    from csae_bench.pairs import SharedStream
    from csae_bench.training.data import pair_stream
    from csae_bench.training.sae_training import SaeTraining
    from csae_bench.training.task import TrainingTask

    sets = (f"sae.d_sae={d_sae}", f"training.n_tokens={1000 * BATCH}", "training.curriculum=[]",
            "sae.losses.rows.warm_up_steps=0", "sae.losses.mixing.warm_up_steps=0")  # fmt: skip
    config = load_config("custom_sae", sets=sets, model=None, seed=None, device=None, evals=None)
    with tempfile.TemporaryDirectory() as folder:
        stream = SharedStream(pair_stream(config.config, model))
        readers = [stream.reader() for _ in range(n_saes)]
        trainings = [
            SaeTraining(
                TrainingTask(resolved=config, folder=Path(folder) / str(i)),
                reader,
                device="cpu",
                n_side_by_side=n_saes,
            )
            for i, reader in enumerate(readers)
        ]

        def round_() -> None:
            for training in trainings:
                training.step()

        round_()
        taken = seconds(lambda: [round_() for _ in range(N_STEPS)]) / N_STEPS
        readers[0].wait()
        return taken


def _core(model: HookedTransformer, numbers: Sequence[int], d_sae: int, rate: float) -> Cost:
    hook_name = f"blocks.{LAYER}.hook_resid_post"
    saes = [random_sae(seed, hook_name, model.cfg.d_model, d_sae) for seed in range(max(numbers))]
    batches = (N_RECONSTRUCTION, N_SPARSITY)
    n_batches = sum(batches)
    with tempfile.TemporaryDirectory() as folder:
        data = write_text(Path(folder) / "text", CONTEXT * N_PROMPTS * (n_batches + 4))

        def run(n_saes: int) -> None:
            run_ours(saes[:n_saes], model, data, hook_name, batches)

        run(1)
        of_many = {n: seconds(lambda n=n: run(n)) / n_batches for n in numbers}
    operations = count_operations(model, LAYER, CONTEXT, d_sae)
    per_batch = CONTEXT * N_PROMPTS / n_batches / rate
    one, two = (operations.of_ours(n, *batches) * per_batch for n in (1, 2))
    return Cost(of_many, model=2 * one - two, sae=two - one)


if __name__ == "__main__":
    main()
