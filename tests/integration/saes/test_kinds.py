"""Terms that look at one kind of pairs alone."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest
import torch

from csae_bench.saes.contrastive import ARCHITECTURES
from csae_bench.saes.step import PairedStepInput, PairIds

KINDS = {"same_sequence": slice(0, 10), "paraphrase": slice(10, 16)}
TERMS = {
    "rows": {"weight": 1.0},
    "triplet": {"weight": 1.0},
    "columns": {"weight": 1.0, "min_firings": 1},
    "barlow": {"weight": 1.0, "min_firings": 1},
    "cross_view": {"weight": 1.0, "min_latents": 1},
    "push_up": {"weight": 1.0, "min_latents": 1},
}


def _sae(kinds: list[str] | None) -> Any:
    torch.manual_seed(0)
    row = ARCHITECTURES["contrastive_topk"]
    losses = {name: {**settings, "pairs": kinds} for name, settings in TERMS.items()}
    config = row.training_config(d_in=8, d_sae=24, k=4, losses=losses)  # pyright: ignore[reportCallIssue]
    return row.training_sae(config)


def _step(n_pairs: int = 16, kinds: dict[str, slice] | None = None) -> PairedStepInput:
    generator = torch.Generator().manual_seed(1)
    return PairedStepInput(
        sae_in=torch.randn(32, 8, generator=generator)[-2 * n_pairs :],
        coefficients=dict.fromkeys(TERMS, 1.0),
        dead_neuron_mask=None,
        n_training_steps=0,
        is_logging_step=False,
        pairs=PairIds(torch.arange(n_pairs), kinds=KINDS if kinds is None else kinds),
    )


@pytest.mark.parametrize("term", TERMS)
def test_a_term_of_one_kind_has_the_value_that_these_pairs_alone_give(term: str) -> None:
    restricted = _sae(["paraphrase"]).training_forward_pass(_step())
    alone = _sae(None).training_forward_pass(_step(6, {}))
    assert restricted.metrics[f"raw/{term}"] == pytest.approx(
        float(alone.metrics[f"raw/{term}"]), rel=1e-5, abs=1e-6
    )


def test_naming_every_kind_is_looking_at_all() -> None:
    both = _sae(["same_sequence", "paraphrase"]).training_forward_pass(_step())
    every = _sae(None).training_forward_pass(_step())
    for term in TERMS:
        assert torch.equal(both.metrics[f"raw/{term}"], every.metrics[f"raw/{term}"])


def test_a_batch_without_the_kind_gives_a_term_nothing_to_compare() -> None:
    output = _sae(["paraphrase"]).training_forward_pass(_step(kinds={"same_sequence": slice(16)}))
    for term in TERMS:
        assert output.terms[term].n_compared == 0
        assert output.terms[term].value == 0
    output.loss.backward()


def test_pairs_of_kinds_keep_their_ids() -> None:
    pairs = PairIds(torch.arange(16), torch.arange(16) + 100, kinds=KINDS)
    chosen, places = pairs.of_kinds(["paraphrase"])
    assert places.tolist() == list(range(10, 16))
    assert chosen.sequence.tolist() == places.tolist()
    assert dataclasses.asdict(chosen)["group"].tolist() == (places + 100).tolist()
