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


THREE = {"same_sequence": slice(0, 6), "paraphrase": slice(6, 10), "minimal": slice(10, 16)}


def test_pairs_of_kinds_keep_their_ids() -> None:
    pairs = PairIds(torch.arange(16), torch.arange(16) + 100, kinds=KINDS)
    chosen, places = pairs.of_kinds(["paraphrase"])
    assert places is not None
    assert places.runs == (slice(10, 16),)
    assert chosen.sequence.tolist() == list(range(10, 16))
    assert dataclasses.asdict(chosen)["group"].tolist() == list(range(110, 116))


@pytest.mark.parametrize(
    ("kinds", "runs"),
    [
        (None, [(0, 10)]),
        (["same_sequence", "paraphrase"], [(0, 10)]),
        (["same_sequence", "minimal"], [(0, 6), (10, 16)]),
        (["minimal"], [(10, 16)]),
        ([], []),
    ],
)
def test_kinds_that_stand_side_by_side_are_one_run(
    kinds: list[str] | None, runs: list[tuple[int, int]]
) -> None:
    chosen, places = PairIds(torch.arange(16), kinds=THREE).of_kinds(kinds)
    assert places is not None
    assert places.runs == tuple(slice(*run) for run in runs)
    expected = [i for run in runs for i in range(*run)]
    assert chosen.sequence.tolist() == expected
    rows = torch.arange(32)
    assert places.of(rows, n_each=2).tolist() == places.rows(rows.device).tolist()
    assert places.rows(rows.device).tolist() == [j for i in expected for j in (2 * i, 2 * i + 1)]


@pytest.mark.parametrize("term", TERMS)
def test_a_term_that_names_no_kind_leaves_minimal_pairs_out(term: str) -> None:
    with_minimal = _sae(None).training_forward_pass(_step(kinds=THREE))
    alike = _sae(["same_sequence", "paraphrase"]).training_forward_pass(_step(kinds=THREE))
    assert torch.equal(with_minimal.metrics[f"raw/{term}"], alike.metrics[f"raw/{term}"])
    every = _sae(None).training_forward_pass(_step())
    assert not torch.equal(with_minimal.metrics[f"raw/{term}"], every.metrics[f"raw/{term}"])


@pytest.mark.parametrize("architecture", ["contrastive_topk", "contrastive_batchtopk"])
def test_minimal_negatives_are_the_changed_texts_of_the_same_anchors(architecture: str) -> None:
    """By hand: the same pairs with their minimal pairs' rows given as what they are."""
    row = ARCHITECTURES[architecture]
    step = _step(kinds=THREE)
    minimal = torch.full((16,), -1)
    minimal[7], minimal[9] = 12, 10
    step.sae_in[[14, 18]] = step.sae_in[[24, 20]]  # the same anchors
    step.pairs = dataclasses.replace(step.pairs, minimal=minimal)
    losses = {name: {"weight": 1.0, "minimal_negatives": True} for name in ("rows", "triplet")}
    torch.manual_seed(0)
    config = row.training_config(d_in=8, d_sae=24, k=4, losses=losses)  # pyright: ignore[reportCallIssue]
    sae: Any = row.training_sae(config)
    output = sae.training_forward_pass(step)
    codes = output.feature_acts.detach()
    anchors, positives = codes[0:20:2], codes[1:20:2]
    cosine = torch.nn.functional.cosine_similarity
    own = cosine(anchors, positives)
    every = cosine(anchors[:, None], positives[None], dim=2).fill_diagonal_(-torch.inf)
    hard = torch.full((2, 10), -torch.inf)
    for pair, of_minimal in ((7, 12), (9, 10)):
        changed = codes[2 * of_minimal + 1]
        hard[0, pair] = cosine(anchors[pair], changed, dim=0)
        hard[1, pair] = cosine(positives[pair], changed, dim=0)
    sides = torch.stack([every, every.T])
    nearest = torch.maximum(sides.amax(2), hard)
    expected = (0.2 + nearest - own).relu().mean()
    assert float(output.terms["triplet"].value.detach()) == pytest.approx(float(expected), rel=1e-4)
    logits = torch.cat([sides, hard[:, :, None], own.expand(2, -1)[:, :, None]], 2) / 0.2
    expected = (logits.logsumexp(2) - own / 0.2).mean()
    assert float(output.terms["rows"].value.detach()) == pytest.approx(float(expected), rel=1e-4)
