"""Equal seeds end in equal weights, killed and resumed or not."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from csae_bench.config import ResolvedConfig
from csae_bench.errors import TrainingError
from csae_bench.pairs import PairStream
from csae_bench.training.loop import ContrastiveSAETrainer
from csae_bench.training.outcome import read_outcome
from csae_bench.training.train import train
from tests.integration.training.comparing import have_equal_weights, log

Resolve = Callable[..., ResolvedConfig]

SAES: dict[str, dict[str, Any]] = {
    "contrastive_topk": {"k": 6},
    "contrastive_batchtopk": {"k": 6},
    "contrastive_jumprelu": {"l0_coefficient": 0.1, "l0_warm_up_steps": 30},
    "contrastive": {"l1_coefficient": 0.5, "normalize_activations": "expected_average_only_in"},
    "topk": {"k": 6},
}
EVERY_TERM = {
    "rows": {"weight": 0.2, "temperature": "learned", "projection": "mlp", "warm_up_steps": 9},
    "columns": {"weight": 0.1, "min_firings": 2, "n_latents": 16},
    "triplet": {"weight": 0.1},
    "barlow": {"weight": 0.1, "min_firings": 2, "n_latents": 16},
    "cross_view": {"weight": 0.2, "min_latents": 1},
    "push_up": {"weight": 0.1, "min_latents": 1},
    "mixing": {"weight": 0.1},
}
STAGES = [
    {"name": "reconstruction", "until": 0.2, "strength": 0},
    {"name": "easy", "until": 0.5, "settings": {"mixing": {"targeting": "random"}}},
    {"name": "hard", "until": 1, "strength": {"rows": 0.5}},
]


class Killed(BaseException):
    """Stands for a kill: nothing in the trainer handles it."""


def _sae(architecture: str) -> dict[str, Any]:
    settings = {"architecture": architecture, "d_sae": 64, **SAES[architecture]}
    if architecture.startswith("contrastive"):
        settings["losses"] = {"rows": {"weight": 0.1, "warm_up_steps": 20}}
    return settings


def _kill_at(step: int, monkeypatch: pytest.MonkeyPatch, kill: Callable[[], None]) -> None:
    make_step = ContrastiveSAETrainer.step

    def step_or_die(self: ContrastiveSAETrainer, batch: torch.Tensor) -> Any:
        if self.n_training_steps == step:
            kill()
        return make_step(self, batch)

    monkeypatch.setattr(ContrastiveSAETrainer, "step", step_or_die)


def _raise_killed() -> None:
    raise Killed


@pytest.mark.parametrize("architecture", SAES)
def test_killed_and_resumed_training_ends_in_the_same_weights_andlog(
    architecture: str, resolve: Resolve, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    resolved = resolve(sae=_sae(architecture))
    straight, broken = tmp_path / "straight", tmp_path / "broken"
    train(resolved, None, straight, progress=False)
    with monkeypatch.context() as patched:
        _kill_at(31, patched, _raise_killed)
        with pytest.raises(Killed):
            train(resolved, None, broken, progress=False)
    assert not (broken / "inference").exists()
    assert log(broken)[-1]["step"] == 28, "a line that the resumed training must write again"
    outcome = train(resolved, None, broken, progress=False)
    assert have_equal_weights(straight, broken)
    assert log(straight) == log(broken)
    assert outcome.executed_steps == outcome.planned_steps == 40
    assert outcome.l0_inference == read_outcome(straight).l0_inference


@pytest.mark.parametrize("kind", ["ratio", "gradnorm", "uncertainty"])
@pytest.mark.parametrize("architecture", ["contrastive_batchtopk", "contrastive_jumprelu"])
def test_killed_within_a_stage_of_the_whole_objective_it_resumes_to_the_sameweights(
    architecture: str,
    kind: str,
    resolve: Resolve,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    sae = {**_sae(architecture), "losses": EVERY_TERM}
    training: dict[str, Any] = {"curriculum": STAGES, "weighting": {"kind": kind, "every": 3}}
    if architecture == "contrastive_jumprelu":
        training["hold_l0"] = {"target": 6}
    resolved = resolve(sae=sae, training=training)
    straight, broken = tmp_path / "straight", tmp_path / "broken"
    train(resolved, None, straight, progress=False)
    with monkeypatch.context() as patched:
        _kill_at(31, patched, _raise_killed)
        with pytest.raises(Killed):
            train(resolved, None, broken, progress=False)
    train(resolved, None, broken, progress=False)
    assert have_equal_weights(straight, broken)
    assert log(straight) == log(broken)


def test_batches_drawn_ahead_change_no_weight_killed_and_resumed_or_not(
    resolve: Resolve, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    drawn: list[int] = []
    draw_ahead = PairStream.draw_ahead
    monkeypatch.setattr(PairStream, "draw_ahead", lambda s: (drawn.append(1), draw_ahead(s)))
    resolved = resolve(sae=_sae("contrastive_batchtopk"), training={"curriculum": STAGES})
    for name, n_threads in (("one", 1), ("two", 2)):
        torch.set_num_threads(n_threads)
        train(resolved, None, tmp_path / name, progress=False)
        assert len(drawn) == (0 if name == "one" else 40 - len(STAGES))
    with monkeypatch.context() as patched:
        _kill_at(31, patched, _raise_killed)
        with pytest.raises(Killed):
            train(resolved, None, tmp_path / "broken", progress=False)
    train(resolved, None, tmp_path / "broken", progress=False)
    assert have_equal_weights(tmp_path / "one", tmp_path / "two")
    assert have_equal_weights(tmp_path / "two", tmp_path / "broken")


@pytest.mark.slow
def test_training_killed_by_sigkill_resumes(resolve: Resolve, tmp_path: Path) -> None:
    resolved = resolve()
    script = f"""
import os, signal, torch
from pathlib import Path
torch.set_num_threads(1)
from csae_bench.config import ResolvedConfig
from csae_bench.training.train import train
from tests.integration.training.comparing import have_equal_weights, log, weights
from csae_bench.training.loop import ContrastiveSAETrainer
make_step = ContrastiveSAETrainer.step
def step_or_die(self, batch):
    if self.n_training_steps == 30:
        os.kill(os.getpid(), signal.SIGKILL)
    return make_step(self, batch)
ContrastiveSAETrainer.step = step_or_die
resolved = ResolvedConfig.model_validate_json({resolved.model_dump_json()!r})
train(resolved, None, Path({str(tmp_path / "broken")!r}), progress=False)
"""
    killed = subprocess.run([sys.executable, "-c", script], capture_output=True, check=False)
    assert killed.returncode == -signal.SIGKILL, killed.stderr.decode()
    train(resolved, None, tmp_path / "broken", progress=False)
    train(resolved, None, tmp_path / "straight", progress=False)
    assert have_equal_weights(tmp_path / "straight", tmp_path / "broken")


@pytest.mark.parametrize(
    ("number", "error"), [(signal.SIGINT, KeyboardInterrupt), (signal.SIGTERM, TrainingError)]
)
def test_a_signal_saves_the_step_it_interrupts(
    number: signal.Signals,
    error: type[BaseException],
    resolve: Resolve,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    resolved = resolve(training={"checkpoint_every": 0})
    train(resolved, None, tmp_path / "straight", progress=False)
    with monkeypatch.context() as patched:
        _kill_at(17, patched, lambda: os.kill(os.getpid(), number))
        with pytest.raises(error, match="stopped after step 18; the same command resumes"):
            train(resolved, None, tmp_path / "broken", progress=False)
    assert read_outcome(tmp_path / "broken").executed_steps == 18
    train(resolved, None, tmp_path / "broken", progress=False)
    assert have_equal_weights(tmp_path / "straight", tmp_path / "broken")


def test_equal_seeds_train_to_equal_weights_and_another_seed_does_not(
    resolve: Resolve, tmp_path: Path
) -> None:
    for name, seed in (("one", 3), ("same", 3), ("other", 4)):
        torch.manual_seed(len(name))  # what came before must not matter
        train(resolve(seed=seed), None, tmp_path / name, progress=False)
    assert have_equal_weights(tmp_path / "one", tmp_path / "same")
    assert not have_equal_weights(tmp_path / "one", tmp_path / "other")


def test_a_finished_training_is_not_trained_again(
    resolve: Resolve, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    outcome = train(resolve(), None, tmp_path, progress=False)
    _kill_at(0, monkeypatch, _raise_killed)
    (tmp_path / "trainer").mkdir()  # a kill between the last two operations
    assert train(resolve(), None, tmp_path, progress=False) == outcome
    assert not (tmp_path / "trainer").exists()


def test_without_resume_training_starts_again(
    resolve: Resolve, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patched:
        _kill_at(20, patched, _raise_killed)
        with pytest.raises(Killed):
            train(resolve(), None, tmp_path, progress=False)
    steps: list[int] = []
    _kill_at(0, monkeypatch, lambda: steps.append(0))
    train(resolve(), None, tmp_path, resume=False, progress=False)
    train(resolve(), None, tmp_path, resume=False, progress=False)
    assert steps == [0, 0]
    assert [line["step"] for line in log(tmp_path)] == [1, *range(4, 41, 4)]


def test_a_broken_state_is_an_error_that_says_what_to_do(
    resolve: Resolve, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patched:
        _kill_at(20, patched, _raise_killed)
        with pytest.raises(Killed):
            train(resolve(), None, tmp_path, progress=False)
    for path in (tmp_path / "trainer").glob("*.pt"):
        path.write_bytes(b"not a state")
    with pytest.raises(TrainingError, match=r"trainer: training cannot resume .* --no-resume"):
        train(resolve(), None, tmp_path, progress=False)


def test_the_state_is_a_checkpoint_that_saelens_loads(
    resolve: Resolve, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from sae_lens.saes.sae import TrainingSAE

    with monkeypatch.context() as patched:
        _kill_at(25, patched, _raise_killed)
        with pytest.raises(Killed):
            train(resolve(), None, tmp_path, progress=False)
    sae = TrainingSAE.load_from_disk(tmp_path / "trainer")
    assert sae.cfg.architecture() == "contrastive_topk"
