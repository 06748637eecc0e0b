"""`csae-bench init`: the file that it writes, and what it refuses to."""

from __future__ import annotations

from pathlib import Path

import pytest

from csae_bench.config.baselines import BASELINES
from csae_bench.config.loading import load_config
from csae_bench.config.sae import TRAINED
from tests.e2e.conftest import CsaeBench

ARCHITECTURES = [*(each.model_fields["architecture"].default for each in TRAINED), *BASELINES]


@pytest.fixture(autouse=True)
def _folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_doctor_finds_no_problem_in_a_file_of_any_architecture(
    architecture: str, csae_bench: CsaeBench
) -> None:
    made = csae_bench("init", "mine", "--architecture", architecture)
    assert made.exit_code == 0, made.stderr
    assert load_config("mine.yaml").config.sae.architecture == architecture
    checked = csae_bench("doctor", "--sae", "mine.yaml")
    assert checked.exit_code == 0, checked.stdout


@pytest.mark.parametrize("like", ["smollm2", "gemma_2_2b_16k", "contrastive_full", "gated"])
def test_a_file_like_another_one_is_the_same_configuration(
    like: str, csae_bench: CsaeBench
) -> None:
    assert csae_bench("init", "mine", "--like", like).exit_code == 0
    mine, theirs = (load_config(name).config for name in ("mine.yaml", like))
    assert mine.model_dump(exclude={"evals"}) == theirs.model_dump(exclude={"evals"})
    assert list(mine.evals) == list(theirs.evals)


def test_a_file_of_ones_own_can_be_started_from(csae_bench: CsaeBench) -> None:
    csae_bench("init", "first", "--k", "7")
    assert csae_bench("init", "second", "--like", "first.yaml", "--d-sae", "512").exit_code == 0
    sae = load_config("second.yaml").config.sae.model_dump()
    assert (sae["k"], sae["d_sae"]) == (7, 512)


@pytest.mark.parametrize(
    ("model", "dataset", "hook_name"),
    [
        ("google/gemma-2-2b", "Skylion007/openwebtext", "blocks.19.hook_resid_post"),
        ("smollm2-135m-instruct", "sae_probes", "blocks.10.hook_resid_post"),
        ("gpt2", "sae_probes", None),
    ],
)
def test_a_model_gets_the_settings_that_suit_it(
    model: str, dataset: str, hook_name: str | None, csae_bench: CsaeBench
) -> None:
    assert csae_bench("init", "mine", "--model", model).exit_code == 0
    config = load_config("mine.yaml").config
    assert (config.model, config.hook_name) == (model, hook_name)
    assert config.activations.model_dump()["dataset"] == dataset


def test_stdout_ends_with_the_path_and_stderr_says_the_next_command(csae_bench: CsaeBench) -> None:
    made = csae_bench("init", "my sae")
    assert made.stdout == "my sae.yaml\n"
    assert made.stderr.startswith("next: csae-bench doctor --sae 'my sae.yaml'")


def test_a_file_that_is_there_is_left_as_it_is(csae_bench: CsaeBench) -> None:
    Path("mine.yaml").write_text("sae: {k: 3}\n")
    refused = csae_bench("init", "mine.yaml")
    assert refused.exit_code == 2
    assert "mine.yaml exists and is left as it is" in refused.stderr
    assert Path("mine.yaml").read_text() == "sae: {k: 3}\n"


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["custom_sae"], "choose another, such as my_custom_sae"),
        (["no_folder/mine"], "there is no folder no_folder"),
        (["mine", "--like", "custum_sae"], "Did you mean 'custom_sae'?"),
        (["mine", "--architecture", "topkk"], "Did you mean 'topk'?"),
        (["mine", "--architecture", "pca", "--k", "3"], "--k: the architecture 'pca' has no k"),
        (["mine", "--like", "identity", "--d-sae", "3"], "has no d_sae"),
        (["mine", "--d-sae", "0"], "0 is not in the range"),
        (["mine", "--architecture", "matryoshka_batchtopk", "--d-sae", "x"], "not a valid int"),
    ],
)
def test_what_cannot_be_written_is_a_usage_error_and_leaves_no_file(
    arguments: list[str], said: str, csae_bench: CsaeBench
) -> None:
    refused = csae_bench("init", *arguments)
    assert refused.exit_code == 2
    assert said in refused.stderr
    assert list(Path().iterdir()) == []
