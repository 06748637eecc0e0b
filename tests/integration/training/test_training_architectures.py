"""Every architecture trains through `train`, and ends as what inference loads."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from sae_lens.saes.sae import SAE

from csae_bench.config import ResolvedConfig
from csae_bench.training.outcome import TrainingOutcome, read_outcome
from csae_bench.training.train import train

Resolve = Callable[..., ResolvedConfig]

BACKBONES: dict[str, dict[str, Any]] = {
    "standard": {"l1_coefficient": 0.5},
    "topk": {"k": 6},
    "batchtopk": {"k": 6},
    "matryoshka_batchtopk": {"k": 6},
    "jumprelu": {"l0_coefficient": 0.1},
}
CONTRASTIVE = {
    "contrastive" if name == "standard" else f"contrastive_{name}": settings
    for name, settings in BACKBONES.items()
}
STOCK: dict[str, dict[str, Any]] = {
    "abstopk": {"k": 6},
    "gated": {"l1_coefficient": 0.5},
    "matching_pursuit": {"max_iterations": 6},
}
"""SAELens's own that have no contrastive twin."""
FIELDS = {
    "redundant_latents",
    "step", "loss", "mse_loss", "l0", "explained_variance", "dead_latents", "lr",
    "tokens_per_second", "memory_gib",
}  # fmt: skip


def _sae(architecture: str) -> dict[str, Any]:
    settings = {
        "architecture": architecture,
        "d_sae": 64,
        **(BACKBONES | STOCK | CONTRASTIVE)[architecture],
    }
    if architecture in CONTRASTIVE:
        settings["losses"] = {"rows": {"weight": 0.1, "warm_up_steps": 10}}
    return settings


def _log(folder: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (folder / "training_log.jsonl").read_text().splitlines()]


@pytest.fixture(scope="module")
def trained() -> dict[str, tuple[TrainingOutcome, Path]]:
    return {}


@pytest.fixture(params=[*BACKBONES, *STOCK, *CONTRASTIVE])
def run(
    request: pytest.FixtureRequest,
    trained: dict[str, tuple[TrainingOutcome, Path]],
    resolve: Resolve,
    tmp_path_factory: pytest.TempPathFactory,
) -> tuple[str, TrainingOutcome, Path]:
    name: str = request.param
    if name not in trained:
        folder = tmp_path_factory.mktemp(name)
        trained[name] = train(resolve(sae=_sae(name)), None, folder, progress=False), folder
    return name, *trained[name]


def test_executed_steps_are_the_planned_ones(run: tuple[str, TrainingOutcome, Path]) -> None:
    _, outcome, _ = run
    assert outcome.planned_steps == outcome.executed_steps == 40
    assert outcome.n_tokens_used == 40 * 128
    assert outcome.epochs == 0


def test_loss_falls_and_the_last_line_has_the_final_one(
    run: tuple[str, TrainingOutcome, Path],
) -> None:
    name, outcome, folder = run
    log = _log(folder)
    losses = [line["mse_loss"] if "jumprelu" in name else line["loss"] for line in log]
    assert losses[-1] < 0.95 * losses[0]
    assert log[-1]["loss"] == outcome.final_loss


def test_log_lines_are_complete(run: tuple[str, TrainingOutcome, Path]) -> None:
    name, _, folder = run
    log = _log(folder)
    assert [line["step"] for line in log] == [1, *range(4, 41, 4)]
    of_terms = (
        {
            "loss/rows",
            "coefficient/rows",
            "grad_share/rows",
            "grad_norm/rows",
            "grad_norm/mse_loss",
            "compared/rows",
            "guard",
        }
        if name in CONTRASTIVE
        else set()
    )
    for line in log:
        assert line.keys() >= FIELDS | of_terms
        assert all(key.startswith("loss/") for key in line.keys() - FIELDS - of_terms)
        assert None not in line.values()


def test_the_coefficient_logged_is_the_one_the_step_used(
    run: tuple[str, TrainingOutcome, Path],
) -> None:
    name, _, folder = run
    if name not in CONTRASTIVE:
        return
    log = _log(folder)
    # unmeasured at the first step; the warm-up reaches .1 of the reconstruction's at the 10th
    assert log[0]["coefficient/rows"] == log[0]["grad_share/rows"] == 0
    for line in log[1:]:
        assert line["coefficient/rows"] > 0
        assert line["grad_share/rows"] > 0
    assert all(line["loss/rows"] > 0 for line in log)


def test_a_constant_coefficient_is_the_weight_after_its_warm_up(
    resolve: Resolve, tmp_path: Path
) -> None:
    resolved = resolve(training={"weighting": {"kind": "constant"}})
    train(resolved, None, tmp_path, progress=False)
    for line in _log(tmp_path):  # it rises from step 1 on and reaches .1 at the 10th step
        assert line["coefficient/rows"] == pytest.approx(min(0.01 * line["step"], 0.1))
        assert line["grad_share/rows"] > 0
        assert line["grad_share/rows"] == pytest.approx(
            line["grad_norm/rows"] / line["grad_norm/mse_loss"]
        )


def test_the_learning_rate_logged_is_the_one_the_step_used(
    run: tuple[str, TrainingOutcome, Path],
) -> None:
    _, _, folder = run
    rates = {line["step"]: line["lr"] for line in _log(folder)}
    assert rates[1] == pytest.approx(5e-3 / 5)
    assert rates[8] == rates[28] == pytest.approx(5e-3)
    assert rates[40] == pytest.approx(5e-3 / 10)


def test_the_checkpoint_holds_what_it_should_and_nothing_more(
    run: tuple[str, TrainingOutcome, Path],
) -> None:
    _, outcome, folder = run
    assert {path.name for path in folder.iterdir()} == {
        "inference",
        "training.json",
        "training_log.jsonl",
    }
    assert read_outcome(folder) == outcome


def test_the_saved_sae_loads_with_its_metadata(run: tuple[str, TrainingOutcome, Path]) -> None:
    name, _, folder = run
    metadata = SAE.load_from_disk(folder / "inference").cfg.metadata
    assert metadata.training_architecture == name
    assert metadata.dataset_path == "generated"
    assert metadata.csae_bench_training_hash == folder.name
    assert metadata.exclude_special_tokens is True


def test_l0_of_inference_is_that_of_training(run: tuple[str, TrainingOutcome, Path]) -> None:
    name, outcome, _ = run
    assert outcome.l0_training is not None
    # exact on the rows it was calibrated on; these are others
    tolerance = 0.02 if "batchtopk" in name else 0
    assert outcome.l0_inference == pytest.approx(outcome.l0_training, rel=tolerance)
    assert (outcome.threshold is not None) == ("batchtopk" in name)


def test_inference_reconstructs_as_well_as_the_log_says(
    run: tuple[str, TrainingOutcome, Path], resolve: Resolve
) -> None:
    from csae_bench.training.data import pair_stream

    _, _, folder = run
    sae = SAE.load_from_disk(folder / "inference")
    stream = pair_stream(resolve().config, None)
    rows = torch.cat([next(stream) for _ in range(60)])[-2048:]
    with torch.no_grad():
        error = (rows - sae.decode(sae.encode(rows))).square().sum(1).mean()
    logged = sum(line["mse_loss"] for line in _log(folder)[-3:]) / 3
    assert error == pytest.approx(logged, rel=0.15)
