"""Probes of classes on the same rows for every SAE, their epoch chosen on rows kept from training.

SAE-Bench draws a probe's rows from a generator that everything before has drawn from too, and keeps
the epoch that is best on the test rows. Here rows depend on dataset, class and seed alone, and the
epoch is chosen on a fifth of the training rows; all else is SAE-Bench's own code.
"""

from __future__ import annotations

import contextlib
import hashlib
from collections.abc import Generator, Mapping
from typing import NamedTuple

import torch
from jaxtyping import Bool, Float, Int
from sae_bench.evals.sparse_probing import probe_training
from sae_bench.evals.sparse_probing.probe_training import Probe
from torch import Tensor

HELD_OUT = 5
"""One in so many of a probe's training rows chooses the epoch."""


class Rows(NamedTuple):
    """Rows of a probe, half of them of its class, in random order."""

    ids: Int[Tensor, " n_rows"]
    """Into the texts of all classes, one class after the other."""
    labels: Int[Tensor, " n_rows"]
    """1 for the class, else 0."""


class Schedule(NamedTuple):
    """How SAE-Bench trains a dense probe."""

    batch_size: int
    epochs: int
    lr: float
    patience: int = 10
    l1_penalty: float | None = None


def rows_of(
    counts: Mapping[str, int], class_name: str, place: str, seed: int, *, paired: bool = False
) -> Rows:
    """Draw the rows of a class's probe as SAE-Bench does, from a generator of their own.

    Args:
        counts: texts of each class, in order.
        place: dataset and use of the rows, such as `english:topic/test`.
        paired: take the negatives of scr, which are of the class's own counterpart.
    """
    numbered: dict[str, Tensor] = {}
    start = 0
    for name, n in counts.items():
        numbered[name] = torch.arange(start, start + n, dtype=torch.float64)[:, None]
        start += n
    with own_generator(f"{place}/{class_name}/{seed}"):
        ids, labels = probe_training.prepare_probe_data(numbered, class_name, paired)
    return Rows(ids[:, 0].long(), labels)


def held_out_probe(
    x: Float[Tensor, "n_rows width"],
    labels: Int[Tensor, " n_rows"],
    schedule: Schedule,
    place: str,
    seed: int,
) -> Probe:
    """Train SAE-Bench's dense probe; of its epochs the one best on held-out rows is returned."""
    n_held = len(x) // HELD_OUT
    with own_generator(f"{place}/{seed}"), torch.enable_grad():
        probe, _ = probe_training.train_probe_gpu(
            x[n_held:],
            labels[n_held:],
            x[:n_held],
            labels[:n_held],
            dim=x.shape[1],
            batch_size=schedule.batch_size,
            epochs=schedule.epochs,
            lr=schedule.lr,
            early_stopping_patience=schedule.patience,
            l1_penalty=schedule.l1_penalty,
        )
    return probe


@torch.no_grad()
def is_right(
    probe: Probe, x: Float[Tensor, "n_rows width"], labels: Int[Tensor, " n_rows"]
) -> Bool[Tensor, " n_rows"]:
    """Test which rows a probe gets right."""
    return (probe(x) > 0) == (labels == 1)


def top_k_accuracy(
    train: tuple[Float[Tensor, "n_train width"], Int[Tensor, " n_train"]],
    test: tuple[Float[Tensor, "n_test width"], Int[Tensor, " n_test"]],
    k: int,
) -> float:
    """Return the test accuracy of SAE-Bench's probe on the k columns with most difference."""
    (x, labels), (x_test, labels_test) = train, test
    chosen = ~probe_training.get_top_k_mean_diff_mask(x, labels, k)
    _, accuracy = probe_training.train_sklearn_probe(
        x[:, chosen], labels, x_test[:, chosen], labels_test
    )
    return float(accuracy)


@contextlib.contextmanager
def own_generator(place: str) -> Generator[None, None, None]:
    """Draw from a generator seeded with this place within; the global ones stay as they are."""
    digest = hashlib.blake2b(place.encode(), digest_size=4).digest()
    with torch.random.fork_rng():
        torch.manual_seed(int.from_bytes(digest, "big"))
        yield
