"""SAEs that are trained side by side: each to the bit as by itself, and each fails alone."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

from csae_bench.activations.sources import GeneratorSource, Sequences
from csae_bench.config import ResolvedConfig
from csae_bench.errors import DataError, TrainingError
from csae_bench.training.loop import ContrastiveSAETrainer
from csae_bench.training.outcome import read_outcome
from csae_bench.training.task import rows_key
from csae_bench.training.train import TrainingTask, train, train_side_by_side
from tests.integration.training.comparing import have_equal_weights, log

Resolve = Callable[..., ResolvedConfig]

MIXING = {"mixing": {"weight": 0.2, "targeting": "random"}}
SAES: dict[str, dict[str, Any]] = {
    "rows": {"architecture": "contrastive_topk", "k": 6, "losses": {"rows": {"weight": 0.1}}},
    "mixing": {"architecture": "contrastive_topk", "k": 4, "losses": MIXING},
    "batchtopk": {"architecture": "contrastive_batchtopk", "k": 6, "losses": MIXING},
    "narrow": {"architecture": "topk", "k": 6, "d_sae": 32},
}


def _sae(name: str) -> dict[str, Any]:
    return {"d_sae": 64, **SAES[name]}


@pytest.fixture
def tasks(resolve: Resolve, tmp_path: Path) -> list[TrainingTask]:
    return [
        TrainingTask(resolved=resolve(name=name, sae=_sae(name)), folder=tmp_path / "beside" / name)
        for name in SAES
    ]


@pytest.fixture
def alone(resolve: Resolve, tmp_path: Path) -> Callable[[str], Path]:
    """Trains one of the SAEs by itself, and returns its folder."""

    def make(name: str) -> Path:
        folder = tmp_path / "alone" / name
        train(resolve(name=name, sae=_sae(name)), None, folder, progress=False)
        return folder

    return make


def _before_step(
    monkeypatch: pytest.MonkeyPatch, act: Callable[[ContrastiveSAETrainer], None]
) -> None:
    step = ContrastiveSAETrainer.step

    def acting(self: ContrastiveSAETrainer, batch: torch.Tensor) -> Any:
        act(self)
        return step(self, batch)

    monkeypatch.setattr(ContrastiveSAETrainer, "step", acting)


def _is(trainer: ContrastiveSAETrainer, name: str) -> bool:
    return trainer.sae.cfg.metadata["csae_bench_config"] == name


def test_each_gets_the_weights_the_log_and_the_measurements_of_a_training_of_its_own(
    tasks: list[TrainingTask], alone: Callable[[str], Path]
) -> None:
    assert len({rows_key(task.resolved) for task in tasks}) == 1
    ended = list(train_side_by_side(tasks, None, progress=False))
    assert [trained.error for trained in ended] == [None] * len(SAES)
    for trained in ended:
        by_itself, beside = alone(trained.task.folder.name), trained.task.folder
        assert have_equal_weights(by_itself, beside)
        assert log(by_itself) == log(beside)
        mine, own = trained.outcome, read_outcome(by_itself)
        assert mine is not None
        assert mine.n_side_by_side == len(SAES)
        for name in ("l0_training", "l0_inference", "pair_separation", "final_loss", "threshold"):
            assert getattr(mine, name) == getattr(own, name), name


def test_each_row_is_made_once(tasks: list[TrainingTask], monkeypatch: pytest.MonkeyPatch) -> None:
    draw, n_drawn = GeneratorSource.next_sequences, 0

    def counted(self: GeneratorSource) -> Sequences:
        nonlocal n_drawn
        n_drawn += 1
        return draw(self)

    monkeypatch.setattr(GeneratorSource, "next_sequences", counted)
    (batchtopk,) = (task for task in tasks if task.folder.name == "batchtopk")  # reads most rows
    list(train_side_by_side([batchtopk], None, progress=False))
    of_one, n_drawn = n_drawn, 0
    again = [replace(task, resume=False) for task in tasks]
    list(train_side_by_side(again, None, progress=False))
    assert n_drawn == of_one > 0


def test_one_that_fails_leaves_the_others_as_they_are_by_themselves(
    tasks: list[TrainingTask], alone: Callable[[str], Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patched:

        def spoil(trainer: ContrastiveSAETrainer) -> None:
            if _is(trainer, "mixing") and trainer.n_training_steps == 10:
                trainer.sae.b_enc.data.fill_(float("nan"))

        _before_step(patched, spoil)
        ended = {
            trained.task.folder.name: trained
            for trained in train_side_by_side(tasks, None, progress=False)
        }
    assert isinstance(ended["mixing"].error, TrainingError)
    assert "Step 11" in str(ended["mixing"].error)
    for name in SAES.keys() - {"mixing"}:
        assert have_equal_weights(alone(name), ended[name].task.folder)
    assert not (ended["mixing"].task.folder / "inference").exists()
    assert read_outcome(ended["mixing"].task.folder).executed_steps == 10


@pytest.mark.parametrize(
    ("number", "error"), [(signal.SIGINT, KeyboardInterrupt), (signal.SIGTERM, TrainingError)]
)
def test_a_signal_saves_all_of_them_after_the_same_step_and_all_resume(
    number: signal.Signals,
    error: type[BaseException],
    tasks: list[TrainingTask],
    alone: Callable[[str], Path],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with monkeypatch.context() as patched:

        def stop(trainer: ContrastiveSAETrainer) -> None:
            if _is(trainer, "mixing") and trainer.n_training_steps == 17:
                os.kill(os.getpid(), number)

        _before_step(patched, stop)
        if error is KeyboardInterrupt:
            with pytest.raises(KeyboardInterrupt):
                list(train_side_by_side(tasks, None, progress=False))
        else:
            for trained in train_side_by_side(tasks, None, progress=False):
                assert "stopped after step 18; the same command resumes" in str(trained.error)
    assert {read_outcome(task.folder).executed_steps for task in tasks} == {18}
    for trained in train_side_by_side(tasks, None, progress=False):
        assert trained.error is None
        assert have_equal_weights(alone(trained.task.folder.name), trained.task.folder)


def test_those_that_were_killed_at_different_steps_go_on_one_after_the_other(
    tasks: list[TrainingTask], alone: Callable[[str], Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    class Killed(BaseException):
        pass

    with monkeypatch.context() as patched:

        def kill(trainer: ContrastiveSAETrainer) -> None:
            # states are saved after step 12: that of `rows`, and no other
            if _is(trainer, "mixing") and trainer.n_training_steps == 11:
                raise Killed

        _before_step(patched, kill)
        with pytest.raises(Killed):
            list(train_side_by_side(tasks, None, progress=False))
    saved = {task.folder.name: (task.folder / "trainer").exists() for task in tasks}
    assert saved == {"rows": True, "mixing": False, "batchtopk": False, "narrow": False}
    for trained in train_side_by_side(tasks, None, progress=False):
        assert trained.error is None
        assert have_equal_weights(alone(trained.task.folder.name), trained.task.folder)
        assert log(alone(trained.task.folder.name)) == log(trained.task.folder)


def test_rows_that_cannot_be_made_are_an_error_of_each(
    tasks: list[TrainingTask], monkeypatch: pytest.MonkeyPatch
) -> None:
    draw, n_drawn = GeneratorSource.next_sequences, 0

    def failing(self: GeneratorSource) -> Sequences:
        nonlocal n_drawn
        n_drawn += 1
        if n_drawn == 9:
            raise DataError("The text ends here.")
        return draw(self)

    monkeypatch.setattr(GeneratorSource, "next_sequences", failing)
    ended = list(train_side_by_side(tasks, None, progress=False))
    assert [str(trained.error) for trained in ended] == ["The text ends here."] * len(SAES)


@pytest.mark.parametrize(
    ("changes", "is_shared"),
    [
        ({"sae": _sae("narrow")}, True),
        ({"training": {"learning_rate": 1e-3}}, True),
        ({"training": {"curriculum": [{"name": "all", "until": 1, "strength": 0.5}]}}, True),
        ({"evals": {"core": {}, "mig": {}}}, True),
        ({"seed": 1}, False),
        ({"training": {"batch_size": 64}}, False),
        ({"training": {"n_tokens": 41 * 128}}, False),
        ({"activations": {"context_size": 16}}, False),
        ({"pairs": {"shuffled": True}}, False),
        ({"sae": {**_sae("narrow"), "normalize_activations": "expected_average_only_in"}}, False),
        ({"threads": 1}, False),
    ],
)
def test_rows_are_shared_where_all_that_decides_them_is_equal(
    changes: dict[str, Any], is_shared: bool, resolve: Resolve
) -> None:
    assert (rows_key(resolve()) == rows_key(resolve(**changes))) == is_shared
