"""Pairs of the shipped model's activations, as training and measuring draw them."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import torch
from torch import Tensor

from csae_bench import models
from csae_bench.activations.sources import special_token_ids
from csae_bench.config import ParaphraseSettings, RunConfig
from csae_bench.corpora import CollectedParaphrases
from csae_bench.errors import ConfigError, ModelError
from csae_bench.pairs import ParaphrasePairs, activations_at
from csae_bench.tinyworld import DEFAULT_HOOK
from csae_bench.training.data import held_out_stream, pair_stream

if TYPE_CHECKING:
    from transformer_lens import HookedTransformer

BOTH = {"same_sequence": {"weight": 1}, "paraphrase": {"weight": 1}}
PARAPHRASES = {"same_sequence": {"weight": 0}, "paraphrase": {"weight": 1}}
WORLD = {"kind": "generator", "d_in": 64, "n_features": 16, "noise": 0.0, "pairs_in_buffer": 512}


@pytest.fixture(scope="module")
def model() -> HookedTransformer:
    return models.load("tiny-gemma2-it")


def _config(pairs: dict[str, Any], **changes: Any) -> RunConfig:
    settings = {
        "pairs": pairs,
        "training": {"batch_size": 256},
        "activations": {"batch_size_prompts": 16, "pairs_in_buffer": 512},
    }
    return RunConfig.model_validate({**settings, **changes})


def _alone(model: HookedTransformer, text: str) -> Tensor:
    """Activations of a text read by itself, of what may be in a pair."""
    tokens = model.to_tokens(text, prepend_bos=True)
    _, cache = model.run_with_cache(tokens, names_filter=DEFAULT_HOOK)
    special = torch.tensor(special_token_ids(model.tokenizer))
    return cache[DEFAULT_HOOK][0, ~torch.isin(tokens[0].cpu(), special)]


def _similarity(rows: Tensor) -> tuple[float, float]:
    """Mean cosine, after centring, of pairs and of rows of different pairs."""
    pairs = (rows - rows.mean(0)).view(-1, 2, rows.shape[1])
    alike = torch.cosine_similarity(pairs[:, 0], pairs[:, 1]).mean()
    unlike = torch.cosine_similarity(pairs[:, 0], pairs[:, 1].roll(1, 0)).mean()
    return alike.item(), unlike.item()


def test_rows_are_the_model_s_activations_whatever_shares_the_forward_pass(
    model: HookedTransformer,
) -> None:
    texts = ("We never saw a sail", " the queen and Anna never saw the sail")
    longer = (" she saw the rocket and Mary saw it" * 3, " the rocket was not by Mary" * 3)
    source = ParaphrasePairs(
        model,
        activations_at(model, DEFAULT_HOOK),
        CollectedParaphrases((texts, longer), n_alone=0),
        ParaphraseSettings(positions="last"),
        d_in=128,
        context_size=64,
        batch_size_prompts=4,
        seed=0,
    )
    pairs = source.next_pairs()
    assert pairs.group.tolist() == [0, 1]
    assert pairs.rows.dtype == torch.float32
    assert not pairs.rows.requires_grad
    for group, members in enumerate((texts, longer)):
        expected = torch.stack([_alone(model, text)[-1] for text in members])
        swapped = not torch.allclose(pairs.rows[group], expected, atol=1e-3)
        # sums in another order, of values up to 40
        torch.testing.assert_close(
            pairs.rows[group], expected.flip(0) if swapped else expected, atol=1e-3, rtol=1e-4
        )


def test_batches_have_both_kinds_and_aligned_paraphrases_are_alike(
    model: HookedTransformer,
) -> None:
    pairs = pair_stream(_config(BOTH), model)
    rows = next(pairs)
    assert pairs.counts == {"same_sequence": 64, "paraphrase": 64}
    alike, unlike = _similarity(rows[128:])
    assert alike > 0.25 > 0.05 > unlike


def test_shuffled_paraphrases_are_no_more_alike_than_strangers(model: HookedTransformer) -> None:
    shuffled = next(pair_stream(_config({**PARAPHRASES, "shuffled": True}), model))
    plain = next(pair_stream(_config(PARAPHRASES), model))
    assert _similarity(shuffled)[0] < 0.05 < 0.25 < _similarity(plain)[0]
    assert torch.equal(plain.sort(0).values, shuffled.sort(0).values)


def test_a_restored_mixture_resumes_with_the_same_batches(model: HookedTransformer) -> None:
    pairs = pair_stream(_config(BOTH), model)
    for _ in range(3):
        next(pairs)
    restored = pair_stream(_config(BOTH), model)
    restored.load_state_dict(pairs.state_dict())
    for _ in range(10):
        assert torch.equal(next(pairs), next(restored))


def test_held_out_texts_are_none_of_training_s(model: HookedTransformer) -> None:
    config = _config({**BOTH, "shuffled": True})
    training, held_out = pair_stream(config, model), held_out_stream(config, model)
    seen = torch.cat([next(training) for _ in range(8)])
    rows = next(held_out)
    assert held_out.counts == training.counts
    n_new = len(torch.cat([seen, rows]).unique(dim=0)) - len(seen.unique(dim=0))
    assert n_new > 0.9 * len(rows)  # the others are beginnings that many texts have
    assert _similarity(rows[128:])[0] > 0.25  # held-out pairs are never shuffled
    assert torch.equal(next(held_out_stream(config, model)), rows)


def test_held_out_generated_activations_are_other_batches_of_the_same_world() -> None:
    config = _config({}, activations=WORLD)
    seen = torch.cat([next(pair_stream(config, None)) for _ in range(2)])
    rows = next(held_out_stream(config, None))
    assert torch.cdist(rows, seen).min() > 0.01
    # 16 directions without noise: what training saw spans all of the world
    outside = rows - rows @ torch.linalg.pinv(seen) @ seen
    assert outside.norm() < 1e-3 * rows.norm()


def test_paraphrases_of_generated_activations_are_an_error() -> None:
    with pytest.raises(ConfigError, match=r"kind is generator: there is no language model"):
        pair_stream(_config(BOTH, activations=WORLD), None)


def test_paraphrases_without_a_model_or_with_a_wrong_hook_are_an_error(
    model: HookedTransformer,
) -> None:
    with pytest.raises(ModelError, match="no model was passed"):
        pair_stream(_config(PARAPHRASES), None)
    config = _config(PARAPHRASES, hook_name="blocks.2.hook_resid_pots")
    with pytest.raises(ModelError, match=r"Did you mean 'blocks\.2\.hook_resid_post'"):
        pair_stream(config, model)


def test_paraphrases_alone_need_no_text_to_read(model: HookedTransformer, tmp_path: Path) -> None:
    activations = {"dataset": str(tmp_path / "nowhere"), "pairs_in_buffer": 512}
    assert next(pair_stream(_config(PARAPHRASES, activations=activations), model)).shape[0] == 256
