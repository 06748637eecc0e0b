"""Results from before the names of 0.1.0 read, compare and gate as those with the new ones."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from tests.e2e.conftest import CsaeBench

FIRST_CUT = Path(__file__).parents[1] / "data" / "first_cut"
"""Three seeds of custom_sae_small as the first cut wrote them: on data called `embedded`, of a
split called `reserved`, in `frames`."""
NEW_NAMES = {
    '"embedded"': '"tinyworld"',
    '"reserved"': '"test"',
    '"n_frames"': '"n_templates"',
}


@pytest.fixture
def with_new_names(tmp_path: Path) -> Path:
    """The same results as they would be written today."""
    folder = tmp_path / "new"
    shutil.copytree(FIRST_CUT, folder)
    for path in folder.rglob("*.json"):
        text = path.read_text(encoding="utf-8")
        for old, new in NEW_NAMES.items():
            text = text.replace(old, new)
        path.write_text(text, encoding="utf-8")
    return folder


def test_the_fixture_has_the_old_names() -> None:
    text = "".join(path.read_text(encoding="utf-8") for path in FIRST_CUT.rglob("*.json"))
    assert all(old in text for old in NEW_NAMES)


def test_old_and_new_names_are_the_same_conditions(
    with_new_names: Path, csae_bench: CsaeBench
) -> None:
    rules = ("--policy", Path(__file__).parents[2] / ".ci" / "policy.yaml")
    outcome = csae_bench("compare", with_new_names, "--baseline", FIRST_CUT, *rules, "--json")
    assert outcome.exit_code == 0, outcome.output
    rows = json.loads(outcome.stdout)["comparisons"]
    assert len(rows) > 10
    assert not {row["verdict"] for row in rows} & {"missing", "incomparable", "invalid"}
    assert {row["difference"] for row in rows if row["difference"] is not None} == {0.0}


def test_an_ideal_sae_is_the_oracle(tmp_path: Path, csae_bench: CsaeBench) -> None:
    for name in ("ideal", "oracle"):
        folder = tmp_path / name / "mig"
        folder.mkdir(parents=True)
        (source,) = FIRST_CUT.glob("mig/*custom_sae_small_eval_results.json")
        text = source.read_text(encoding="utf-8").replace("custom_sae_small", name)
        (folder / source.name.replace("custom_sae_small", name)).write_text(text, encoding="utf-8")
    command = ("compare", tmp_path / "oracle", "--baseline", tmp_path / "ideal", "--json")
    outcome = csae_bench(*command)
    assert outcome.exit_code == 0, outcome.output
    rows = json.loads(outcome.stdout)["comparisons"]
    assert rows
    assert {row[side]["name"] for row in rows for side in ("candidate", "baseline")} == {"oracle"}


def test_an_old_metric_is_compared_and_gated_under_its_new_name(
    tmp_path: Path, csae_bench: CsaeBench
) -> None:
    (source,) = FIRST_CUT.glob("mig/*custom_sae_small_eval_results.json")
    text = source.read_text(encoding="utf-8").replace('"mig"', '"factor_probing"')
    for name in ("tied_latents", "assigned_latents"):
        folder = tmp_path / name / "factor_probing"
        folder.mkdir(parents=True)
        (folder / source.name).write_text(text.replace("value_mig", name), encoding="utf-8")
    command = ("compare", tmp_path / "assigned_latents", "--baseline", tmp_path / "tied_latents")
    outcome = csae_bench(*command, "--json", "--fail-on", "factor_probing.tied_latents:-0.01")
    assert outcome.exit_code == 0, outcome.output
    assert "note: --fail-on: 'factor_probing.tied_latents' is called" in outcome.stderr
    rows = {row["metric"]: row for row in json.loads(outcome.stdout)["comparisons"]}
    assert rows["factor_probing.assigned_latents"]["difference"] == 0
    assert not any("tied_latents" in metric for metric in rows)


@pytest.mark.parametrize(("old", "new"), [("ideal", "oracle"), ("seed_run_1", "original_run_1")])
def test_an_old_configuration_is_found_and_its_new_name_said(
    csae_bench: CsaeBench, old: str, new: str
) -> None:
    outcome = csae_bench("doctor", "--sae", old, "--json")
    assert f"note: '{old}' is called '{new}' now" in outcome.stderr
    with_new_name = csae_bench("doctor", "--sae", new, "--json")
    assert outcome.exit_code == with_new_name.exit_code
    assert outcome.stdout == with_new_name.stdout


def test_old_values_are_read_from_files_and_flags(csae_bench: CsaeBench, tmp_path: Path) -> None:
    from csae_bench.config.loading import load_config

    path = tmp_path / "own.yaml"
    path.write_text(
        "model: tiny-gemma2-it\n"
        "activations: {kind: model, dataset: embedded}\n"
        "sae: {architecture: batchtopk, d_sae: 64, k: 4}\n"
        "evals: {mig: {factors: embedded, split: reserved}}\n",
        encoding="utf-8",
    )
    with pytest.warns(FutureWarning) as seen:
        config = load_config(str(path), sets=["evals.mig.split=reserved"]).config
    said = {str(warning.message) for warning in seen}
    assert any("'embedded' is called 'tinyworld' now" in text for text in said)
    assert any("'reserved' is called 'test' now" in text for text in said)
    assert config.activations.model_dump()["dataset"] == "tinyworld"
    assert config.evals["mig"] == {"factors": "tinyworld", "split": "test"}
