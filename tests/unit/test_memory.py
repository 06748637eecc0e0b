"""csae_bench/memory.py."""

from __future__ import annotations

import pytest

from csae_bench.config.loading import load_config
from csae_bench.memory import GIB, available_bytes, estimate, largest_batch
from csae_bench.models import describe


def test_the_seed_experiments_logits_are_counted_as_large_as_they_were() -> None:
    # the one real error there: a logits tensor of 16 x 128 x 256,000 x 2 bytes, 1000 MiB
    config = load_config("seed_run_1").config
    needed = estimate(config, describe("google/gemma-2-2b"), eval_batch=16, eval_context=128)
    one_tensor = 16 * 128 * 256_000 * 2
    assert needed.evaluation["logits"] == pytest.approx(6 * one_tensor)


def test_the_optimizer_holds_two_copies_of_the_sae() -> None:
    config = load_config("custom_sae").config
    needed = estimate(config, describe("tiny-gemma2-it"), eval_batch=16, eval_context=128)
    assert needed.training["optimizer"] == 2 * needed.training["SAE"]
    assert needed.training["SAE"] == 4 * (2 * 128 * 1024 + 128 + 2 * 1024)


def test_the_suggested_batch_fits_and_twice_as_much_does_not() -> None:
    config, model = load_config("gemma_2_2b").config, describe("google/gemma-2-2b")
    available = 10 * GIB
    batch = largest_batch(config, model, available=available, eval_context=128)
    for size, fits in ((batch, True), (2 * batch, False)):
        needed = estimate(config, model, eval_batch=size, eval_context=128)
        assert (sum(needed.evaluation.values()) <= available) is fits


def test_nothing_fits_into_nothing() -> None:
    config, model = load_config("gemma_2_2b").config, describe("google/gemma-2-2b")
    assert largest_batch(config, model, available=1 * GIB, eval_context=128) == 0


def test_memory_of_a_device_that_is_not_there_is_not_known() -> None:
    assert available_bytes("cuda:7") is None
    assert (available_bytes("cpu") or 0) > 0
