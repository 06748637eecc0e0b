"""A contrastive SAE and its twin without the terms differ in nothing else."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file

from csae_bench.config import ResolvedConfig
from csae_bench.training.data import pair_stream
from csae_bench.training.loop import ContrastiveSAETrainer
from csae_bench.training.train import train

Resolve = Callable[..., ResolvedConfig]


def _record_batches(monkeypatch: pytest.MonkeyPatch) -> list[torch.Tensor]:
    batches: list[torch.Tensor] = []
    make_step = ContrastiveSAETrainer.step

    def recording(self: ContrastiveSAETrainer, batch: torch.Tensor) -> Any:
        batches.append(batch.clone())
        return make_step(self, batch)

    monkeypatch.setattr(ContrastiveSAETrainer, "step", recording)
    return batches


def _sae(weight: float) -> dict[str, Any]:
    terms = {"rows": {"weight": weight}}
    return {"architecture": "contrastive_topk", "d_sae": 64, "k": 6, "losses": terms}


def test_twins_get_equal_batches(
    resolve: Resolve, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    batches = _record_batches(monkeypatch)
    for name, sae in (("with", _sae(0.5)), ("without", _sae(0.0))):
        train(resolve(sae=sae), None, tmp_path / name, progress=False)
    ours, twins = batches[:40], batches[40:]
    assert all(torch.equal(one, other) for one, other in zip(ours, twins, strict=True))


def test_a_weight_of_zero_trains_to_the_weights_of_saelens_own_class(
    resolve: Resolve, tmp_path: Path
) -> None:
    stock = {"architecture": "topk", "d_sae": 64, "k": 6}
    for name, sae in (("ours", _sae(0.0)), ("stock", stock), ("trained", _sae(0.5))):
        train(resolve(sae=sae), None, tmp_path / name, progress=False)
    ours, theirs, trained = (
        load_file(tmp_path / name / "inference" / "sae_weights.safetensors")
        for name in ("ours", "stock", "trained")
    )
    assert all(torch.equal(ours[name], theirs[name]) for name in theirs)
    assert not torch.equal(ours["W_enc"], trained["W_enc"])


def test_our_trainer_trains_a_stock_class_as_saelens_does(resolve: Resolve, tmp_path: Path) -> None:
    from sae_lens.config import SAETrainerConfig
    from sae_lens.training.sae_trainer import SAETrainer

    from csae_bench.saes.building import training_sae
    from csae_bench.training.state import seed_everything

    config = resolve(sae={"architecture": "topk", "d_sae": 64, "k": 6}).config
    trained = []
    for trainer in (SAETrainer, ContrastiveSAETrainer):
        seed_everything(0)
        sae = training_sae(config.sae, d_in=24, device="cpu", metadata={})  # pyright: ignore
        settings = SAETrainerConfig(
            total_training_samples=30 * 128,
            train_batch_size_samples=128,
            lr_end=3e-5,
            dead_feature_window=5,
        )
        trained.append(trainer(settings, sae, pair_stream(config, None)).fit())
    stock, ours = trained
    assert all(
        torch.equal(value, ours.state_dict()[name]) for name, value in stock.state_dict().items()
    )
    assert stock.cfg.metadata.l0 == ours.cfg.metadata.l0 == 6


def test_wandb_is_left_alone_unless_asked(
    resolve: Resolve, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import wandb

    logged: list[dict[str, Any]] = []
    begun: list[dict[str, Any]] = []

    class Run:
        def finish(self, exit_code: int = 0) -> None:
            begun.append({"exit_code": exit_code})

    monkeypatch.setattr(wandb, "init", lambda **settings: begun.append(settings) or Run())
    monkeypatch.setattr(wandb, "log", lambda values, step: logged.append(values))
    train(resolve(), None, tmp_path / "plain", progress=False)
    assert not begun
    assert not logged
    asked = resolve(training={"wandb": {"project": "mine"}})
    train(asked, None, tmp_path / "asked", progress=False)
    assert begun[0]["project"] == "mine"
    assert begun[1] == {"exit_code": 0}
    assert len(logged) == 10
    assert {"losses/rows", "metrics/l0"} <= logged[0].keys()


def test_progress_is_shown_on_stderr_unless_it_is_off(
    resolve: Resolve, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    train(resolve(), None, tmp_path / "quiet", progress=False)
    assert capfd.readouterr() == ("", "")
    train(resolve(), None, tmp_path / "shown", progress=True)
    out, err = capfd.readouterr()
    assert not out
    assert "training: " in err
    assert "40/40" in err
