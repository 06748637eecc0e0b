"""The unlearning eval from the command line."""

from __future__ import annotations

import json
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator
from sae_bench.sae_bench_utils.graphing_utils import get_eval_results

from csae_bench import tinyworld
from csae_bench.engines.unlearning import sources
from csae_bench.engines.unlearning.data import SUBJECTS
from csae_bench.evals.schemas import schema_path
from csae_bench.models import loading
from tests.e2e.conftest import CsaeBench

SETTINGS = {
    "retain_thresholds": "[0.01,0.5]",
    "n_features_list": "[5]",
    "multipliers": "[25,100]",
    "dataset_size": 16,
    "seq_len": 64,
    "n_control": 1,
}

Flags = Callable[..., list[str]]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Data of tinyworld in files, to be changed."""
    return _write_data(tmp_path / "data")


@pytest.fixture
def flags(folder: Path, tmp_path: Path) -> Flags:
    """Flags of a run on them that takes seconds; its results lie in r/."""
    return partial(_flags, folder, tmp_path / "r")


@pytest.fixture(scope="module")
def result(csae_bench: CsaeBench, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The result of such a run."""
    place = tmp_path_factory.mktemp("unlearning")
    outcome = csae_bench("run", *_flags(_write_data(place / "data"), place / "r"))
    assert outcome.exit_code == 0, outcome.stderr
    return _result(place / "r")


def _write_data(folder: Path) -> Path:
    """Three questions of each subject and some texts."""
    folder.mkdir()
    rows: dict[str, list[dict[str, Any]]] = {
        name: [question._asdict() for question in tinyworld.questions(name)[:3]]
        for name in SUBJECTS
    }
    rows[sources.FORGET_FILE] = [{"text": text} for text in tinyworld.forget_corpus(20)]
    rows[sources.RETAIN_FILE] = [{"text": text} for text in tinyworld.retain_corpus(20)]
    for stem, of_stem in rows.items():
        lines = "".join(f"{json.dumps(row)}\n" for row in of_stem)
        (folder / f"{stem}.jsonl").write_text(lines)
    return folder


def _flags(folder: Path, results: Path, evals: str = "unlearning", **changes: Any) -> list[str]:
    settings = SETTINGS | {"data": folder} | changes
    sets = [part for key, value in settings.items()
            for part in ("--set", f"evals.unlearning.{key}={value}")]  # fmt: skip
    return ["--sae", "identity", "--evals", evals, *sets, "--results", str(results)]


def _result(results: Path) -> Path:
    (path,) = (results / "unlearning").iterdir()
    return path


def test_sae_bench_reads_the_result_and_it_fits_our_schema(result: Path) -> None:
    shown = json.loads(result.read_text())
    schema = json.loads(schema_path("unlearning").read_text(encoding="utf-8"))
    Draft202012Validator(schema).validate(shown)
    (read,) = get_eval_results([str(result)]).values()
    score = shown["eval_result_metrics"]["unlearning"]["unlearning_score"]
    assert read["unlearning_score"] == score


def test_the_result_has_the_true_name_of_the_model(result: Path) -> None:
    shown = json.loads(result.read_text())
    assert shown["eval_config"]["model_name"] == "tiny-gemma2-it"
    assert shown["eval_result_unstructured"]["provenance"]["model"] == "tiny-gemma2-it"


def test_the_result_has_every_answer_of_every_setting(result: Path) -> None:
    shown = json.loads(result.read_text())
    unstructured = shown["eval_result_unstructured"]
    questions = unstructured["questions"]
    assert len(shown["eval_result_details"]) >= 2
    for detail in shown["eval_result_details"]:
        for name in SUBJECTS:
            assert set(detail["wrong"][name]) <= set(questions[name])
            kept = 1 - len(detail["wrong"][name]) / len(questions[name])
            assert detail["accuracy"][name] == pytest.approx(kept)
    assert unstructured["data"]["n_questions"] == dict.fromkeys(SUBJECTS, 3)
    assert len(unstructured["control"]["scores"]) == 1
    assert any("human_aging 3" in warning for warning in unstructured["warnings"])


def test_models_are_loaded_and_data_read_once_and_a_second_run_does_nothing(
    flags: Flags, csae_bench: CsaeBench, monkeypatch: pytest.MonkeyPatch
) -> None:
    loaded: list[str] = []
    read: list[str] = []
    load, open_data = loading.load, sources.open_data

    def watched_load(name: str, **options: Any) -> Any:
        loaded.append(name)
        return load(name, **options)

    def watched_open(data: str, **options: Any) -> Any:
        read.append(data)
        return open_data(data, **options)

    monkeypatch.setattr(loading, "load", watched_load)
    monkeypatch.setattr(sources, "open_data", watched_open)
    small = ("--set", "evals.core.n_eval_reconstruction_batches=1",
             "--set", "evals.core.n_eval_sparsity_variance_batches=1")  # fmt: skip
    for _ in range(2):
        outcome = csae_bench("run", *flags("core,unlearning", n_control=0), *small)
        assert outcome.exit_code == 0, outcome.stderr
        assert loaded == ["tiny-gemma2-it"]
        assert len(read) == 1


def test_changed_questions_are_asked_again(
    flags: Flags, csae_bench: CsaeBench, tmp_path: Path, folder: Path
) -> None:
    csae_bench("run", *flags(n_control=0))
    first = _result(tmp_path / "r")
    path = folder / "human_aging.jsonl"
    path.write_text("\n".join(path.read_text().splitlines()[:2]))
    assert csae_bench("run", *flags(n_control=0)).exit_code == 0
    # of other questions: filed next to the first result
    (other,) = set((tmp_path / "r" / "unlearning").iterdir()) - {first}
    questions = json.loads(other.read_text())["eval_result_unstructured"]["questions"]
    assert questions["human_aging"] == [0, 1]


def test_a_broken_corpus_is_found_before_anything_runs(
    flags: Flags, csae_bench: CsaeBench, tmp_path: Path, folder: Path
) -> None:
    path = folder / f"{sources.FORGET_FILE}.jsonl"
    first, second, *_ = path.read_text().splitlines()
    path.write_text(f'{first}\n{second}\n{{"text": \n')
    for command in ("doctor", "run"):
        outcome = csae_bench(command, *flags(), "--json")
        assert outcome.exit_code == 2
        assert f"{path}, line 3: is not JSON" in outcome.stdout + outcome.stderr
    assert not (tmp_path / "r" / "unlearning").exists()


def test_a_model_that_cannot_be_asked_is_a_skipped_cell_and_a_problem_where_it_is_named(
    flags: Flags, csae_bench: CsaeBench
) -> None:
    own = csae_bench("doctor", *flags(data="auto"), "--model", "gpt2", "--json")
    named = csae_bench("doctor", *flags(model="gpt2"), "--json")
    (checked,) = (c for c in json.loads(own.stdout)["checks"] if c["name"] == "evals")
    assert checked["outcome"] == "ok"
    assert "unlearning: will be skipped" in checked["message"]
    assert named.exit_code == 2
    assert "instruction-tuned Gemma models, and gpt2 is none" in named.stdout


def test_real_data_are_unknown_here_and_no_problem(csae_bench: CsaeBench) -> None:
    outcome = csae_bench("doctor", "--sae", "gemma_2_2b", "--json")
    assert outcome.exit_code == 0
    (collected,) = (
        check
        for check in json.loads(outcome.stdout)["checks"]
        if check["message"].startswith("unlearning:")
    )
    assert collected["outcome"] == "unknown"
    assert "Request access to cais/wmdp-bio-forget-corpus" in collected["message"]
