"""csae_bench/hardware/memory.py."""

from __future__ import annotations

from typing import Any

import pytest

from csae_bench.config import RunConfig
from csae_bench.config.loading import load_config
from csae_bench.config.loss_terms import LOSS_TERMS, ColumnsSettings, RowsSettings
from csae_bench.hardware.memory import (
    GIB,
    MemoryEstimate,
    available_bytes,
    compared,
    estimate,
    largest_batch,
    term_bytes,
)
from csae_bench.models import describe


def test_the_original_experiments_logits_are_counted_as_large_as_they_were() -> None:
    # the one real error there: a logits tensor of 16 x 128 x 256,000 x 2 bytes, 1000 MiB
    config = load_config("original_run_1").config
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


def test_each_kind_of_pairs_has_a_buffer_of_its_own() -> None:
    model = describe("tiny-gemma2-it")
    one, two = (
        estimate(load_config("custom_sae", sets=sets).config, model, eval_batch=1, eval_context=8)
        for sets in (["pairs.minimal.weight=0"], [])
    )
    assert two.training["pairs in the buffer"] == 2 * one.training["pairs in the buffer"]


def test_rows_need_two_views_of_their_block_and_similarities_of_all_pairs() -> None:
    term = RowsSettings(weight=1, latent_fraction=0.2)
    assert compared(term, n_pairs=2048, d_sae=16384) == (3277, 2048)
    views, similarities = 4 * 2 * 2 * 2048 * 3277, 4 * 4 * 2048**2
    assert term_bytes(term, n_pairs=2048, d_sae=16384) == views + similarities


def test_columns_need_no_more_than_their_sample_whatever_the_width() -> None:
    term = ColumnsSettings(weight=1, n_latents=2048)
    small, large = (term_bytes(term, n_pairs=2048, d_sae=d_sae) for d_sae in (16384, 65536))
    assert small == large
    assert compared(term, n_pairs=8, d_sae=1024) == (1024, 1024)


@pytest.mark.parametrize("term", LOSS_TERMS)
def test_no_term_grows_with_the_square_of_the_width(term: str) -> None:
    settings = LOSS_TERMS[term](weight=1)
    small, large = (term_bytes(settings, n_pairs=64, d_sae=d_sae) for d_sae in (2**14, 2**16))
    assert 0 < large <= 4 * small


def test_terms_are_counted_in_the_stage_that_needs_most() -> None:
    def terms(weight: float, *stages: dict[str, object]) -> float:
        config = RunConfig.model_validate(
            {
                "activations": {"kind": "generator"},
                "sae": {"losses": {"rows": {"weight": weight}}},
                "training": {"curriculum": stages},
            }
        )
        return estimate(config, None, eval_batch=1, eval_context=8).training["contrastive terms"]

    alone, together = {"name": "a", "until": 0.5, "strength": 0}, {"name": "b", "until": 1}
    assert terms(1) == terms(1, alone, together) > 0
    assert terms(0) == 0


GEMMA = "google/gemma-2-2b"


def gemma(device: str, **shape: Any) -> MemoryEstimate:
    config = load_config("gemma_2_2b").config.model_copy(update={"device": device})
    return estimate(config, describe(GEMMA), **{"eval_batch": 1, "eval_context": 16, **shape})


def test_loading_on_the_cpu_needs_the_weights_and_one_embedding() -> None:
    parts = gemma("cpu").loading
    embedding = 256_000 * 2304 * 2
    assert parts["model weights"] == 2 * describe(GEMMA).n_parameters
    assert parts["copy of the embedding"] == embedding
    assert gemma("cuda").loading == {}


def test_a_second_language_model_is_held_with_the_first() -> None:
    alone, both = gemma("cpu"), gemma("cpu", more_weights=6 * GIB)
    for phase in ("evaluation", "loading"):
        sums = [sum(getattr(needed, phase).values()) for needed in (alone, both)]
        assert sums[1] - sums[0] == pytest.approx(6 * GIB)
    assert both.training == alone.training
    assert both.checking == alone.checking


def test_logits_are_counted_of_the_positions_that_have_them() -> None:
    every, last = (gemma("cpu", eval_batch=8, eval_logits=n).evaluation for n in (None, 1))
    assert every["logits"] == 16 * last["logits"]
    assert every["codes"] == last["codes"]


def test_the_check_of_life_reads_16_texts_of_the_trainings_length() -> None:
    assert gemma("cpu").checking["logits"] == 3 * 16 * 128 * 256_000 * 2
    assert gemma("cpu").checking == gemma("cpu", eval_batch=64).checking


def test_the_largest_phase_decides() -> None:
    needed = gemma("cpu", eval_batch=64, eval_context=128)
    assert needed.largest[0] == "evaluation"
    assert needed.peak == sum(needed.evaluation.values())
    assert gemma("cuda").largest[0] == "training"
