"""The training log's lines and what is in them."""

from __future__ import annotations

import json
import math
from pathlib import Path

import pytest
import torch
from sae_lens.saes.sae import TrainStepOutput

from csae_bench.training.log import TrainingLog, measurements


def _steps(path: Path) -> list[int]:
    return [json.loads(line)["step"] for line in path.read_text().splitlines()]


def _output(x: torch.Tensor, x_hat: torch.Tensor, **losses: float) -> TrainStepOutput:
    return TrainStepOutput(
        sae_in=x,
        sae_out=x_hat,
        feature_acts=torch.tensor([[0.0, 2.0, 1.0], [0.0, 0.0, 3.0]]),
        hidden_pre=torch.zeros(2, 3),
        loss=torch.tensor(9.0),
        losses={
            "mse_loss": torch.tensor(5.0),
            **{name: torch.tensor(loss) for name, loss in losses.items()},
        },
        metrics={"raw/rows": torch.tensor(4.0)},
    )


def test_lines_are_due_at_the_first_step_at_multiples_and_at_the_last(tmp_path: Path) -> None:
    log = TrainingLog(tmp_path / "log.jsonl", every=4)
    assert [step for step in range(1, 12) if log.is_due(step, last=11)] == [1, 4, 8, 11]


def test_what_is_not_finite_is_null(tmp_path: Path) -> None:
    TrainingLog(tmp_path / "log.jsonl", every=1).write({"step": 1, "a": math.nan, "b": math.inf})
    assert json.loads((tmp_path / "log.jsonl").read_text()) == {"step": 1, "a": None, "b": None}


def test_lines_after_the_restored_step_are_dropped(tmp_path: Path) -> None:
    path = tmp_path / "log.jsonl"
    log = TrainingLog(path, every=1)
    for step in range(1, 7):
        log.write({"step": step})
    log.drop_after(4)
    assert _steps(path) == [1, 2, 3, 4]
    log.write({"step": 5})
    assert _steps(path) == [1, 2, 3, 4, 5]


def test_a_line_that_was_cut_off_is_dropped(tmp_path: Path) -> None:
    path = tmp_path / "log.jsonl"
    path.write_text('{"step": 1}\n{"step": 2, "lo')
    TrainingLog(path, every=1).drop_after(9)
    assert _steps(path) == [1]


def test_dropping_from_a_log_that_is_not_there_does_nothing(tmp_path: Path) -> None:
    TrainingLog(tmp_path / "log.jsonl", every=1).drop_after(3)
    assert not (tmp_path / "log.jsonl").exists()


def test_explained_variance_is_one_minus_error_over_variance_about_the_mean() -> None:
    x = torch.tensor([[1.0, 2.0], [3.0, 6.0]])
    # error 1 + 1; the rows lie (1, 2) from their mean: variance 2 * 5
    line = measurements(_output(x, x + torch.tensor([1.0, 0.0])))
    assert line["explained_variance"] == pytest.approx(1 - 2 / 10)


def test_explained_variance_of_equal_rows_is_undefined() -> None:
    assert math.isnan(
        measurements(_output(torch.ones(2, 2), torch.ones(2, 2)))["explained_variance"]
    )


def test_l0_is_the_mean_number_of_active_latents() -> None:
    assert measurements(_output(torch.eye(2), torch.eye(2)))["l0"] == 1.5


def test_a_term_is_logged_before_its_coefficient_and_other_losses_as_they_are_summed() -> None:
    line = measurements(_output(torch.eye(2), torch.eye(2), rows=0.4, l1_loss=0.25))
    assert line["loss/rows"] == 4.0
    assert line["loss/l1_loss"] == 0.25
    assert (line["loss"], line["mse_loss"]) == (9.0, 5.0)
