"""Training on minimal pairs of the bundled model: three at a time, killed, shuffled, measured."""

from __future__ import annotations

import math
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import torch

from csae_bench import models
from csae_bench.config import ResolvedConfig, RunConfig
from csae_bench.pairs import PairStream
from csae_bench.training.data import held_out_stream, pair_stream
from csae_bench.training.loop import ContrastiveSAETrainer
from csae_bench.training.train import train
from tests.integration.training.comparing import have_equal_weights, log

if TYPE_CHECKING:
    from transformer_lens import HookedTransformer

TERMS: dict[str, Any] = {
    "rows": {"weight": 0.1, "minimal_negatives": True},
    "triplet": {"weight": 0.1, "minimal_negatives": True},
    "sparse_shift": {"weight": 0.2},
    "swap": {"weight": 0.1},
    "temporal": {"weight": 0.05},
}
STEPS = 24


@pytest.fixture(scope="module")
def model() -> HookedTransformer:
    return models.load("tiny-gemma2-it")


@pytest.fixture(autouse=True)
def _few_held_out_pairs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("csae_bench.training.finishing.N_ROWS", 2048)


def _config(
    losses: dict[str, Any],
    *,
    steps: int = STEPS,
    shuffled: bool = False,
    **minimal: Any,
) -> ResolvedConfig:
    config = RunConfig.model_validate(
        {
            "activations": {"context_size": 64, "pairs_in_buffer": 512},
            "pairs": {
                "same_sequence": {"weight": 2},
                "minimal": {"weight": 2, "shuffled": shuffled, **minimal},
            },
            "sae": {
                "architecture": "contrastive_batchtopk",
                "d_sae": 256,
                "k": 12,
                "losses": losses,
            },
            "training": {
                "n_tokens": 256 * steps,
                "batch_size": 256,
                "learning_rate": 3e-3,
                "lr_warm_up_steps": 2,
                "lr_decay_steps": 4,
                "log_every": 4,
                "checkpoint_every": 5,
                "weighting": {"kind": "ratio", "every": 4},
            },
        }
    )
    return ResolvedConfig(name="minimal", path=Path("minimal.yaml"), config=config, origins={})


class Killed(BaseException):
    """Stands for a kill: nothing in the trainer handles it."""


@pytest.mark.parametrize("n_pairs", [None, 96])
def test_killed_among_groups_of_three_it_resumes_to_the_same_weights_and_log(
    n_pairs: int | None,
    model: HookedTransformer,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    resolved = _config(TERMS, with_paraphrases=True, n_pairs=n_pairs)
    straight, broken = tmp_path / "straight", tmp_path / "broken"
    outcome = train(resolved, model, straight, progress=False)
    make_step = ContrastiveSAETrainer.step

    def step_or_die(self: ContrastiveSAETrainer, batch: torch.Tensor) -> Any:
        if self.n_training_steps == 13:
            raise Killed
        return make_step(self, batch)

    with monkeypatch.context() as patched:
        patched.setattr(ContrastiveSAETrainer, "step", step_or_die)
        with pytest.raises(Killed):
            train(resolved, model, broken, progress=False)
    resumed = train(resolved, model, broken, progress=False)
    assert have_equal_weights(straight, broken)
    assert log(straight) == log(broken)
    assert resumed.shift_participation == outcome.shift_participation
    lines = log(straight)
    for term in TERMS:
        assert all(line[f"loss/{term}"] > 0 for line in lines)
        assert all(line[f"compared/{term}"] > 0 for line in lines)
    assert all(1 <= line["shift_participation"] <= 256 for line in lines)


def test_sparse_shift_lowers_the_participation_of_held_out_pairs(
    model: HookedTransformer, tmp_path: Path
) -> None:
    def participation(weight: float) -> float:
        resolved = _config({"sparse_shift": {"weight": weight}}, steps=40)
        outcome = train(resolved, model, tmp_path / str(weight), progress=False)
        assert outcome.shift_participation is not None
        assert outcome.pair_separation_by_kind is not None
        assert set(outcome.pair_separation_by_kind) == {"same_sequence"}
        return outcome.shift_participation

    # 13.1 without the term; 11.2 with it
    assert participation(3.0) < 0.9 * participation(0)


def test_the_lambda_0_twin_trains_on_the_same_rows(model: HookedTransformer) -> None:
    streams = [pair_stream(_config(losses).config, model) for losses in (TERMS, {})]
    for _ in range(3):
        one, other = (next(stream) for stream in streams)
        assert torch.equal(one, other)
        assert streams[0].counts == {"same_sequence": 64, "minimal": 64}


def _first_minimal_rows(stream: PairStream) -> set[bytes]:
    rows = next(stream).view(-1, 2, stream.d_in)[stream.pairs.kinds["minimal"]]
    return {row.numpy().tobytes() for row in rows}


def test_of_a_few_pairs_every_batch_has_the_same(model: HookedTransformer) -> None:
    stream = pair_stream(_config({}, n_pairs=64).config, model)
    rows = [_first_minimal_rows(stream) for _ in range(9)]
    assert len(set.union(*rows)) == 64
    assert all(len(of_batch) > 32 for of_batch in rows)


def test_held_out_pairs_are_others(model: HookedTransformer) -> None:
    config = _config({}, n_pairs=64).config
    assert not _first_minimal_rows(pair_stream(config, model)) & _first_minimal_rows(
        held_out_stream(config, model)
    )


def test_in_minimal_pairs_of_the_bundled_model_the_last_tokens_differ_but_little(
    model: HookedTransformer,
) -> None:
    """The full stop has read everything: what differs is what the factor changed."""

    def distances(*, shuffled: bool) -> torch.Tensor:
        stream = pair_stream(_config({}, shuffled=shuffled).config, model)
        rows = next(stream).view(-1, 2, stream.d_in)[stream.pairs.kinds["minimal"]]
        return (rows[:, 0] - rows[:, 1]).norm(dim=1)

    true, shuffled = distances(shuffled=False), distances(shuffled=True)
    assert true.median() < 0.7 * shuffled.median()
    assert not math.isclose(float(true.median()), 0)
