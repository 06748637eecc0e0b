"""`csae-bench compare` where an SAE has several results of one eval."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.e2e import compare_folders as folders
from tests.e2e.conftest import CsaeBench

LABEL = "settings.shuffled=true"


def _control(folder: Path, name: str = "topk", *, seed: int = 0, value: float = 0.001) -> Path:
    """The control of shuffled factors, as a run files it beside the real score."""
    first = folders.mig(folder, name, 0.5, seed=seed)
    result = json.loads(first.read_text())
    result["eval_result_metrics"]["scores"]["value_mig"] = value
    provenance = result["eval_result_unstructured"]["provenance"]
    provenance |= {"variant": "0a1b2c3d", "differs": {"settings.shuffled": True}}
    provenance["eval_settings"]["shuffled"] = True
    result["eval_result_unstructured"]["data"]["is_shuffled"] = True
    path = first.with_name(first.name.replace("_eval_results", "_0a1b2c3d_eval_results"))
    path.write_text(json.dumps(result))
    record = next(folder.glob(f"runs/*{result['sae_lens_id']}.json"))
    cells = json.loads(record.read_text())
    cells["cells"]["mig_0a1b2c3d"] = {"status": "ok"}
    record.write_text(json.dumps(cells))
    return path


@pytest.fixture
def results(tmp_path: Path) -> Path:
    """Two SAEs of two seeds, each with its control."""
    for name, value_mig in (("topk", 0.5), ("other", 0.4)):
        folders.family(tmp_path / "results", name, value_mig=value_mig, seeds=(0, 1))
        for seed in (0, 1):
            _control(tmp_path / "results", name, seed=seed)
    return tmp_path / "results"


def _json(csae_bench: CsaeBench, *arguments: str | Path) -> dict[str, Any]:
    outcome = csae_bench("compare", *arguments, "--json")
    assert outcome.exit_code == 0, outcome.output
    return json.loads(outcome.stdout)


def test_both_results_of_one_sae_are_shown(tmp_path: Path, csae_bench: CsaeBench) -> None:
    folders.family(tmp_path, "topk", seeds=(0,))
    _control(tmp_path)
    outcome = csae_bench("compare", tmp_path)
    assert outcome.exit_code == 0, outcome.output
    assert f"topk ({LABEL})" in outcome.stdout
    assert "not counted" not in outcome.stdout
    measured = _json(csae_bench, tmp_path)["candidate"]
    assert {result["sae_id"] for result in measured["results"]} == {"topk"}
    values = {r["variant"]: r["values"]["mig.value_mig"] for r in measured["results"]
              if r["eval"] == "mig"}  # fmt: skip
    assert values == {"": 0.5, LABEL: 0.001}


def test_a_control_is_paired_with_controls_alone(results: Path, csae_bench: CsaeBench) -> None:
    result = _json(csae_bench, results)
    pairs = {
        (c["candidate"]["name"], c["baseline"]["name"]): c["n_pairs"]
        for c in result["comparisons"]
        if c["metric"] == "mig.value_mig"
    }
    assert pairs == {("topk", "other"): 2, (f"topk ({LABEL})", f"other ({LABEL})"): 2}
    means = {c["candidate"]["name"]: c["candidate_mean"] for c in result["comparisons"]
             if c["metric"] == "mig.value_mig"}  # fmt: skip
    assert means["topk"] > 0.1 > means[f"topk ({LABEL})"]


def test_every_output_shows_the_control(
    results: Path, tmp_path: Path, csae_bench: CsaeBench
) -> None:
    out = {kind: tmp_path / f"report.{kind}" for kind in ("md", "html", "junit")}
    flags = [part for kind, path in out.items() for part in (f"--{kind}", path)]
    outcome = csae_bench("compare", results, *flags, "--plots", tmp_path / "plots")
    assert outcome.exit_code == 0, outcome.output
    assert "settings.shuffled=true" in out["md"].read_text()
    for kind in ("html", "junit"):
        assert LABEL in out[kind].read_text()


def test_a_baseline_keeps_the_control_in_a_file_of_its_own(
    results: Path, tmp_path: Path, csae_bench: CsaeBench
) -> None:
    flags = ("--baseline", tmp_path / "baseline")
    outcome = csae_bench("compare", results, *flags, "--update-baseline")
    assert outcome.exit_code == 0, outcome.output
    files = {path.name for path in (tmp_path / "baseline" / "mig").iterdir()}
    assert files == {path.name for path in (results / "mig").iterdir()}
    rules = ("--fail-on", "mig.value_mig:0", "--fail-on", "core.ce_loss_score:0")
    outcome = csae_bench("compare", results, *flags, *rules)
    assert outcome.exit_code == 0, outcome.output


def test_a_control_that_is_gone_is_missing(
    results: Path, tmp_path: Path, csae_bench: CsaeBench
) -> None:
    flags = ("--baseline", tmp_path / "baseline")
    csae_bench("compare", results, *flags, "--update-baseline")
    for path in results.glob("mig/*topk*_0a1b2c3d_*"):
        path.unlink()
    outcome = csae_bench("compare", results, *flags)
    assert outcome.exit_code == 5, outcome.output
    assert "no such result of this SAE" in " ".join(outcome.stdout.split())


def test_a_policy_that_asks_for_evals_does_not_ask_them_of_a_control(
    results: Path, tmp_path: Path, csae_bench: CsaeBench
) -> None:
    policy = tmp_path / "policy.yaml"
    policy.write_text("evals: [core, mig]\nrules: {core.ce_loss_score: -0.5}\n")
    outcome = csae_bench("compare", results, "--against", "other", "--policy", policy)
    assert outcome.exit_code == 0, outcome.output


def test_a_failed_control_fails_and_leaves_the_score_alone(
    results: Path, csae_bench: CsaeBench
) -> None:
    path = next(results.glob("runs/*_topk.json"))
    record = json.loads(path.read_text())
    record["status"] = "failed"
    reasons = [{"kind": "E", "message": "boom"}]
    record["cells"]["mig_0a1b2c3d"] = {"status": "failed", "reasons": reasons}
    path.write_text(json.dumps(record))
    outcome = csae_bench("compare", results, "--json")
    assert outcome.exit_code == 4
    verdicts = {c["candidate"]["name"]: c["verdict"] for c in json.loads(outcome.stdout)[
        "comparisons"] if c["metric"] == "mig.value_mig"}  # fmt: skip
    assert verdicts[f"topk ({LABEL})"] == "invalid"
    assert verdicts["topk"] != "invalid"


def test_a_first_result_that_is_a_control_is_not_compared_with_a_score(
    tmp_path: Path, csae_bench: CsaeBench
) -> None:
    for name in ("topk", "other"):
        folders.mig(tmp_path, name, 0.5)
    path = next(tmp_path.glob("mig/*_other_*"))
    result = json.loads(path.read_text())
    result["eval_result_unstructured"]["data"]["is_shuffled"] = True
    path.write_text(json.dumps(result))
    outcome = csae_bench("compare", tmp_path, "--json")
    rows = json.loads(outcome.stdout)["comparisons"]
    assert {row["verdict"] for row in rows} == {"incomparable"}
