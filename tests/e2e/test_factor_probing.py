"""The probing eval from the command line."""

from __future__ import annotations

import json
from itertools import product
from pathlib import Path

from jsonschema import Draft202012Validator

from csae_bench.evals.schemas import schema_path
from tests.e2e.conftest import CsaeBench


def test_probing_is_one_command_that_leaves_a_result_and_a_page(
    csae_bench: CsaeBench, tmp_path: Path
) -> None:
    whats = ("comet", "racket", "violin", "satellite")
    rows = [f"The {who} {verb} a {what}.,{who},{verb},{what}"
            for who, verb, what in product(("king", "queen"), ("saw", "found"), whats)]  # fmt: skip
    texts = tmp_path / "mine.csv"
    texts.write_text("\n".join(["text,who,verb,template", *rows, ""]))
    settings = {"factors": texts, "n_permutations": 20}
    flags = [f for key, value in settings.items()
             for f in ("--set", f"evals.factor_probing.{key}={value}")]  # fmt: skip
    results = tmp_path / "r"
    outcome = csae_bench(
        "run", "--sae", "identity", "--evals", "factor_probing", *flags, "--results", results
    )
    assert outcome.exit_code == 0, outcome.stderr
    (result,) = (json.loads(path.read_text()) for path in results.glob("factor_probing/*.json"))
    schema = json.loads(schema_path("factor_probing").read_text(encoding="utf-8"))
    Draft202012Validator(schema).validate(result)
    artifacts = next((results / "artifacts" / "factor_probing").iterdir())
    assert [path.name for path in artifacts.iterdir()] == ["probing.html"]
    (record,) = (json.loads(path.read_text()) for path in results.glob("runs/*.json"))
    assert record["cells"]["factor_probing"]["status"] == "ok"
    assert "no later words" in result["eval_result_unstructured"]["reasons"]["clamp_effect"]
