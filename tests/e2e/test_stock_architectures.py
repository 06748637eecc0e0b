"""SAELens's architectures without a contrastive twin, trained and evaluated as configurations."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import Result

from tests.e2e.conftest import SMALL
from tests.e2e.refusals import said

MORE = {
    "abstopk": (),
    "gated": ("--set", "sae.l1_warm_up_steps=2", "--set", "sae.l1_coefficient=0.1"),
    "matching_pursuit": ("--set", "sae.max_iterations=8"),
}


@pytest.mark.slow
@pytest.mark.parametrize("name", MORE)
def test_a_stock_configuration_trains_and_gets_scores(
    name: str, csae_bench: Callable[..., Result], tmp_path: Path
) -> None:
    outcome = csae_bench("run", "--sae", name, *SMALL, *MORE[name], "--results", tmp_path)
    assert outcome.exit_code == 0, said(outcome)
    (path,) = (tmp_path / "runs").glob("*.json")
    record = json.loads(path.read_text())
    assert record["training_architecture"] == name
    assert {name: cell["status"] for name, cell in record["cells"].items()} == {
        "training": "ok", "validity": "ok", "core": "ok",
    }  # fmt: skip
    (path,) = (tmp_path / "core").glob("*.json")
    right = json.loads(path.read_text())["eval_result_unstructured"]["corrected"]
    assert right["explained_variance"] > 0.3
    assert right["ce_loss_score"] > 0.3
    assert right["frac_alive"] > 0.3
