"""Each row of the table of baselines, held against everything that asks the table."""

from __future__ import annotations

import inspect
import pkgutil
from pathlib import Path
from unittest.mock import Mock

import pytest

from csae_bench.comparison.reading.result import reading_of
from csae_bench.config import BASELINES, RunConfig, kind_of
from csae_bench.config.baselines import other_sae_of
from csae_bench.config.loading import load_config
from csae_bench.hardware.memory import d_sae
from csae_bench.results.validity import VitalSigns
from csae_bench.runs import validity, vital_signs
from csae_bench.support.named_configs import config_folder
from csae_bench.upstream.plotting import trainer_colors, trainer_markers

pytestmark = pytest.mark.parametrize("name", BASELINES)

WORSE_THAN_ABLATION = VitalSigns(
    l0=8.0,
    output_norm_ratio=1.0,
    alive_fraction=1.0,
    ce_loss_with_sae=9.0,
    ce_loss_with_ablation=5.0,
    ce_loss_without_sae=3.0,
)


def test_the_settings_have_the_rows_architecture(name: str) -> None:
    settings = BASELINES[name].settings()
    assert settings.model_dump()["architecture"] == name
    assert type(RunConfig.model_validate({"sae": {"architecture": name}}).sae) is type(settings)


def test_the_configuration_loads_trains_nothing_and_says_its_kind(name: str) -> None:
    config = load_config(name).config
    assert config.sae.architecture == name
    assert not config.is_trained
    text = (config_folder() / f"{name}.yaml").read_text(encoding="utf-8")
    assert text.lower().startswith(f"# {BASELINES[name].kind}:")


def test_validity_takes_the_kind_from_the_row(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(vital_signs, "vital_signs", lambda *_, **__: WORSE_THAN_ABLATION)
    config = load_config(name).config
    cell = validity.judged(Mock(), config, None, Mock(), key=None)
    assert (cell.status == "ok") == (BASELINES[name].kind == "control")


def test_compare_takes_the_kind_from_the_row(name: str) -> None:
    signs = WORSE_THAN_ABLATION
    result = {
        "eval_type_id": "core",
        "sae_lens_id": name,
        "sae_lens_release_id": "somewhere",
        "sae_cfg_dict": {"architecture": "topk", "metadata": {"training_architecture": name}},
        "eval_result_metrics": {
            "sparsity": {"l0": signs.l0},
            "model_performance_preservation": {
                "ce_loss_with_sae": signs.ce_loss_with_sae,
                "ce_loss_with_ablation": signs.ce_loss_with_ablation,
            },
        },
    }
    reading = reading_of(result, Path("core.json"))
    assert reading.architecture == name
    assert (reading.invalid == ()) == (BASELINES[name].kind == "control")


def test_the_build_function_takes_the_inputs_alone(name: str) -> None:
    build = pkgutil.resolve_name(BASELINES[name].build)
    (given,) = inspect.signature(build).parameters.values()
    assert given.annotation == f"BuildInputs[{BASELINES[name].settings.__name__}]"


def test_memory_and_plots_have_what_they_need(name: str) -> None:
    assert d_sae(load_config(name).config, 96) > 0
    row = BASELINES[name]
    assert (trainer_markers()[name], trainer_colors()[name]) == (row.mark, row.colour)


def test_unchecked_settings_name_the_same_other_sae_as_checked_ones(name: str) -> None:
    sae = load_config(name).config.sae
    assert other_sae_of({"architecture": name, "not a setting": 1}) == sae.other_sae
    assert kind_of(name) != kind_of(None) == kind_of(["a list"]) == "trained"
