"""The command line itself: its help, its errors, `doctor` and `list`."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import click
import pytest

from csae_bench.cli.main import main
from tests.e2e.conftest import CsaeBench


def _commands(group: click.Command, path: str = "csae-bench") -> list[tuple[str, click.Command]]:
    inner = getattr(group, "commands", {})
    return [(path, group), *(c for n, g in inner.items() for c in _commands(g, f"{path} {n}"))]


@pytest.mark.parametrize(("path", "command"), _commands(main))
def test_every_command_and_every_option_has_help(path: str, command: click.Command) -> None:
    assert command.help, path
    for parameter in command.params:
        if isinstance(parameter, click.Option):
            assert parameter.help, f"{path} {parameter.opts}"


@pytest.mark.parametrize(("path", "command"), _commands(main))
def test_every_command_has_an_example_that_is_a_command(path: str, command: click.Command) -> None:
    help_text = command.help or ""
    examples = [line.strip() for line in help_text.splitlines() if "csae-bench " in line]
    assert "Example" in help_text, path
    words = path.removeprefix("csae-bench").split()
    assert any(f"csae-bench {' '.join(words)}".strip() in each for each in examples), path


@pytest.mark.parametrize(
    "arguments",
    [
        ["--help"],
        ["--version"],
        *([*path.split()[1:], "--help"] for path, _ in _commands(main)[1:]),
        ["completion", "zsh"],
        ["list", "models"],
    ],
    ids=" ".join,
)
def test_what_is_cheap_imports_no_library_that_takes_time(arguments: list[str]) -> None:
    slow = {"torch", "numpy", "scipy", "transformers", "sae_lens", "sae_bench", "datasets"}
    if arguments[0] != "list":  # the listing's module reads evals and configurations
        slow |= {"pydantic", "rich", "yaml"}
    else:
        slow -= {"numpy"}
    code = (
        "import sys\nfrom csae_bench.cli.main import main\n"
        f"try: main({arguments})\nexcept SystemExit: pass\n"
        f"there = {slow} & set(sys.modules)\n"
        "assert not there, there"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def test_list_imports_no_torch() -> None:
    code = (
        "import sys\nfrom csae_bench.cli.listing import listing\n"
        "names = listing()\nassert 'core' in names['evals'] and 'custom_sae' in names['saes']\n"
        "assert 'tiny-gemma2-it' in names['models']\n"
        "slow = {'torch', 'transformers', 'sae_lens', 'sae_bench', 'datasets'}\n"
        "assert not slow & set(sys.modules), slow & set(sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def test_every_named_sae_has_a_line_of_description(csae_bench: CsaeBench) -> None:
    shown = json.loads(csae_bench("list", "saes", "--json").stdout)
    assert all(shown["saes"].values())


def test_an_unknown_kind_to_list_is_an_error(csae_bench: CsaeBench) -> None:
    outcome = csae_bench("list", "eval")
    assert outcome.exit_code == 2
    assert "Did you mean 'evals'?" in outcome.stderr


@pytest.mark.parametrize("name", ["original_run_1", "original_run_5"])
def test_doctor_refuses_the_original_experiments_runs_with_the_arithmetic(
    name: str, csae_bench: CsaeBench
) -> None:
    outcome = csae_bench("doctor", "--sae", name, "--json")
    checks = json.loads(outcome.stdout)["checks"]
    problems = [check["message"] for check in checks if check["outcome"] == "problem"]
    assert outcome.exit_code == 2
    assert len(problems) == 1
    assert "1000 tokens / batch" in problems[0]
    assert "= 0 steps; need at least" in problems[0]


@pytest.mark.parametrize("name", ["gemma_2_2b", "gemma_2_2b_16k", "gemma_2_2b_minimal_pairs"])
def test_doctor_says_of_gemma_what_cannot_be_checked_here_and_nothing_worse(
    name: str, csae_bench: CsaeBench
) -> None:
    outcome = csae_bench("doctor", "--sae", name, "--json")
    checks = json.loads(outcome.stdout)["checks"]
    assert outcome.exit_code == 0
    assert {check["outcome"] for check in checks} == {"ok", "unknown"}
    assert {check["name"] for check in checks if check["outcome"] == "unknown"} >= {"model", "data"}


@pytest.mark.parametrize("name", ["gemma_2_2b", "gemma_2_2b_16k"])
def test_doctor_shows_gemmas_curriculum_and_the_gpus_it_fits(
    name: str, csae_bench: CsaeBench
) -> None:
    parsed = json.loads(csae_bench("doctor", "--sae", name, "--json").stdout)
    stages = parsed["stages"]
    assert [stage["stage"] for stage in stages] == [
        "reconstruction", "same sequence", "paraphrases", "hard mixing",
    ]  # fmt: skip
    assert stages[0]["weights"] == {}
    assert stages[0]["n_steps"] == stages[1]["first_step"]
    assert set(stages[2]["pairs"]) == {"same_sequence", "paraphrase"}
    assert stages[2]["settings"]["mixing"] == {"targeting": "random"}
    assert {gpu["memory_gib"]: gpu["fits"] for gpu in parsed["gpus"]} == {24: True, 80: True}
    assert all(gpu["training_hours"] > 0 for gpu in parsed["gpus"])
    shown = csae_bench("doctor", "--sae", name).stdout
    for expected in ("hard mixing", "none: reconstruction alone", "24 GB: fits", "40% of its peak"):
        assert expected in " ".join(shown.split())


def test_doctor_estimates_no_card_for_a_run_on_the_cpu(csae_bench: CsaeBench) -> None:
    flags = ("--device", "cpu", "--json")
    assert json.loads(csae_bench("doctor", "--sae", "custom_sae", *flags).stdout)["gpus"] == []


@pytest.mark.parametrize(
    "change",
    [
        *(
            f"sae.losses.{t}.weight=0"
            for t in ("rows", "columns", "cross_view", "push_up", "mixing")
        ),
        "pairs.paraphrase.weight=0",
        "training.curriculum=[]",
        "training.weighting.kind=constant",
    ],
)
def test_each_ingredient_of_the_objective_is_switched_by_one_flag(
    change: str, csae_bench: CsaeBench
) -> None:
    outcome = csae_bench("doctor", "--sae", "gemma_2_2b", "--set", change)
    assert outcome.exit_code == 0, outcome.stdout


def test_doctor_reports_typos_and_zero_steps_together(csae_bench: CsaeBench) -> None:
    flags = ("--set", "sae.kk=3", "--set", "training.n_tokens=100")
    outcome = csae_bench("doctor", "--sae", "topk", "--json", *flags)
    text = " ".join(check["message"] for check in json.loads(outcome.stdout)["checks"])
    assert outcome.exit_code == 2
    assert "unknown key 'sae.kk'" in text
    assert "0 steps" in text


def test_a_device_that_the_flag_asks_for_and_is_not_there_is_a_problem(
    csae_bench: CsaeBench,
) -> None:
    outcome = csae_bench("doctor", "--sae", "topk", "--device", "cuda:9", "--json")
    checks = {c["name"]: c["outcome"] for c in json.loads(outcome.stdout)["checks"]}
    assert outcome.exit_code == 2
    assert checks["device"] == "problem"


@pytest.mark.parametrize(
    ("flags", "expected"),
    [
        (("--sae", "nonesuch"), "Unknown SAE configuration"),
        (("--sae", "custom_se"), "Did you mean 'custom_sae'"),
        (("--sae", "missing/file.yaml"), "no such file"),
        (("--sae", "topk", "--model", "gemma-3"), "Unknown model 'gemma-3'"),
        (("--sae", "topk", "--evals", "croe"), "Did you mean 'core'"),
        (("--sae", "topk", "--set", "evals.core.contxt_size=1"), "Did you mean 'context_size'"),
        (("--sae", "topk", "--set", "hook_name=blocks.9.hook_resid_post"), "layers 0 to 3"),
        (("--sae", "topk", "--set", "activations.context_size=512"), "at most 256 tokens"),
        (("--sae", "topk", "--set", "activations.dataset=./nowhere"), "no such folder"),
        (("--sae", "topk", "--device", "gpu"), "must be auto, cpu, cuda"),
        (
            ("--sae", "topk", "--set", "training.curriculum=[{name: a, until: 1, strenth: 0}]"),
            "unknown key 'training.curriculum.0.strenth'. Did you mean 'strength'",
        ),
        (
            (
                *("--sae", "custom_sae", "--set", "pairs.paraphrase.weight=1"),
                *("--set", "pairs.paraphrase.dataset=./none.jsonl"),
            ),
            "pairs.paraphrase.dataset './none.jsonl': there is no such file",
        ),
    ],
)
def test_a_users_mistake_is_a_sentence_and_exit_2(
    flags: tuple[str, ...], expected: str, csae_bench: CsaeBench, tmp_path: Path
) -> None:
    outcome = csae_bench("run", *flags, "--results", tmp_path)
    assert outcome.exit_code == 2
    assert expected in outcome.stderr
    assert "Traceback" not in outcome.stderr


def test_an_unwritable_results_folder_is_a_sentence_and_exit_2(
    csae_bench: CsaeBench, tmp_path: Path
) -> None:
    (tmp_path / "taken").write_text("a file")
    outcome = csae_bench("run", "--sae", "topk", "--results", tmp_path / "taken" / "r")
    assert outcome.exit_code == 2
    assert "Traceback" not in outcome.stderr


def test_a_bug_of_ours_is_not_mistaken_for_a_regression(
    csae_bench: CsaeBench, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object) -> None:
        raise RuntimeError("a bug")

    monkeypatch.setattr("csae_bench.cli.listing.listing", broken)
    outcome = csae_bench("list")
    assert outcome.exit_code == 4
    assert "a bug in csae-bench" in outcome.stderr


def test_ctrl_c_is_not_mistaken_for_a_regression(
    csae_bench: CsaeBench, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("csae_bench.cli.listing.listing", interrupted)
    assert csae_bench("list").exit_code == 4


def test_a_pretrained_sae_is_looked_up_and_its_absence_offline_is_a_sentence(
    csae_bench: CsaeBench, tmp_path: Path
) -> None:
    listed = "gpt2-small-res-jb:blocks.8.hook_resid_pre"
    assert csae_bench("doctor", "--sae", listed).exit_code == 0
    outcome = csae_bench("run", "--sae", listed, "--results", tmp_path)
    assert outcome.exit_code == 2
    assert "can it be downloaded" in " ".join(outcome.stderr.split())
    for name in ("gpt2-small-res-jb:blocks.99.hook", "gpt2-smal-res-jb:blocks.8.hook_resid_pre"):
        outcome = csae_bench("doctor", "--sae", name)
        assert outcome.exit_code == 2
        assert "Traceback" not in outcome.output
