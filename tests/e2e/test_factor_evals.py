"""MIG, FactorVAE and feature correlation from the command line."""

from __future__ import annotations

import json
from collections.abc import Iterator
from itertools import product
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from csae_bench.evals.schemas import schema_path
from csae_bench.factors import encoding
from tests.e2e.conftest import CsaeBench

NAMES = ("mig", "factor_vae", "feature_correlation")
QUICK = tuple(
    part
    for name, key, value in (
        *((name, "n_permutations", 20) for name in NAMES),
        ("factor_vae", "n_vote_permutations", 2),
        ("feature_correlation", "n_importance_permutations", 2),
    )
    for part in ("--set", f"evals.{name}.{key}={value}")
)


def _write(path: Path, whats: tuple[str, ...]) -> None:
    rows = [f"The {who} {verb} a {what}.,{who},{verb}"
            for who, verb, what in product(("king", "queen"), ("saw", "found"), whats)]  # fmt: skip
    path.write_text("\n".join(["text,who,verb", *rows]) + "\n")


@pytest.fixture
def texts(tmp_path: Path) -> Path:
    _write(tmp_path / "mine.csv", ("comet", "racket", "violin", "satellite"))
    return tmp_path / "mine.csv"


@pytest.fixture
def passes(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Names of the factor datasets that are encoded, in order."""
    encoded: list[str] = []
    original = encoding.codes_by_pooling

    def watched(sae: Any, model: Any, dataset: Any, *rest: Any, **options: Any) -> Any:
        encoded.append(dataset.name)
        return original(sae, model, dataset, *rest, **options)

    monkeypatch.setattr(encoding, "codes_by_pooling", watched)
    return encoded


def _run_flags(texts: Path) -> Iterator[str]:
    yield from ("--sae", "identity", "--evals", ",".join(NAMES), *QUICK)
    for name in NAMES:
        yield from ("--set", f"evals.{name}.factors={texts}")


def _results(folder: Path) -> dict[str, dict[str, Any]]:
    return {
        name: json.loads(path.read_text())
        for name in NAMES
        for path in folder.glob(f"{name}/*_eval_results.json")
    }


def test_three_evals_of_a_run_encode_their_dataset_once(
    texts: Path, passes: list[str], csae_bench: CsaeBench, tmp_path: Path
) -> None:
    outcome = csae_bench("run", *_run_flags(texts), "--results", tmp_path / "r")
    assert outcome.exit_code == 0, outcome.stderr
    assert len(passes) == 1
    again = csae_bench("run", *_run_flags(texts), "--results", tmp_path / "r")
    assert again.exit_code == 0, again.stderr
    assert len(passes) == 1
    _write(texts, ("comet", "racket", "violin"))
    csae_bench("run", *_run_flags(texts), "--results", tmp_path / "r")
    assert len(passes) == 2
    for name in NAMES:  # of other samples: filed next to the first result
        paths = (tmp_path / "r").glob(f"{name}/*_eval_results.json")
        results = [json.loads(path.read_text()) for path in paths]
        sizes = [result["eval_result_unstructured"]["data"]["n"] for result in results]
        assert sorted(sizes) == [12, 16]


def test_results_fit_the_shipped_schemas(
    texts: Path, csae_bench: CsaeBench, tmp_path: Path
) -> None:
    csae_bench("run", *_run_flags(texts), "--results", tmp_path / "r")
    results = _results(tmp_path / "r")
    assert set(results) == set(NAMES)
    for name, result in results.items():
        schema = json.loads(schema_path(name).read_text(encoding="utf-8"))
        Draft202012Validator(schema).validate(result)
        artifacts = next((tmp_path / "r" / "artifacts" / name).iterdir())
        assert {path.name for path in artifacts.iterdir()} == {"heat_map.png", "heat_map.html"}


def test_the_oracle_sae_is_one_command_and_needs_no_model(
    csae_bench: CsaeBench, tmp_path: Path
) -> None:
    flags = ("--evals", "core,mig", "--set", "evals.mig.n_permutations=20")
    outcome = csae_bench("run", "--sae", "oracle", *flags, "--results", tmp_path)
    assert outcome.exit_code == 0, outcome.stderr
    (record,) = (json.loads(path.read_text()) for path in tmp_path.glob("runs/*.json"))
    assert record["cells"]["core"]["status"] == "skipped"
    assert record["cells"]["mig"]["status"] == "ok"
    (result,) = (json.loads(path.read_text()) for path in tmp_path.glob("mig/*.json"))
    assert result["eval_result_unstructured"]["data"]["factors"] == "synthetic"
    assert result["eval_result_unstructured"]["provenance"]["model"] is None
    assert result["sae_cfg_dict"]["d_sae"] == 64


def _scores(csae_bench: CsaeBench, folder: Path, *flags: str) -> dict[str, float]:
    results = folder / "_".join(flags).replace("/", "")
    outcome = csae_bench("run", *flags, "--evals", ",".join(NAMES), *QUICK, "--results", results)
    assert outcome.exit_code == 0, outcome.stderr
    return {
        name: value
        for result in _results(results).values()
        for category in result["eval_result_metrics"].values()
        for name, value in category.items()
    }


@pytest.mark.slow
def test_controls_are_one_command_each(csae_bench: CsaeBench, tmp_path: Path) -> None:
    oracle = _scores(csae_bench, tmp_path, "--sae", "oracle")
    for name in (
        "mig",
        "value_mig",
        "mig_sup",
        "factor_vae_population",
        "mean_correlation_coefficient",
    ):
        # chance correlations between features that fire independently, in 4096 samples
        assert oracle[name] == pytest.approx(1, abs=0.02), name
    shuffled = [f"--set=evals.{name}.shuffled=true" for name in NAMES]
    random = _scores(csae_bench, tmp_path, "--sae", "random_synthetic", *shuffled)
    for name in ("mig", "value_mig", "mig_sup", "best_correlation", "dci_disentanglement"):
        # 20 permutations: the smallest p is 1 / 21
        assert random[f"{name}_p"] > 0.05, name


def test_an_oracle_sae_of_another_width_than_its_activations_is_an_error(
    csae_bench: CsaeBench, tmp_path: Path
) -> None:
    outcome = csae_bench(
        "run", "--sae", "oracle", "--set", "activations.d_in=64", "--results", tmp_path
    )
    assert outcome.exit_code == 2
    assert "set activations.d_in=96" in outcome.stderr


def test_a_missing_factor_dataset_is_found_before_anything_runs(
    csae_bench: CsaeBench, tmp_path: Path
) -> None:
    flags = ("--evals", "mig", "--set", "evals.mig.factors=englisch")
    outcome = csae_bench("run", "--sae", "identity", *flags, "--results", tmp_path)
    assert outcome.exit_code == 2
    assert "evals.mig.factors" in outcome.stderr
    assert "Did you mean 'english'?" in outcome.stderr
