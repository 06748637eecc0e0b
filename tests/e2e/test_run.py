"""`csae-bench run` and `train`, from flags to files."""

from __future__ import annotations

import json
import resource
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch

from csae_bench.evals import EvalConfig, EvalContext, EvalResult, register_eval
from tests.e2e.conftest import CUSTOM, SMALL, CsaeBench


def _one(folder: Path, pattern: str) -> dict[str, Any]:
    (path,) = folder.glob(pattern)
    return json.loads(path.read_text())


def test_a_run_leaves_a_result_a_record_and_a_checkpoint(finished: Path) -> None:
    record = _one(finished, "runs/*.json")
    result = _one(finished, "core/*_eval_results.json")
    assert record["status"] == "ok"
    assert {name: cell["status"] for name, cell in record["cells"].items()} == {
        "training": "ok",
        "validity": "ok",
        "core": "ok",
    }
    assert record["training"]["executed_steps"] == record["training"]["planned_steps"] == 40
    assert (finished / record["training"]["checkpoint"] / "inference" / "cfg.json").is_file()
    assert (finished / record["cells"]["core"]["result"]).is_file()
    assert result["eval_type_id"] == "core"
    assert result["sae_lens_release_id"] == "tiny-gemma2-it_layer_2_sae"


def test_sae_bench_accepts_the_result(finished: Path) -> None:
    from pydantic import TypeAdapter
    from sae_bench.evals.core.eval_output import CoreEvalOutput

    result = _one(finished, "core/*_eval_results.json")
    output = TypeAdapter(CoreEvalOutput).validate_python(result)
    # 40 steps leave codes that depend on the place in the text: L0 is 18 at 128 tokens, not at 64
    assert output.eval_result_metrics.sparsity.l0 == pytest.approx(18, rel=0.3)


def test_every_result_says_what_it_came_from(finished: Path) -> None:
    provenance = _one(finished, "core/*.json")["eval_result_unstructured"]["provenance"]
    assert provenance["versions"].keys() >= {"csae_bench", "sae_bench", "sae_lens", "torch"}
    assert provenance["config"]["training"]["n_tokens"] == 40960
    assert provenance["training_architecture"] == "contrastive_batchtopk"
    assert len(provenance["weights_hash"]) == 64


def test_the_record_says_where_each_value_came_from(finished: Path) -> None:
    origins = _one(finished, "runs/*.json")["origins"]
    assert origins["sae.d_sae"] == "flag"
    assert origins["sae.k"] == "file"
    assert origins["training.adam_beta1"] == "default"


def test_the_training_log_has_a_loss_for_every_term_that_is_on(finished: Path) -> None:
    record = _one(finished, "runs/*.json")
    lines = [
        json.loads(line)
        for line in (finished / record["training"]["training_log"]).read_text().splitlines()
    ]
    expected = {
        "step", "loss", "mse_loss", "l0", "explained_variance", "dead_latents", "lr",
        "tokens_per_second", "memory_gib", "loss/sparse_shift", "coefficient/sparse_shift",
        "grad_share/sparse_shift",
    }  # fmt: skip
    assert all(line.keys() >= expected for line in lines)
    assert lines[-1]["mse_loss"] < lines[0]["mse_loss"]
    assert lines[-1]["loss/sparse_shift"] > 0
    assert lines[0]["stage"] == "reconstruction"
    assert lines[0]["loss/sparse_shift"] is None


def test_the_record_has_the_separation_of_held_out_pairs(finished: Path) -> None:
    training = _one(finished, "runs/*.json")["training"]
    assert 0 < training["pair_separation"] < 1
    assert training["pair_separation_by_kind"].keys() == {"same_sequence"}
    assert training["shift_participation"] > 1


def test_a_second_run_does_nothing_and_does_not_import_sae_lens(finished: Path) -> None:
    before = {path: path.stat().st_mtime_ns for path in finished.rglob("*_eval_results.json")}
    arguments = ["run", *CUSTOM, "--results", str(finished)]
    code = (
        "import sys\nfrom csae_bench.cli.main import main\n"
        f"try: main({arguments!r})\n"
        "except SystemExit as end: assert end.code == 0, end.code\n"
        "slow = {'sae_lens', 'sae_bench', 'transformer_lens', 'torch'} & set(sys.modules)\n"
        "assert not slow, slow"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert {path: path.stat().st_mtime_ns for path in before} == before


def test_json_prints_the_record(finished: Path, csae_bench: CsaeBench) -> None:
    outcome = csae_bench("run", *CUSTOM, "--results", finished, "--json")
    assert json.loads(outcome.stdout)["cells"]["core"]["status"] == "ok"


def test_train_prints_the_checkpoints_path_last(finished: Path, csae_bench: CsaeBench) -> None:
    outcome = csae_bench("train", *CUSTOM, "--results", finished)
    path = Path(outcome.stdout.splitlines()[-1])
    assert path.is_absolute()
    assert (path / "inference" / "sae_weights.safetensors").is_file()


def test_a_checkpoint_folder_is_evaluated_like_any_other_sae(
    finished: Path, csae_bench: CsaeBench, tmp_path: Path
) -> None:
    checkpoint = finished / _one(finished, "runs/*.json")["training"]["checkpoint"]
    flags = ("--set", "evals.core.n_eval_reconstruction_batches=2",
             "--set", "evals.core.n_eval_sparsity_variance_batches=2",
             "--set", "evals.core.context_size=64")  # fmt: skip
    outcome = csae_bench("run", "--sae", checkpoint, "--results", tmp_path, *flags)
    assert outcome.exit_code == 0, outcome.stderr
    ours = _one(finished, "core/*.json")
    theirs = _one(tmp_path, "core/*.json")
    assert theirs["eval_result_metrics"] == ours["eval_result_metrics"]
    assert theirs["sae_lens_id"] == ours["sae_lens_id"]


def test_force_evaluates_a_checkpoint_folder_again_and_leaves_it_as_it_is(
    finished: Path, csae_bench: CsaeBench, tmp_path: Path
) -> None:
    original = finished / _one(finished, "runs/*.json")["training"]["checkpoint"]
    checkpoint = tmp_path / original.name
    shutil.copytree(original, checkpoint)
    before = {path: path.read_bytes() for path in checkpoint.rglob("*") if path.is_file()}
    flags = ("--evals", "core", "--set", "evals.core.n_eval_reconstruction_batches=1",
             "--set", "evals.core.n_eval_sparsity_variance_batches=1", "--force")  # fmt: skip
    outcome = csae_bench("run", "--sae", checkpoint, "--results", tmp_path / "r", *flags)
    assert outcome.exit_code == 0, outcome.stderr
    after = {path: path.read_bytes() for path in checkpoint.rglob("*") if path.is_file()}
    assert after == before


def test_a_setting_without_effect_on_a_folder_is_refused(
    finished: Path, csae_bench: CsaeBench, tmp_path: Path
) -> None:
    checkpoint = finished / _one(finished, "runs/*.json")["training"]["checkpoint"]
    outcome = csae_bench("run", "--sae", checkpoint, "--results", tmp_path, "--set", "sae.k=3")
    assert outcome.exit_code == 2
    assert "has no effect" in outcome.stderr


@pytest.mark.parametrize("name", ["identity", "pca", "random"])
def test_baselines_are_evaluated_without_training(
    name: str, csae_bench: CsaeBench, tmp_path: Path
) -> None:
    flags = [flag for pair in zip(SMALL[::2], SMALL[1::2], strict=True) for flag in pair
             if pair[1].startswith(("core", "evals", "threads"))]  # fmt: skip
    fit = () if name == "identity" else ("--set", "sae.n_fit_tokens=4000")
    outcome = csae_bench("run", "--sae", name, "--results", tmp_path, *fit, *flags)
    assert outcome.exit_code == 0, outcome.stderr
    corrected = _one(tmp_path, "core/*.json")["eval_result_unstructured"]["corrected"]
    assert _one(tmp_path, "runs/*.json")["cells"]["training"]["status"] == "skipped"
    if name == "identity":
        assert corrected["explained_variance"] == pytest.approx(1, abs=1e-6)
    if name == "pca":
        assert corrected["l0"] == pytest.approx(18, abs=0.1)


def test_a_permuted_control_trains_what_it_permutes(csae_bench: CsaeBench, tmp_path: Path) -> None:
    config = tmp_path / "small_topk.yaml"
    config.write_text(
        "sae: {architecture: topk, d_sae: 64, k: 8}\n"
        "activations: {pairs_in_buffer: 1024}\n"
        "training: {n_tokens: 8192, batch_size: 1024}\n"
    )
    flags = ("--set", f"sae.of={config}", "--evals", "core", "--set",
             "evals.core.n_eval_reconstruction_batches=1", "--set",
             "evals.core.n_eval_sparsity_variance_batches=1")  # fmt: skip
    outcome = csae_bench("run", "--sae", "permuted", "--results", tmp_path / "r", *flags)
    assert outcome.exit_code == 0, outcome.stderr
    assert len(list((tmp_path / "r" / "checkpoints").glob("*/*/inference"))) == 2


def test_zero_steps_are_refused_with_the_arithmetic_and_a_failed_record(
    csae_bench: CsaeBench, tmp_path: Path
) -> None:
    outcome = csae_bench(
        "run", "--sae", "topk", "--results", tmp_path, "--set", "training.n_tokens=1000"
    )
    assert outcome.exit_code == 2
    assert "1000 tokens / batch 2048 = 0 steps; need at least 2048" in outcome.stderr
    record = _one(tmp_path, "runs/*.json")
    assert record["status"] == "failed"
    assert record["training"]["planned_steps"] == record["training"]["executed_steps"] == 0
    assert not (tmp_path / "checkpoints").exists()


def test_a_dead_sae_is_invalid_and_gets_no_scores(csae_bench: CsaeBench, tmp_path: Path) -> None:
    from csae_bench.saes import baselines

    metadata = {
        "model_name": "tiny-gemma2-it",
        "hook_name": "blocks.2.hook_resid_post",
        "prepend_bos": True,
    }
    sae = baselines.identity(128, metadata=metadata)
    with torch.no_grad():
        for parameter in sae.parameters():
            parameter.zero_()
    sae.save_model(tmp_path / "dead")
    outcome = csae_bench("run", "--sae", tmp_path / "dead", "--results", tmp_path / "r")
    assert outcome.exit_code == 4
    record = _one(tmp_path, "r/runs/*.json")
    assert record["status"] == "invalid"
    reasons = " ".join(reason["message"] for reason in record["cells"]["validity"]["reasons"])
    assert "no latent is active" in reasons
    assert "all zero" in reasons
    assert record["cells"]["core"]["status"] == "skipped"
    assert not (tmp_path / "r" / "core").exists()


def test_an_eval_that_fails_leaves_the_others_results_and_exits_4(
    finished: Path, csae_bench: CsaeBench, tmp_path: Path
) -> None:
    from csae_bench.evals import EVALS

    results = shutil.copytree(finished, tmp_path / "results")
    flags = ("--evals", "broken,core", "--set", "evals.broken={}")

    @register_eval("broken", config=EvalConfig)
    def broken(ctx: EvalContext, cfg: EvalConfig) -> EvalResult:
        """Fails."""
        raise ZeroDivisionError("as planned")

    try:
        outcome = csae_bench("run", *CUSTOM, *flags, "--results", results)
    finally:
        EVALS.remove("broken")
    record = _one(results, "runs/*.json")
    assert outcome.exit_code == 4
    assert record["cells"]["core"]["status"] == "ok"
    assert record["cells"]["broken"]["reasons"][0]["kind"] == "ZeroDivisionError"
    assert "as planned" in record["cells"]["broken"]["reasons"][0]["message"]


def test_generated_activations_train_and_core_is_skipped_with_the_reason(
    csae_bench: CsaeBench, tmp_path: Path
) -> None:
    flags = ("activations.d_in=64", "activations.n_features=128", "sae.d_sae=128",
             "training.n_tokens=16384", "training.batch_size=1024", "threads=1")  # fmt: skip
    sets = [part for flag in flags for part in ("--set", flag)]
    outcome = csae_bench("run", "--sae", "original_run_1_generated", "--results", tmp_path, *sets)
    assert outcome.exit_code == 0, outcome.stderr
    record = _one(tmp_path, "runs/*.json")
    assert record["training"]["executed_steps"] == 16
    assert record["cells"]["core"]["status"] == "skipped"
    assert "no model" in record["cells"]["core"]["reasons"][0]["message"]


def test_export_stock_names_an_architecture_of_saelens(
    finished: Path, csae_bench: CsaeBench, tmp_path: Path
) -> None:
    checkpoint = finished / _one(finished, "runs/*.json")["training"]["checkpoint"]
    outcome = csae_bench("export", checkpoint, "--to", tmp_path / "out", "--stock")
    assert outcome.exit_code == 0, outcome.stderr
    assert sorted(p.name for p in (tmp_path / "out").iterdir()) == [
        "cfg.json",
        "sae_weights.safetensors",
    ]
    assert json.loads((tmp_path / "out" / "cfg.json").read_text())["architecture"] == "jumprelu"


def test_a_full_disk_is_a_sentence_and_a_failed_record(tmp_path: Path) -> None:
    def no_large_files() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (400_000, 400_000))

    command = [sys.executable, "-m", "csae_bench.cli", "run", *CUSTOM, "--results", str(tmp_path)]
    command += ["--set", "training.checkpoint_every=2"]
    done = subprocess.run(command, capture_output=True, text=True, preexec_fn=no_large_files)
    assert done.returncode == 4, done.stderr
    assert "cannot be written" in done.stderr
    assert "Traceback" not in done.stderr
    record = _one(tmp_path, "runs/*.json")
    assert record["cells"]["training"]["status"] == "failed"
    assert not list(tmp_path.rglob("inference"))
