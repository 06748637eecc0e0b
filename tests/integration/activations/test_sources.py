"""Sequences of activations: of the bundled model, and of generated features."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import torch

from csae_bench import models
from csae_bench.activations.sources import (
    ActivationSource,
    EpochWarning,
    GeneratorSource,
    ModelSource,
    Sequences,
    model_source,
    special_token_ids,
)
from csae_bench.config import GeneratorActivations, ModelActivations
from csae_bench.errors import DataError, ModelError

if TYPE_CHECKING:
    from transformer_lens import HookedTransformer

HOOK = "blocks.2.hook_resid_post"
WORLD = GeneratorActivations(
    d_in=48, n_features=96, n_slow_features=3, n_fast_features=5, context_size=16
)


@pytest.fixture(scope="module")
def model() -> HookedTransformer:
    return models.load("tiny-gemma2-it")


@pytest.fixture
def small_folder(tmp_path: Path) -> str:
    """Five texts, which fill a few windows of 32 tokens."""
    from csae_bench.tinyworld import documents

    rows = [json.dumps({"text": text}) + "\n" for text in documents("sae", 5)]
    (tmp_path / "a.jsonl").write_text("".join(rows))
    return str(tmp_path)


def _of_model(
    model: HookedTransformer, dataset: str = "tinyworld", *, batch: int = 4, seed: int = 0
) -> ModelSource:
    settings = ModelActivations(dataset=dataset, context_size=32, batch_size_prompts=batch)
    return model_source(model, settings, hook_name=HOOK, seed=seed)


def _equal(one: Sequences, other: Sequences) -> bool:
    return all(torch.equal(mine, theirs) for mine, theirs in zip(one, other, strict=True))


def _check_resumes(make: Callable[[], ActivationSource], n_batches: int) -> None:
    source, restored = make(), make()
    for _ in range(n_batches):
        source.next_sequences()
    restored.load_state_dict(source.state_dict())
    for _ in range(3):
        assert _equal(source.next_sequences(), restored.next_sequences())


def test_activations_are_the_model_s_at_the_hook(model: HookedTransformer) -> None:
    source = _of_model(model)
    store = source._store
    sequences = source.next_sequences()
    again = _of_model(model)._store
    tokens = torch.stack([again.get_batch_tokens(1)[0] for _ in range(4)])
    cached = model.run_with_cache(tokens, prepend_bos=False)[1][HOOK]
    torch.testing.assert_close(sequences.acts, cached)
    assert sequences.acts.shape == (4, 32, store.d_in)


def test_special_tokens_are_not_usable_and_all_others_are(model: HookedTransformer) -> None:
    tokens = _of_model(model, batch=64)._store.get_batch_tokens(64)
    usable = _of_model(model, batch=64).next_sequences().usable
    words = [model.tokenizer.convert_ids_to_tokens(row) for row in tokens.tolist()]  # pyright: ignore
    special = {"<bos>", "<eos>", "<pad>", "<unk>", "<start_of_turn>", "<end_of_turn>"}
    assert special & {"<bos>", "<start_of_turn>"} <= {word for row in words for word in row}
    assert usable.tolist() == [[word not in special for word in row] for row in words]


def test_turn_markers_of_a_chat_count_as_special(model: HookedTransformer) -> None:
    words = model.tokenizer.convert_ids_to_tokens(special_token_ids(model.tokenizer))  # pyright: ignore
    assert {"<bos>", "<eos>", "<pad>", "<start_of_turn>", "<end_of_turn>"} <= set(words)


def test_each_text_of_a_window_is_a_sequence_of_its_own(model: HookedTransformer) -> None:
    tokens = _of_model(model, batch=64)._store.get_batch_tokens(64)
    ids = _of_model(model, batch=64).next_sequences().ids
    starts_text = tokens[:, 1:] == model.tokenizer.bos_token_id  # pyright: ignore
    assert torch.equal(ids[:, 1:] != ids[:, :-1], starts_text)
    assert starts_text.any()


def test_ids_of_sequences_are_unique(model: HookedTransformer) -> None:
    source = _of_model(model)
    per_batch = [source.next_sequences().ids.unique() for _ in range(5)]
    assert len(torch.cat(per_batch).unique()) == sum(len(ids) for ids in per_batch)


@pytest.mark.parametrize("n_batches", [0, 3])
def test_restored_model_source_continues_with_the_same_sequences(
    model: HookedTransformer, n_batches: int
) -> None:
    _check_resumes(lambda: _of_model(model), n_batches)


def test_restoring_runs_no_forward_pass(
    model: HookedTransformer, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = _of_model(model)
    monkeypatch.setattr(source._store, "get_activations", None)
    source.load_state_dict({"n_drawn": 40})
    assert source.state_dict() == {"n_drawn": 40}


def test_another_seed_reads_other_text(model: HookedTransformer) -> None:
    one, other = _of_model(model).next_sequences(), _of_model(model, seed=1).next_sequences()
    assert not torch.equal(one.acts, other.acts)


@pytest.mark.filterwarnings(
    "ignore::csae_bench.activations.sources.EpochWarning"
)  # of later passes
def test_a_dataset_that_ends_is_started_over_with_a_warning(
    model: HookedTransformer, small_folder: str
) -> None:
    source = _of_model(model, small_folder, batch=64)
    with pytest.warns(EpochWarning, match=r"ended after \d+ sequences of 32 tokens; .*pass 2"):
        sequences = source.next_sequences()
    n = source.windows_per_epoch
    assert n is not None
    assert source.epochs == 64 // n
    torch.testing.assert_close(sequences.acts[0], sequences.acts[n])


def test_no_sequence_is_lost_where_a_dataset_ends_within_a_batch(
    model: HookedTransformer, small_folder: str
) -> None:
    whole = _of_model(model, small_folder, batch=1)
    with pytest.warns(EpochWarning):
        one_by_one = torch.cat([whole.next_sequences().acts for _ in range(64)])
    with pytest.warns(EpochWarning):
        together = _of_model(model, small_folder, batch=64).next_sequences().acts
    torch.testing.assert_close(one_by_one, together, atol=1e-4, rtol=1e-4)  # batched kernels


def test_restored_source_knows_the_passes_it_made(
    model: HookedTransformer, small_folder: str, recwarn: pytest.WarningsRecorder
) -> None:
    source, restored = _of_model(model, small_folder), _of_model(model, small_folder)
    for _ in range(20):
        source.next_sequences()
    warned = len(recwarn)
    restored.load_state_dict(source.state_dict())
    assert len(recwarn) == warned, "reading again what was read before is no news"
    assert (restored.epochs, restored.windows_per_epoch) == (
        source.epochs,
        source.windows_per_epoch,
    )


def test_text_below_one_window_is_an_error(model: HookedTransformer, tmp_path: Path) -> None:
    (tmp_path / "a.jsonl").write_text('{"text": "The farmer"}\n')
    with pytest.raises(DataError, match="does not fill one sequence of 32 tokens"):
        _of_model(model, str(tmp_path)).next_sequences()


def test_a_broken_line_met_on_the_way_is_reported(model: HookedTransformer, tmp_path: Path) -> None:
    (tmp_path / "a.jsonl").write_text('{"text": "The farmer"}\n{"tex\n')
    with pytest.raises(DataError, match=r"a\.jsonl, line 2: is not JSON"):
        _of_model(model, str(tmp_path)).next_sequences()


def test_an_unknown_hook_is_an_error_with_a_suggestion(model: HookedTransformer) -> None:
    with pytest.raises(ModelError, match=r"Did you mean 'blocks\.2\.hook_resid_post'"):
        model_source(model, ModelActivations(), hook_name="blocks.2.hook_resid_pots", seed=0)


@pytest.mark.parametrize("n_batches", [0, 5])
def test_restored_generator_source_continues_with_the_same_sequences(n_batches: int) -> None:
    _check_resumes(lambda: GeneratorSource(WORLD, seed=3), n_batches)


def test_generated_activations_do_not_depend_on_the_global_generator() -> None:
    torch.manual_seed(0)
    one = GeneratorSource(WORLD, seed=0).next_sequences()
    torch.manual_seed(1)
    assert _equal(one, GeneratorSource(WORLD, seed=0).next_sequences())


def test_generated_seeds_are_different_worlds() -> None:
    one, other = (GeneratorSource(WORLD, seed=seed).next_sequences() for seed in (0, 1))
    assert not torch.equal(one.acts, other.acts)


def test_without_noise_generated_activations_lie_in_the_span_of_few_directions() -> None:
    world = WORLD.model_copy(update={"noise": 0.0, "n_slow_features": 2, "n_fast_features": 0})
    acts = GeneratorSource(world, seed=0).next_sequences().acts
    assert (torch.linalg.matrix_rank(acts) == 2).all(), "a sequence shares its slow features"
    assert torch.linalg.matrix_rank(acts.flatten(0, 1)) > 2


def test_generated_magnitudes_do_not_depend_on_the_width() -> None:
    for d_in in (32, 512):
        world = WORLD.model_copy(update={"d_in": d_in, "noise": 0.5})
        lengths = GeneratorSource(world, seed=0).next_sequences().acts.square().sum(-1).mean()
        # 8 features of mean square exp(2 * .5^2), and noise .5 long
        assert lengths == pytest.approx(8 * 1.6487 + 0.25, rel=0.1)
