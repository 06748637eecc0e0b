"""What goes wrong in training is loud, and says where."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file
from torch import Tensor

from csae_bench.activations.sources import GeneratorSource, Sequences
from csae_bench.config import ResolvedConfig
from csae_bench.errors import ModelError, TrainingError, UsageError
from csae_bench.pairs import PairStream
from csae_bench.saes import losses
from csae_bench.saes.views import Views
from csae_bench.training.data import sample_rows
from csae_bench.training.loop import ContrastiveSAETrainer
from csae_bench.training.outcome import read_outcome
from csae_bench.training.train import train

Resolve = Callable[..., ResolvedConfig]


def _spoil_activations(monkeypatch: pytest.MonkeyPatch, value: float, after: int) -> None:
    draw = GeneratorSource.next_sequences
    drawn = 0

    def spoilt(self: GeneratorSource) -> Sequences:
        nonlocal drawn
        drawn += 1
        sequences = draw(self)
        if drawn > after:
            sequences.acts[3, 2, 1] = value
        return sequences

    monkeypatch.setattr(GeneratorSource, "next_sequences", spoilt)


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_a_bad_activation_stops_training_and_names_step_loss_and_cause(
    value: float, resolve: Resolve, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _spoil_activations(monkeypatch, value, after=12)
    with pytest.raises(TrainingError, match=r"^Step \d+: mse_loss is (nan|inf)\. [1-9]\d* of the"):
        train(resolve(), None, tmp_path, progress=False)
    assert not (tmp_path / "inference").exists()
    outcome = read_outcome(tmp_path)
    assert 0 < outcome.executed_steps < outcome.planned_steps == 40


def test_a_term_that_is_not_finite_is_named(
    resolve: Resolve, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows = losses.rows

    def bad(*args: Any, **settings: Any) -> losses.TermValue:
        term = rows(*args, **settings)
        return term._replace(value=term.value * float("nan"))

    monkeypatch.setattr(losses, "rows", bad)
    with pytest.raises(TrainingError, match=r"^Step 1: rows is nan\.$"):
        train(resolve(), None, tmp_path, progress=False)


def _with_infinite_slope(codes: torch.Tensor) -> torch.Tensor:
    return (codes.sum() * 0).sqrt()  # 0


def test_a_gradient_that_is_not_finite_is_named_where_every_loss_is_fine(
    resolve: Resolve, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows = losses.rows

    def bad(views: Views, **settings: Any) -> losses.TermValue:
        term = rows(views, **settings)
        return term._replace(value=term.value + _with_infinite_slope(views.codes))

    monkeypatch.setattr(losses, "rows", bad)
    with pytest.raises(
        TrainingError, match="the gradient of rows is not finite, though every loss is"
    ):
        train(resolve(), None, tmp_path, progress=False)


def test_debugging_gradients_names_the_operation_and_its_line(
    resolve: Resolve, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows = losses.rows

    def bad(views: Views, **settings: Any) -> losses.TermValue:
        term = rows(views, **settings)
        return term._replace(value=term.value + _with_infinite_slope(views.codes))

    monkeypatch.setattr(losses, "rows", bad)
    where = r"the gradient of \w+ is the first .* in .*:\d+, in _with_infinite_slope"
    with pytest.raises(TrainingError, match=where):
        train(resolve(training={"debug_gradients": True}), None, tmp_path, progress=False)


def test_debugging_gradients_changes_no_weight(resolve: Resolve, tmp_path: Path) -> None:
    for name, debug in (("plain", False), ("debug", True)):
        train(resolve(training={"debug_gradients": debug}), None, tmp_path / name, progress=False)
    plain, debug = (
        load_file(tmp_path / name / "inference" / "sae_weights.safetensors")
        for name in ("plain", "debug")
    )
    assert all(torch.equal(plain[key], debug[key]) for key in plain)


def test_one_sequence_in_a_batch_stops_a_term_that_has_no_negatives(
    resolve: Resolve, tmp_path: Path
) -> None:
    one_sequence = {"context_size": 128, "batch_size_prompts": 1, "pairs_in_buffer": 64}
    resolved = resolve(activations=one_sequence, training={"n_tokens": 128 * 60})
    reason = "'rows' is switched on and has been exactly 0 for 50 steps: 0 pairs with a negative"
    with pytest.raises(TrainingError, match=reason):
        train(resolved, None, tmp_path, progress=False)
    assert read_outcome(tmp_path).executed_steps == 49


def test_a_batch_of_one_pair_stops_in_the_same_way(resolve: Resolve, tmp_path: Path) -> None:
    resolved = resolve(training={"n_tokens": 2 * 60, "batch_size": 2})
    with pytest.raises(TrainingError, match="0 pairs with a negative"):
        train(resolved, None, tmp_path, progress=False)


def test_equal_rows_train_to_a_term_of_log_n_and_are_reported(
    resolve: Resolve, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    draw = GeneratorSource.next_sequences

    def equal(self: GeneratorSource) -> Sequences:
        sequences = draw(self)
        return sequences._replace(acts=torch.ones_like(sequences.acts))

    monkeypatch.setattr(GeneratorSource, "next_sequences", equal)
    train(resolve(), None, tmp_path, progress=False)
    line = json.loads((tmp_path / "training_log.jsonl").read_text().splitlines()[-1])
    assert line["explained_variance"] is None
    assert 0 < line["loss/rows"] <= math.log(64) + 1e-5


def test_weights_are_untouched_by_the_step_that_fails(
    resolve: Resolve, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[ContrastiveSAETrainer] = []
    make_step = ContrastiveSAETrainer.step

    def watched(self: ContrastiveSAETrainer, batch: torch.Tensor) -> Any:
        seen.append(self)
        return make_step(self, batch)

    monkeypatch.setattr(ContrastiveSAETrainer, "step", watched)
    _spoil_activations(monkeypatch, float("nan"), after=12)
    with pytest.raises(TrainingError):
        train(resolve(), None, tmp_path, progress=False)
    assert all(weights.isfinite().all() for weights in seen[0].sae.parameters())


@pytest.mark.filterwarnings("ignore:The term 'rows' counts at no step")
def test_zero_steps_are_an_error_with_the_arithmetic(resolve: Resolve, tmp_path: Path) -> None:
    resolved = resolve(training={"n_tokens": 100, "lr_warm_up_steps": 0, "lr_decay_steps": 0})
    with pytest.raises(TrainingError, match="100 tokens / batch 128 = 0 steps; need at least 128"):
        train(resolved, None, tmp_path, progress=False)


def test_memory_that_runs_out_is_an_error_that_names_what_to_lower(
    resolve: Resolve, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: Any) -> None:
        raise torch.OutOfMemoryError("CUDA out of memory.")

    monkeypatch.setattr(ContrastiveSAETrainer, "step", full)
    with pytest.raises(TrainingError, match=r"Step 1: memory ran out\. Lower training\.batch_size"):
        train(resolve(), None, tmp_path, progress=False)


def test_an_error_of_ours_is_not_taken_for_memory(
    resolve: Resolve, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: Any) -> None:
        raise RuntimeError("a bug")

    monkeypatch.setattr(ContrastiveSAETrainer, "step", broken)
    with pytest.raises(RuntimeError, match="a bug"):
        train(resolve(), None, tmp_path, progress=False)


def test_model_activations_without_a_model_are_an_error(resolve: Resolve, tmp_path: Path) -> None:
    resolved = resolve()
    config = resolved.config.model_copy(update={"activations": type(resolved.config)().activations})
    with pytest.raises(ModelError, match="no model was passed"):
        train(resolved.model_copy(update={"config": config}), None, tmp_path, progress=False)


def test_a_baseline_cannot_be_trained(resolve: Resolve, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="'pca', which is not trained"):
        train(resolve(sae={"architecture": "pca"}), None, tmp_path, progress=False)


@pytest.mark.parametrize("training", [
    {"lr_scheduler": "cosineannealing"},
    {"lr_warm_up_steps": 1, "lr_decay_steps": 1},
    {"lr_warm_up_steps": 0, "lr_decay_steps": 0},
    {"lr_warm_up_steps": 30, "lr_decay_steps": 10},
    {"lr_warm_up_steps": 30, "lr_decay_steps": 10, "lr_scheduler": "cosineannealing"},
    {"n_tokens": 128, "lr_warm_up_steps": 1, "lr_decay_steps": 0},
    {"autocast": True},
], ids=str)  # fmt: skip
def test_every_schedule_that_preflight_allows_trains(
    training: dict[str, Any], resolve: Resolve, tmp_path: Path
) -> None:
    outcome = train(resolve(training=training), None, tmp_path, progress=False)
    assert outcome.executed_steps == outcome.planned_steps


def test_a_bfloat16_sae_trains_and_is_calibrated(resolve: Resolve, tmp_path: Path) -> None:
    sae = {"architecture": "contrastive_batchtopk", "d_sae": 64, "k": 6, "dtype": "bfloat16",
           "losses": {"rows": {"weight": 0.1}}}  # fmt: skip
    outcome = train(resolve(sae=sae), None, tmp_path, progress=False)
    # bfloat16 has 8 bits: weights folded for inference move pre-activations across the threshold
    assert outcome.l0_inference == pytest.approx(6, rel=0.05)


def test_rows_are_sampled_without_special_tokens_and_as_many_as_asked(resolve: Resolve) -> None:
    rows = sample_rows(resolve(), None, 333)
    assert rows.shape == (333, 24)
    assert rows.dtype == torch.float32
    assert torch.equal(rows[:100], sample_rows(resolve(), None, 100))


def test_a_trial_of_two_steps_is_measured_on_as_many_rows_as_it_was_trained_on(
    resolve: Resolve, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    drawn: list[int] = []
    next_batch = PairStream.__next__

    def counted(self: PairStream) -> Tensor:
        batch = next_batch(self)
        drawn.append(len(batch))
        return batch

    monkeypatch.setattr(PairStream, "__next__", counted)
    train(resolve(training={"n_tokens": 256, "lr_warm_up_steps": 0, "lr_decay_steps": 0},
                  sae={"architecture": "topk", "d_sae": 64, "k": 6}),
          None, tmp_path, progress=False)  # fmt: skip
    assert sum(drawn) == 3 * 256  # trained on, for L0, and held out for the separation of pairs
