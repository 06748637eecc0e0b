"""`csae-bench compare`: its exit codes, which of several wins, and what its flags do."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.e2e import compare_folders as folders
from tests.e2e.conftest import CsaeBench

RULE = ("--fail-on", "core.ce_loss_score:-0.01")

Trouble = Callable[[Path, Path], None]
"""Puts something wrong into a candidate's folder, given the baseline's."""


def _regressed(candidate: Path, _: Path) -> None:
    folders.family(candidate, "worse", ce_loss_score=0.7)


def _incomparable(candidate: Path, _: Path) -> None:
    for seed in range(5):
        folders.core(candidate, "other_context", 0.8, seed=seed, context_size=64)


def _failed(candidate: Path, _: Path) -> None:
    folders.record(candidate, "broke", "failed")


def _missing(candidate: Path, _: Path) -> None:
    for path in candidate.glob("*/*_gone*"):
        path.unlink()


TROUBLES: dict[int, Trouble] = {1: _regressed, 3: _incomparable, 4: _failed, 5: _missing}
PRECEDENCE = (4, 5, 3, 1)


@pytest.fixture
def pair(tmp_path: Path) -> tuple[Path, Path]:
    """A candidate and a baseline that are equal, of five SAEs with five seeds."""
    names = ("good", "worse", "other_context", "gone")
    for side in ("candidate", "baseline"):
        for name in names:
            folders.family(tmp_path / side, name)
    return tmp_path / "candidate", tmp_path / "baseline"


def test_equal_results_pass(pair: tuple[Path, Path], csae_bench: CsaeBench) -> None:
    candidate, baseline = pair
    outcome = csae_bench("compare", candidate, "--baseline", baseline, *RULE)
    assert outcome.exit_code == 0, outcome.output


@pytest.mark.parametrize(("code", "trouble"), TROUBLES.items())
def test_each_trouble_has_its_exit_code(
    code: int, trouble: Trouble, pair: tuple[Path, Path], csae_bench: CsaeBench
) -> None:
    trouble(*pair)
    candidate, baseline = pair
    outcome = csae_bench("compare", candidate, "--baseline", baseline, *RULE)
    assert outcome.exit_code == code, outcome.output


@pytest.mark.parametrize(
    ("first", "second"),
    [(a, b) for i, a in enumerate(PRECEDENCE) for b in PRECEDENCE[i + 1 :]],
)
def test_of_two_troubles_the_graver_is_the_exit_code(
    first: int, second: int, pair: tuple[Path, Path], csae_bench: CsaeBench
) -> None:
    candidate, baseline = pair
    for code in (first, second):
        TROUBLES[code](candidate, baseline)
    outcome = csae_bench("compare", candidate, "--baseline", baseline, *RULE)
    assert outcome.exit_code == first, outcome.output


@pytest.mark.parametrize("code", PRECEDENCE)
def test_a_mistake_in_the_call_comes_before_every_trouble(
    code: int, pair: tuple[Path, Path], csae_bench: CsaeBench
) -> None:
    TROUBLES[code](*pair)
    candidate, baseline = pair
    outcome = csae_bench("compare", candidate, "--baseline", baseline, "--fail-on", "croe.x:-1")
    assert outcome.exit_code == 2, outcome.output


def test_the_installed_command_ends_in_the_exit_code(pair: tuple[Path, Path]) -> None:
    candidate, baseline = pair
    _regressed(candidate, baseline)
    done = subprocess.run(
        [sys.executable, "-m", "csae_bench.cli", "compare", candidate, "--baseline", baseline,
         *RULE],
        capture_output=True, text=True, env={**os.environ, "CSAE_BENCH_DEBUG": ""},
    )  # fmt: skip
    assert done.returncode == 1, done.stderr
    assert "regressed" in done.stdout


@pytest.mark.parametrize(("code", "trouble"), [(3, _incomparable), (4, _failed), (5, _missing)])
def test_without_a_rule_what_cannot_be_compared_is_not_passed_over(
    code: int, trouble: Trouble, pair: tuple[Path, Path], csae_bench: CsaeBench
) -> None:
    trouble(*pair)
    outcome = csae_bench("compare", pair[0], "--baseline", pair[1])
    assert outcome.exit_code == code, outcome.output


def test_without_a_rule_a_regression_is_shown_and_passes(
    pair: tuple[Path, Path], csae_bench: CsaeBench
) -> None:
    _regressed(*pair)
    outcome = csae_bench("compare", pair[0], "--baseline", pair[1], "--json")
    assert outcome.exit_code == 0
    assert {"worse"} <= {row["verdict"] for row in json.loads(outcome.stdout)["comparisons"]}


def test_a_verdict_of_worse_fails_a_ci_rule(tmp_path: Path, csae_bench: CsaeBench) -> None:
    new = folders.family(tmp_path / "new", value_mig=0.4)
    old = folders.family(tmp_path / "old", value_mig=0.5)
    outcome = csae_bench("compare", new, "--baseline", old, "--fail-on", "mig.*:ci")
    assert outcome.exit_code == 1, outcome.output


@pytest.mark.parametrize(("flags", "code"), [((), 0), (("--strict",), 3)])
def test_an_inconclusive_verdict_passes_a_ci_rule_unless_strict(
    flags: tuple[str, ...], code: int, tmp_path: Path, csae_bench: CsaeBench
) -> None:
    new = folders.family(tmp_path / "new", value_mig=0.45, seeds=[0])
    old = folders.family(tmp_path / "old", value_mig=0.5, seeds=[0])
    rule = ("--fail-on", "mig.value_mig:ci")
    outcome = csae_bench("compare", new, "--baseline", old, *rule, *flags)
    assert outcome.exit_code == code, outcome.output
    assert "inconclusive" in outcome.stdout


def test_an_allowed_mismatch_is_compared_and_stamped(
    pair: tuple[Path, Path], csae_bench: CsaeBench
) -> None:
    _incomparable(*pair)
    flags = ("--baseline", pair[1], *RULE, "--allow-mismatch")
    outcome = csae_bench("compare", pair[0], *flags)
    assert outcome.exit_code == 0, outcome.output
    assert "context_size" in outcome.stdout


def test_an_invalid_sae_fails_with_its_reason(tmp_path: Path, csae_bench: CsaeBench) -> None:
    new, old = folders.family(tmp_path / "new"), folders.family(tmp_path / "old")
    folders.core(new, "topk", 0.8, seed=2, ce_loss_with_sae=9.0)
    outcome = csae_bench("compare", new, "--baseline", old, *RULE)
    assert outcome.exit_code == 4
    assert "worse than with the activation ablated" in " ".join(outcome.stdout.split())


def test_a_result_of_other_weights_than_the_record_fails_and_is_named(
    pair: tuple[Path, Path], csae_bench: CsaeBench
) -> None:
    candidate, baseline = pair
    (record,) = (candidate / "runs").glob("*_good.json")
    record.write_text(json.dumps({**json.loads(record.read_text()), "weights_hash": "new"}))
    outcome = csae_bench("compare", candidate, "--baseline", baseline, *RULE, "--json")
    assert outcome.exit_code == 4
    (finding,) = (f for f in json.loads(outcome.stdout)["findings"] if f["rule"] == "runs are ok")
    assert "trained again since" in finding["message"]


def test_an_undefined_value_never_passes(tmp_path: Path, csae_bench: CsaeBench) -> None:
    new = folders.family(tmp_path / "new", value_mig=None)
    old = folders.family(tmp_path / "old")
    for rule in ("mig.value_mig:-1", "mig.value_mig:ci"):
        outcome = csae_bench("compare", new, "--baseline", old, "--fail-on", rule)
        assert outcome.exit_code == 5, outcome.output


def test_a_broken_result_fails_and_the_rest_is_compared(
    pair: tuple[Path, Path], csae_bench: CsaeBench
) -> None:
    broken = pair[0] / "core" / f"{folders.RELEASE}_good_seed3_eval_results.json"
    broken.write_text("{")
    outcome = csae_bench("compare", pair[0], "--baseline", pair[1], "--json")
    assert outcome.exit_code == 4
    assert broken.name in outcome.stdout
    assert len(json.loads(outcome.stdout)["comparisons"]) > 100


def test_a_policy_asks_for_seeds_and_evals(tmp_path: Path, csae_bench: CsaeBench) -> None:
    new = folders.family(tmp_path / "new", seeds=[0, 1])
    old = folders.family(tmp_path / "old", seeds=[0, 1])
    policy = tmp_path / "policy.yaml"
    policy.write_text("seeds: 3\nrules: {core.ce_loss_score: -0.01}\n")
    assert csae_bench("compare", new, "--baseline", old, "--policy", policy).exit_code == 5
    policy.write_text("evals: [core, factor_vae]\n")
    outcome = csae_bench("compare", new, "--baseline", old, "--policy", policy)
    assert outcome.exit_code == 5
    assert "asks for results of factor_vae" in " ".join(outcome.stdout.split())


def test_a_policy_does_what_its_flags_do(
    pair: tuple[Path, Path], tmp_path: Path, csae_bench: CsaeBench
) -> None:
    _regressed(*pair)
    policy = tmp_path / "policy.yaml"
    policy.write_text("rules: {core.ce_loss_score: -0.01}\n")
    flags = ("--baseline", pair[1], "--policy", policy)
    assert csae_bench("compare", pair[0], *flags).exit_code == 1
    policy.write_text("rules: {core.ce_loss_score: -0.2}\n")
    assert csae_bench("compare", pair[0], *flags).exit_code == 0


@pytest.mark.parametrize(
    ("flags", "expected"),
    [
        (("--fail-on", "core.ce_loss_scor:-0.01"), "Did you mean 'core.ce_loss_score'"),
        (("--fail-on", "core.ce_loss_score"), "write it as METRIC:RULE"),
        (("--fail-on", "core.ce_loss_score:nan"), "must be a number"),
        (("--fail-on", "core.ce_loss_score:0.01"), "must not be positive"),
        (("--fail-on", "core.corrected.mse:-1"), "must not be negative"),
        (("--fail-on", "core.l0:ci"), "core.l0 has no preferred direction"),
        (("--policy", "none.yaml"), "none.yaml"),
        (("--against", "good"), "--against good"),
        (("--md", "/proc/none/report.md"), "cannot be written"),
    ],
)
def test_a_mistake_is_a_sentence_and_exit_2_and_nothing_is_written(
    flags: tuple[str, ...], expected: str, pair: tuple[Path, Path], csae_bench: CsaeBench,
    tmp_path: Path,
) -> None:  # fmt: skip
    page = tmp_path / "out.xml"
    outcome = csae_bench("compare", pair[0], "--baseline", pair[1], *flags, "--junit", page)
    assert outcome.exit_code == 2
    assert expected in " ".join(outcome.stderr.split())
    assert "Traceback" not in outcome.stderr
    assert not page.exists()


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (("nowhere",), "nowhere"),
        (("candidate", "--baseline", "nowhere"), "nowhere"),
        (("candidate", *RULE), "give --baseline DIR"),
        (("candidate", "--update-baseline"), "--baseline"),
        (("candidate", "--baseline", "candidate"), "is the folder that is compared"),
        (("candidate", "--against", "god"), "Did you mean 'good'"),
    ],
)
def test_a_wrong_folder_is_a_sentence_and_exit_2(
    arguments: tuple[str, ...], expected: str, pair: tuple[Path, Path], csae_bench: CsaeBench,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    monkeypatch.chdir(pair[0].parent)
    outcome = csae_bench("compare", *arguments)
    assert outcome.exit_code == 2
    assert expected in outcome.stderr


def test_without_a_baseline_each_two_saes_are_compared(
    pair: tuple[Path, Path], csae_bench: CsaeBench
) -> None:
    rows = json.loads(csae_bench("compare", pair[0], "--json").stdout)["comparisons"]
    named = {(row["baseline"]["name"], row["candidate"]["name"]) for row in rows}
    assert len(named) == 6


def test_rules_judge_all_saes_against_one_of_them(
    pair: tuple[Path, Path], csae_bench: CsaeBench
) -> None:
    _regressed(*pair)
    outcome = csae_bench("compare", pair[0], "--against", "good", *RULE)
    assert outcome.exit_code == 1


def test_more_saes_than_six_have_values_and_a_note(tmp_path: Path, csae_bench: CsaeBench) -> None:
    for i in range(7):
        folders.core(tmp_path, f"sae{i}", 0.8)
    outcome = csae_bench("compare", tmp_path, "--json")
    assert outcome.exit_code == 0
    assert json.loads(outcome.stdout)["comparisons"] == []
    assert any("--against" in warning for warning in json.loads(outcome.stdout)["warnings"])


def test_every_output_is_written_where_it_was_asked_for(
    pair: tuple[Path, Path], tmp_path: Path, csae_bench: CsaeBench
) -> None:
    _regressed(*pair)
    out = tmp_path / "out"
    places = {"--md": out / "r.md", "--junit": out / "r.xml", "--html": out / "r.html",
              "--plots": out / "plots"}  # fmt: skip
    flags = [part for item in places.items() for part in item]
    outcome = csae_bench("compare", pair[0], "--baseline", pair[1], *RULE, *flags)
    assert outcome.exit_code == 1, outcome.output
    for path in places.values():
        assert str(path) in outcome.stderr
    assert "1 rule finds a regression" in (out / "r.md").read_text()
    assert 'type="regressed"' in (out / "r.xml").read_text()
    assert "worse" in (out / "r.html").read_text()
    assert list((out / "plots").glob("*.png"))


@pytest.mark.parametrize("kinds", [("md", "junit"), ("html", "md"), ("junit", "html")])
def test_two_outputs_in_one_place_are_a_mistake(
    kinds: tuple[str, str], pair: tuple[Path, Path], csae_bench: CsaeBench, tmp_path: Path
) -> None:
    one, again = tmp_path / "out", tmp_path / "x" / ".." / "out"
    outcome = csae_bench("compare", pair[0], f"--{kinds[0]}", one, f"--{kinds[1]}", again)
    assert outcome.exit_code == 2
    assert "is where --" in outcome.stderr
    assert not one.exists()


@pytest.mark.parametrize("kind", ["md", "html"])
def test_an_output_goes_into_a_pipe_which_stays_one(
    kind: str, pair: tuple[Path, Path], csae_bench: CsaeBench, tmp_path: Path
) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    with ThreadPoolExecutor(1) as reader:
        text = reader.submit(pipe.read_text, encoding="utf-8")
        outcome = csae_bench("compare", pair[0], f"--{kind}", pipe)
    assert outcome.exit_code == 0, outcome.output
    assert len(text.result()) > 100
    assert pipe.is_fifo()


def test_an_output_replaces_what_a_link_leads_to(
    pair: tuple[Path, Path], csae_bench: CsaeBench, tmp_path: Path
) -> None:
    link, target = tmp_path / "link.md", tmp_path / "target.md"
    link.symlink_to(target)
    csae_bench("compare", pair[0], "--md", link)
    assert link.is_symlink()
    assert target.read_text(encoding="utf-8")


def test_a_report_on_stdout_is_there_where_stdout_is_a_file(
    pair: tuple[Path, Path], tmp_path: Path
) -> None:
    out = tmp_path / "out.txt"
    command = [sys.executable, "-m", "csae_bench.cli", "compare", pair[0], "--md", "/dev/stdout"]
    with out.open("a") as stdout:  # as >> does; with > two writers overwrite each other
        subprocess.run(command, stdout=stdout, stderr=subprocess.DEVNULL, check=True)
    text = out.read_text(encoding="utf-8")
    assert "## " in text
    assert "Compared:" in text


def test_json_has_intervals_over_factors(tmp_path: Path, csae_bench: CsaeBench) -> None:
    new, old = folders.family(tmp_path / "new"), folders.family(tmp_path / "old")
    rows = json.loads(csae_bench("compare", new, "--baseline", old, "--json").stdout)["comparisons"]
    by_item = {row["metric"]: row["by_item"] for row in rows}
    assert by_item["mig.value_mig"]["method"].endswith("factors")
    assert by_item["core.ce_loss_score"] is None


def test_compare_imports_no_torch(pair: tuple[Path, Path]) -> None:
    code = (
        "import sys\nfrom csae_bench.cli.main import main\n"
        f"try: main(['compare', {str(pair[0])!r}, '--baseline', {str(pair[1])!r}])\n"
        "except SystemExit as end: assert not end.code, end.code\n"
        "slow = {'torch', 'transformers', 'sae_lens', 'sae_bench', 'datasets', 'statsmodels'}\n"
        "assert not slow & set(sys.modules), slow & set(sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def test_a_name_that_the_terminal_cannot_print_is_escaped(tmp_path: Path) -> None:
    folder = folders.family(tmp_path / "results", "café")
    environment = {**os.environ, "PYTHONIOENCODING": "ascii"}
    done = subprocess.run(
        [sys.executable, "-m", "csae_bench.cli", "compare", folder],
        capture_output=True, env=environment,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert rb"caf\xe9" in done.stdout
