"""autointerp from the command line: judges by rules and behind a server, and keys."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from csae_bench.upstream.validation import validate_as_sae_bench
from tests.e2e.conftest import CsaeBench
from tests.judge_server import Reply, completion, error, serving

KEY, ENV = "sk-secret-of-this-test-4711", "A_JUDGES_KEY"
SMALL = ("n_latents=6", "total_tokens=8000", "n_control=3")


def _run(csae_bench: CsaeBench, results: Path, *settings: str) -> tuple[int, str, dict[str, Any]]:
    flags = [part for setting in (*SMALL, *settings)
             for part in ("--set", f"evals.autointerp.{setting}")]  # fmt: skip
    done = csae_bench(
        "run", "--sae", "random", "--evals", "autointerp", "--set", "threads=1", *flags,
        "--results", results,
    )  # fmt: skip
    measured = list((results / "autointerp").glob("*.json"))
    result = json.loads(measured[0].read_text(encoding="utf-8")) if measured else {}
    return done.exit_code, done.stdout + done.stderr, result


def _server(base_url: str) -> tuple[str, ...]:
    return (
        "judge.kind=openai", f"judge.base_url={base_url}", "judge.model=m",
        f"judge.api_key_env={ENV}", "judge.max_retries=0",
    )  # fmt: skip


def _everything(folder: Path) -> str:
    return "".join(
        path.read_text(encoding="utf-8", errors="replace")
        for path in folder.rglob("*")
        if path.is_file()
    )


def test_a_judge_by_rules_is_the_default_on_the_bundled_model(
    csae_bench: CsaeBench, tmp_path: Path
) -> None:
    code, output, result = _run(csae_bench, tmp_path)
    assert code == 0, output
    validate_as_sae_bench(result)
    unstructured = result["eval_result_unstructured"]
    assert unstructured["judge"] == "rules of tinyworld"
    assert len(unstructured["latents"]) == 6
    assert unstructured["corrected"]["judge_known"] > 0.9
    assert unstructured["corrected"]["judge_random"] < 0.75  # three latents of 14 examples
    assert result["eval_config"]["n_latents"] == 6
    assert "balanced" in output


def test_a_key_stands_in_no_result_record_or_message(
    csae_bench: CsaeBench, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def reply(asked: dict[str, Any]) -> Reply:
        if "Here is the explanation" in asked["messages"][-1]["content"]:
            return completion("1, 2, 3")
        return completion(f"This neuron activates on {KEY}")

    monkeypatch.setenv(ENV, KEY)
    with serving(reply) as server:
        code, output, result = _run(csae_bench, tmp_path, *_server(server.base_url))
        assert code == 0, output
        assert result["eval_result_unstructured"]["latents"][0]["explanation"] == "[key]"
        assert len(server.requests) == 2 * (6 + 3 + 3)
    with serving(lambda _: error(401, f"{KEY} is wrong")) as server:
        code, of_failure, _ = _run(csae_bench, tmp_path / "failed", *_server(server.base_url))
    assert code == 4
    assert f"check judge.api_key_env, which is {ENV}" in " ".join(of_failure.split())
    assert KEY not in output + of_failure + _everything(tmp_path)


def test_a_failed_judge_leaves_nothing_half_written(
    csae_bench: CsaeBench, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(ENV, KEY)
    n = iter(range(10**6))
    with serving(lambda _: completion("None") if next(n) < 5 else error(500, "broken")) as server:
        code, output, result = _run(csae_bench, tmp_path, *_server(server.base_url))
    assert code == 4
    assert "answered with status 500" in output
    assert result == {}
    left = [path.name for path in (tmp_path / "autointerp").rglob("*") if path.is_file()]
    assert [name for name in left if not name.endswith(".lock")] == []


def test_a_missing_key_is_named_before_anything_is_loaded(
    csae_bench: CsaeBench, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv(ENV, raising=False)
    code, output, result = _run(csae_bench, tmp_path, *_server("http://127.0.0.1:9/v1"))
    assert code == 2
    said = " ".join(output.split())
    assert f"evals.autointerp: judge.api_key_env is {ENV}, and this environment variable" in said
    assert result == {}


@pytest.mark.parametrize(
    ("setting", "said"),
    [
        ("judge.kind=rules", "evals.autointerp.judge.kind is 'rules'. Did you mean 'rule'?"),
        ("judge={kind: openai, api_key: k}", "unknown key 'evals.autointerp.judge.api_key'"),
        ("judge={kind: openai, timeout: 0}", "evals.autointerp.judge.timeout is 0"),
    ],
)
def test_a_wrong_setting_of_a_judge_is_named(
    csae_bench: CsaeBench, tmp_path: Path, setting: str, said: str
) -> None:
    code, output, _ = _run(csae_bench, tmp_path, setting)
    assert code == 2
    assert said in " ".join(output.split())


def test_where_no_factors_are_known_the_eval_is_skipped_with_what_to_set(
    csae_bench: CsaeBench, tmp_path: Path
) -> None:
    code, _, result = _run(csae_bench, tmp_path, "dataset=sae_probes")
    assert code == 0
    assert result == {}
    (record,) = (tmp_path / "runs").glob("*.json")
    assert "set evals.autointerp.judge.kind to openai" in record.read_text(encoding="utf-8")
