"""A step on a GPU waits in known functions alone: torch raises at any other wait."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import pytest
import torch

from csae_bench.support.transfers import to_device
from csae_bench.training.data import pair_stream
from csae_bench.training.loop import ContrastiveSAETrainer
from csae_bench.training.objective_schedule import ObjectiveScheduleSettings
from csae_bench.training.settings import trainer_config
from tests.gpu.test_saes import SAES, config_of, sae_of
from tests.unit.training.known_waits import ALLOWED
from tests.unit.training.waiting import OTHERS, around

N_STEPS = 4


@contextmanager
def errors_but_in_known_functions() -> Iterator[None]:
    with around(
        ALLOWED | frozenset(OTHERS),
        lambda: torch.cuda.set_sync_debug_mode("default"),
        lambda: torch.cuda.set_sync_debug_mode("error"),
    ):
        torch.cuda.set_sync_debug_mode("error")
        try:
            yield
        finally:
            torch.cuda.set_sync_debug_mode("default")


@pytest.mark.parametrize("architecture", sorted(SAES))
def test_step_waits_in_known_functions_alone(architecture: str) -> None:
    config = config_of(architecture)
    stream = pair_stream(config, None, device="cuda")
    trainer = ContrastiveSAETrainer(
        trainer_config(config, "cuda"),
        sae_of(config, "cuda"),
        stream,
        schedule=ObjectiveScheduleSettings.of(config),
        progress=False,
    )
    for number in range(N_STEPS):
        trainer.schedule.before_step(number)
        batch = next(stream)
        torch.cuda.synchronize()
        with errors_but_in_known_functions():
            trainer.step(batch)
        trainer.n_training_steps += 1


def test_a_wait_elsewhere_is_an_error() -> None:
    number = torch.ones((), device="cuda")
    with errors_but_in_known_functions(), pytest.raises(RuntimeError, match="synchroniz"):
        number.item()


def test_copies_from_the_host_are_not_waited_for() -> None:
    rows = torch.rand(64, 32)
    with errors_but_in_known_functions():
        moved = to_device(rows, "cuda")
    assert torch.equal(moved.cpu(), rows)
