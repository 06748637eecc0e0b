"""action.yml and the pre-commit hook, against the command that they call."""

from __future__ import annotations

import ast
import os
import re
import subprocess
import sys
from importlib.metadata import packages_distributions, requires
from pathlib import Path
from typing import Any

import pytest
import yaml
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from tests.e2e import compare_folders as folders
from tests.e2e.conftest import CsaeBench

ROOT = Path(__file__).parents[2]
ACTION: dict[str, Any] = yaml.safe_load((ROOT / "action.yml").read_text(encoding="utf-8"))
STEPS: list[dict[str, Any]] = ACTION["runs"]["steps"]
(COMPARE,) = [step for step in STEPS if step.get("id") == "compare"]
HOOKS: list[dict[str, Any]] = yaml.safe_load((ROOT / ".pre-commit-hooks.yaml").read_text())
NAMES = {"RESULTS": "results", "BASELINE": "baseline", "FAIL_ON": "fail-on", "POLICY": "policy",
         "STRICT": "strict", "ARGS": "args"}  # fmt: skip


COMPARE_AND_SAY_WHAT_WAS_IMPORTED = """
import sys
before = set(sys.modules)
from importlib.metadata import packages_distributions
from csae_bench.cli.main import main
flags = ["--baseline", "results/baseline", "--md", "r.md", "--junit", "r.xml", "--html", "r.html",
         "--plots", "plots"]
for more in ([], ["--json"]):
    try:
        main(["compare", "results", *flags, *more])
    except SystemExit as end:
        assert end.code in (0, 1), end.code
known = packages_distributions()
print("IMPORTED", *{d for m in set(sys.modules) - before for d in known.get(m.split(".")[0], [])})
"""


def _run(place: Path, **inputs: str) -> subprocess.CompletedProcess[str]:
    """The compare step as a runner would start it, in `place`."""
    runner = place / "runner"
    (runner / "csae-bench").mkdir(parents=True, exist_ok=True)
    (runner / "csae-bench" / "bin").symlink_to(Path(sys.executable).parent)
    defaults = {name: str(ACTION["inputs"][key]["default"]) for name, key in NAMES.items()}
    return subprocess.run(
        ["bash", "--noprofile", "--norc", "-eo", "pipefail", "-c", COMPARE["run"]],
        cwd=place,
        env={
            "PATH": os.environ["PATH"],
            "HOME": str(place),
            "PYTHONPATH": str(ROOT),
            "RUNNER_TEMP": str(runner),
            "GITHUB_STEP_SUMMARY": str(place / "summary.md"),
            "GITHUB_OUTPUT": str(place / "output"),
            **defaults,
            **inputs,
        },
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


@pytest.fixture
def place(tmp_path: Path) -> Path:
    """`results` that are worse than `results/baseline`."""
    folders.family(tmp_path / "results" / "baseline", ce_loss_score=0.80)
    folders.family(tmp_path / "results", ce_loss_score=0.70)
    return tmp_path


def test_every_input_reaches_the_script_through_the_environment() -> None:
    assert COMPARE["env"] == {name: f"${{{{ inputs.{key} }}}}" for name, key in NAMES.items()}
    scripts = [step["run"] for step in STEPS if "run" in step]
    assert scripts
    assert not any("${{" in script for script in scripts)


def test_every_flag_that_the_action_passes_exists(csae_bench: CsaeBench) -> None:
    passed = set(re.findall(r"--[a-z][a-z-]+", COMPARE["run"]))
    known = set(re.findall(r"--[a-z][a-z-]+", csae_bench("compare", "--help").stdout))
    assert passed >= {"--baseline", "--fail-on", "--policy", "--strict", "--md", "--junit"}
    assert passed <= known


def test_a_regression_fails_the_step_and_is_in_the_summary(place: Path) -> None:
    done = _run(place, BASELINE="results/baseline", FAIL_ON="core.ce_loss_score:-0.01")
    assert done.returncode == 1, done.stderr
    assert "compare: regression" in (place / "summary.md").read_text()
    written = dict(line.split("=", 1) for line in (place / "output").read_text().splitlines())
    assert written["exit-code"] == "1"
    assert Path(written["report"]).read_text().startswith("<!doctype html>")
    assert "<testsuite" in Path(written["junit"]).read_text()


def test_each_rule_and_argument_has_a_line_of_its_own(place: Path) -> None:
    rules = "core.ce_loss_score:-0.5\n\nmig.value_mig:ci\n"
    done = _run(place, BASELINE="results/baseline", FAIL_ON=rules, ARGS="--plots\nmy plots\n")
    assert done.returncode == 0, done.stderr
    summary = (place / "summary.md").read_text()
    assert all(text in summary for text in (r"core.ce\_loss\_score:-0.5", r"mig.value\_mig:ci"))
    assert any((place / "my plots").glob("*.png"))


def test_inputs_are_never_run_as_code(place: Path) -> None:
    evil = "$(touch pwned); `touch pwned` \"; touch pwned; '"
    done = _run(place, RESULTS=evil, BASELINE=evil, FAIL_ON=evil, POLICY=evil, ARGS=evil)
    assert done.returncode == 2
    assert "Traceback" not in done.stderr
    assert not (place / "pwned").exists()


def test_a_folder_whose_name_begins_with_a_dash_is_no_flag(place: Path) -> None:
    (place / "results").rename(place / "--json")
    assert _run(place, RESULTS="--json").returncode == 0


def test_the_action_installs_all_that_compare_imports(place: Path) -> None:
    """It leaves torch and sae-lens out, so whatever else is imported must be listed."""
    done = subprocess.run(
        [sys.executable, "-c", COMPARE_AND_SAY_WHAT_WAS_IMPORTED], cwd=place, capture_output=True,
        text=True, env={**os.environ, "PYTHONPATH": str(ROOT)}, timeout=120, check=True,
    )  # fmt: skip
    (line,) = [line for line in done.stdout.splitlines() if line.startswith("IMPORTED")]
    listed = [
        line
        for line in (ROOT / "requirements" / "compare.txt").read_text().splitlines()
        if not line.startswith("#")
    ]
    imported = {canonicalize_name(name) for name in line.split()[1:]} - {"csae-bench"}
    named = {
        canonicalize_name(name) for name in _named_in_imports(ROOT / "csae_bench" / "comparison")
    }
    assert {"rich", "matplotlib", "jinja2"} <= imported
    assert {"duckdb", "platformdirs"} <= named
    assert imported | named <= _closure(listed)


def test_what_the_action_installs_has_an_exact_version() -> None:
    locked = {
        canonicalize_name(line.split("==")[0])
        for line in (ROOT / "requirements" / "lock.txt").read_text().splitlines()
        if "==" in line
    }
    listed = (ROOT / "requirements" / "compare.txt").read_text().splitlines()
    assert {canonicalize_name(line) for line in listed if not line.startswith("#")} <= locked


def test_the_hooks_command_exists(csae_bench: CsaeBench, place: Path, monkeypatch: Any) -> None:
    (hook,) = HOOKS
    monkeypatch.chdir(place)
    program, *command = hook["entry"].split()
    assert program == "csae-bench"
    assert (
        csae_bench(*command, *hook["args"], "--fail-on", "core.ce_loss_score:-0.01").exit_code == 1
    )


@pytest.mark.parametrize(
    ("path", "is_watched"),
    [
        ("results/core/a_layer_2_sae_topk_eval_results.json", True),
        ("results/runs/a_layer_2_sae_topk.json", True),
        ("results/baseline/runs/a_layer_2_sae_topk.json", True),
        ("src/runs/main.py", False),
        ("package.json", False),
    ],
)
def test_the_hook_runs_where_results_change(path: str, is_watched: bool) -> None:
    assert bool(re.search(HOOKS[0]["files"], path)) is is_watched


def _named_in_imports(folder: Path) -> set[str]:
    """Distributions that any module of the folder imports, whenever it does."""
    modules: set[str] = set()
    for path in folder.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Import):
                modules |= {name.name for name in node.names}
            elif isinstance(node, ast.ImportFrom) and node.module is not None:
                modules.add(node.module)
    roots = {module.split(".")[0] for module in modules} - sys.stdlib_module_names
    known = packages_distributions()
    return {name for root in roots - {"csae_bench"} for name in known[root]}


def _closure(names: list[str]) -> set[str]:
    """The distributions and all that they need, by their own word."""
    collected: set[str] = set()
    waiting = [canonicalize_name(name) for name in names]
    while waiting:
        name = waiting.pop()
        if name in collected:
            continue
        collected.add(name)
        needed = [Requirement(text) for text in requires(name) or ()]
        waiting += [
            canonicalize_name(need.name)
            for need in needed
            if need.marker is None or need.marker.evaluate({"extra": ""})
        ]
    return collected
