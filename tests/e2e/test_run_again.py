"""A second `csae-bench run` of an SAE: what is trained again, what is replaced, what stays."""

from __future__ import annotations

import json
import shutil
import threading
from pathlib import Path
from typing import Any

import pytest

from csae_bench.training import train as training
from tests.e2e.conftest import CUSTOM, CsaeBench


@pytest.fixture(scope="module")
def mig(tmp_path_factory: pytest.TempPathFactory) -> tuple[str, ...]:
    """Flags that run mig on few prompts, in seconds."""
    prompts = tmp_path_factory.mktemp("prompts") / "few.csv"
    lines = [
        f"{template} {subject} {verb} .,{subject},{verb}"
        for template in ("today", "yesterday", "here", "there")
        for subject in ("she", "he", "they")
        for verb in ("runs", "sleeps", "reads")
    ]
    prompts.write_text("\n".join(["text,subject,verb", *lines]))
    return "--evals", "mig", "--set", f"evals.mig.factors={prompts}"


def _without_evals(flags: tuple[str, ...]) -> tuple[str, ...]:
    """The flags that decide the weights, and threads."""
    pairs = list(zip(flags[::2], flags[1::2], strict=True))
    kept = [pair for pair in pairs if pair[0] != "--evals" and "evals." not in pair[1]]
    return tuple(part for pair in kept for part in pair)


TRAINED = _without_evals(CUSTOM)


@pytest.fixture
def results(finished: Path) -> Path:
    """The folder of a finished run, for a test to change."""
    return finished


@pytest.fixture
def trainings(monkeypatch: pytest.MonkeyPatch) -> list[Path]:
    """The checkpoint folders that training was called for; nothing is trained."""
    called: list[Path] = []

    def refuse(tasks: list[training.TrainingTask], *_: Any, **__: Any) -> None:
        called.extend(task.folder for task in tasks)
        raise RuntimeError("trained")

    monkeypatch.setattr(training, "train_side_by_side", refuse)
    return called


def _record(results: Path) -> dict[str, Any]:
    (path,) = results.glob("runs/*.json")
    return json.loads(path.read_text())


def _results_of(results: Path, name: str) -> dict[str, dict[str, Any]]:
    return {path.name: json.loads(path.read_text()) for path in results.glob(f"{name}/*.json")}


@pytest.mark.parametrize(
    "changed",
    [
        ("--set", "evals.core.context_size=32"),
        ("--set", "training.log_every=7"),
        ("--set", "training.checkpoint_every=3"),
        ("--set", "threads=2"),
        ("--device", "cpu"),
        ("--set", "evals.core.n_eval_reconstruction_batches=1"),
    ],
    ids=lambda flags: flags[1],
)
def test_what_does_not_decide_the_weights_trains_nothing(
    changed: tuple[str, ...], results: Path, trainings: list[Path], csae_bench: CsaeBench
) -> None:
    outcome = csae_bench("run", *CUSTOM, *changed, "--results", results)
    assert outcome.exit_code == 0, outcome.stderr
    assert trainings == []
    assert len(list(results.glob("checkpoints/*/*/inference"))) == 1
    assert len(list(results.glob("runs/*.json"))) == 1


def test_a_checkpoint_is_found_under_another_name(
    results: Path, trainings: list[Path], csae_bench: CsaeBench, tmp_path: Path
) -> None:
    renamed = tmp_path / "renamed.yaml"
    shutil.copy("sae_configs/custom_sae.yaml", renamed)
    for base in Path("sae_configs").glob("_*.yaml"):
        shutil.copy(base, tmp_path)
    flags = ("--sae", renamed, *CUSTOM[2:])
    outcome = csae_bench("run", *flags, "--results", results)
    assert outcome.exit_code == 0, outcome.stderr
    assert trainings == []
    names = {result["sae_lens_id"] for result in _results_of(results, "core").values()}
    assert {name.split("-")[0] for name in names} == {"custom_sae", "renamed"}


def test_training_again_is_announced_with_the_keys_that_caused_it(
    results: Path, trainings: list[Path], csae_bench: CsaeBench, tmp_path: Path
) -> None:
    config = tmp_path / "mine.yaml"
    config.write_text(
        "sae: {architecture: topk, d_sae: 64, k: 8}\n"
        "activations: {pairs_in_buffer: 1024}\n"
        "training: {n_tokens: 8192, batch_size: 1024}\n"
    )
    made = results / "checkpoints" / "tiny-gemma2-it_layer_2_sae_mine" / "0123456789abcdef"
    csae_bench("train", "--sae", config, "--results", results)
    shutil.copytree(trainings[0], made)
    (made / "inference").mkdir()
    (made / "inference" / "cfg.json").write_text("{}")
    config.write_text(config.read_text().replace("k: 8", "k: 9"))
    outcome = csae_bench("train", "--sae", config, "--results", results)
    assert len(trainings) == 2
    assert "mine is made again" in outcome.stderr
    assert "sae.k is 9, was 8" in outcome.stderr


def test_a_result_under_other_settings_is_filed_next_to_the_first(
    results: Path, csae_bench: CsaeBench, mig: tuple[str, ...]
) -> None:
    csae_bench("run", *TRAINED, *mig, "--results", results)
    (first,) = _results_of(results, "mig")
    before = (results / "mig" / first).read_bytes()
    control = ("--set", "evals.mig.shuffled=true")
    outcome = csae_bench("run", *TRAINED, *mig, *control, "--results", results)
    assert outcome.exit_code == 0, outcome.stderr
    assert (results / "mig" / first).read_bytes() == before
    filed = _results_of(results, "mig")
    (other,) = filed.keys() - {first}
    digits = other.removeprefix(first.removesuffix("eval_results.json")).split("_")[0]
    assert len(digits) == 8
    assert other == first.replace("_eval_results", f"_{digits}_eval_results")
    assert filed[first]["sae_lens_id"] == filed[other]["sae_lens_id"]
    provenance = filed[other]["eval_result_unstructured"]["provenance"]
    assert provenance["variant"] == digits
    assert provenance["differs"] == {"settings.shuffled": True}
    assert filed[first]["eval_result_unstructured"]["provenance"]["variant"] is None
    assert (results / "artifacts" / "mig" / other.removesuffix("_eval_results.json")).is_dir()
    cells = _record(results)["cells"]
    assert cells["mig"]["result"] == f"mig/{first}"
    assert cells[f"mig_{digits}"]["result"] == f"mig/{other}"


def test_both_results_are_found_again(
    results: Path, csae_bench: CsaeBench, mig: tuple[str, ...]
) -> None:
    both = (mig, (*mig, "--set", "evals.mig.shuffled=true"))
    for flags in both:
        csae_bench("run", *TRAINED, *flags, "--results", results)
    before = {path: path.stat().st_mtime_ns for path in results.glob("mig/*.json")}
    for flags in both:
        csae_bench("run", *TRAINED, *flags, "--results", results)
    assert {path: path.stat().st_mtime_ns for path in results.glob("mig/*.json")} == before
    assert len(before) == 2


def test_force_replaces_the_result_under_the_same_settings_alone(
    results: Path, csae_bench: CsaeBench, mig: tuple[str, ...]
) -> None:
    folder = results / _record(results)["training"]["checkpoint"]
    flags = ("--sae", folder, "--results", results, *mig)
    csae_bench("run", *flags)
    csae_bench("run", *flags, "--seed", "5")
    first, other = sorted(results.glob("mig/*.json"), key=lambda path: len(path.name))
    before = first.read_bytes(), other.read_bytes()
    csae_bench("run", *flags, "--seed", "5", "--force")
    assert first.read_bytes() == before[0]
    assert other.read_bytes() != before[1]
    assert len(list(results.glob("mig/*.json"))) == 2


@pytest.mark.parametrize(
    "flags",
    [
        ("--evals", "core,cor"),
        ("--device", "cuda"),
        ("--set", "sae.d_sea=3"),
        ("--set", "evals.core.contxt=3"),
        ("--set", "sae.k=0"),
        ("--set", "training.n_tokens=10"),
        ("--model", "nowhere"),
        ("--set", "hook_name=blocks.99.hook_resid_post"),
    ],
    ids=lambda flags: flags[1],
)
def test_a_refused_call_leaves_every_record_as_it_was(
    flags: tuple[str, ...], results: Path, csae_bench: CsaeBench
) -> None:
    before = {path: path.read_bytes() for path in results.glob("runs/*.json")}
    outcome = csae_bench("run", *CUSTOM, *flags, "--results", results)
    assert outcome.exit_code == 2
    after = {path: path.read_bytes() for path in results.glob("runs/*.json")}
    assert {path: after[path] for path in before} == before
    assert csae_bench("compare", results).exit_code in (0, 4 if len(after) > len(before) else 0)


@pytest.mark.parametrize(
    "flags",
    [("--evals", "core,cor"), ("--device", "cuda"), ("--set", "sae.d_sea=3")],
    ids=lambda flags: flags[1],
)
def test_a_refusal_that_is_not_about_the_sae_writes_nothing(
    flags: tuple[str, ...], csae_bench: CsaeBench, tmp_path: Path
) -> None:
    assert csae_bench("run", "--sae", "topk", *flags, "--results", tmp_path).exit_code == 2
    assert not list(tmp_path.rglob("*.json"))


def test_a_configuration_that_is_wrong_by_itself_gets_a_failed_record(
    csae_bench: CsaeBench, tmp_path: Path
) -> None:
    config = tmp_path / "bad.yaml"
    config.write_text("sae: {architecture: topk, k: -3}\n")
    outcome = csae_bench("run", "--sae", config, "--results", tmp_path / "r")
    assert outcome.exit_code == 2
    record = _record(tmp_path / "r")
    assert record["sae_id"] == "bad"
    assert "sae.k is -3" in record["problems"][0]


def test_records_merge(results: Path, csae_bench: CsaeBench, mig: tuple[str, ...]) -> None:
    csae_bench("run", *TRAINED, *mig, "--results", results)
    outcome = csae_bench("run", *CUSTOM, "--results", results, "--json")
    assert json.loads(outcome.stdout)["cells"].keys() == {"training", "validity", "core"}
    record = _record(results)
    assert list(record["cells"]) == ["training", "validity", "core", "mig"]
    assert record["config"]["evals"].keys() >= {"core", "mig"}


def test_an_interrupted_run_keeps_the_cells_it_had(
    results: Path,
    csae_bench: CsaeBench,
    monkeypatch: pytest.MonkeyPatch,
    mig: tuple[str, ...],
) -> None:
    def stop(*_: Any) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("csae_bench.engines.factors.samples.samples_of", stop)
    outcome = csae_bench("run", *TRAINED, *mig, "--results", results)
    assert outcome.exit_code == 4
    record = _record(results)
    assert record["status"] == "failed"
    assert record["cells"]["core"]["status"] == "ok"
    assert record["cells"]["run"]["reasons"][0]["message"] == "interrupted"
    monkeypatch.undo()
    assert csae_bench("run", *TRAINED, *mig, "--results", results).exit_code == 0
    assert list(_record(results)["cells"]) == ["training", "validity", "core", "mig"]
    assert _record(results)["status"] == "ok"


def test_two_runs_at_once_with_different_evals_lose_no_cell(results: Path) -> None:
    from csae_bench.results.schema import Cell
    from csae_bench.runs.record import Clock, Recorder
    from csae_bench.runs.request import RunRequest
    from csae_bench.runs.resolving import resolve_sae
    from csae_bench.saes.hashing import weights_hash

    sets = tuple(CUSTOM[i + 1] for i, flag in enumerate(CUSTOM) if flag == "--set")
    request = RunRequest(source="custom_sae", results=results, sets=sets, evals=("core",))
    resolved_sae = resolve_sae(request)
    hashed = weights_hash(resolved_sae.checkpoint)
    start = threading.Barrier(8)

    def file(number: int) -> None:
        start.wait()
        for part in range(5):
            Recorder(request, resolved_sae, Clock()).file(
                {f"eval_{number}_{part}": Cell(status="ok")}, hashed
            )

    threads = [threading.Thread(target=file, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len([name for name in _record(results)["cells"] if name.startswith("eval_")]) == 40
