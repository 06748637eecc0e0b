"""What keeps the unlearning eval from running, found before a model is loaded."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from csae_bench import tinyworld
from csae_bench.engines.unlearning.readiness import QuestionsInput, model_problems

TINY = tinyworld.MODEL_NAME
INSTRUCT = "google/gemma-2-2b-it"


def status(**changes: Any) -> list[tuple[str, str]]:
    usual: dict[str, Any] = {
        "model": TINY,
        "d_in_model": None,
        "name": "tinyworld",
        "forget_corpus": None,
        "seq_len": 128,
    }
    return [*QuestionsInput(**(usual | changes)).status()]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A copy of the bundled model, to be changed."""
    return Path(shutil.copytree(tinyworld.model_dir(), tmp_path / "mine"))


@pytest.mark.parametrize("name", [TINY, INSTRUCT, "gemma-2-9b-it"])
def test_models_that_speak_gemmas_chat_can_be_asked(name: str) -> None:
    assert model_problems(name) == []


def test_a_base_gemma_is_refused_with_its_instruct_twin() -> None:
    (said,) = model_problems("google/gemma-2-2b")
    assert said.endswith(
        "google/gemma-2-2b is none; set evals.unlearning.model=google/gemma-2-2b-it"
    )


def test_another_hub_model_is_refused() -> None:
    (said,) = model_problems("gpt2")
    assert said.endswith("gpt2 is none")


def test_a_folder_is_judged_by_its_tokenizer(folder: Path) -> None:
    assert model_problems(str(folder)) == []
    path = folder / "tokenizer.json"
    tokenizer = json.loads(path.read_text())
    for token in tokenizer["added_tokens"]:
        if token["content"] == "<start_of_turn>":
            token["content"] = "<turn>"
    vocabulary = tokenizer["model"]["vocab"]
    vocabulary["<turn>"] = vocabulary.pop("<start_of_turn>")
    path.write_text(json.dumps(tokenizer))
    (said,) = model_problems(str(folder))
    assert "mine: its tokenizer has no token <start_of_turn>" in said


def test_the_bundled_model_and_its_facts_are_fine() -> None:
    assert status() == [("ok", "tinyworld's invented facts")]


def test_a_model_of_another_shape_than_the_saes_is_a_problem() -> None:
    statuses = status(model=INSTRUCT, d_in_model=TINY, name="hub")
    (said,) = (message for outcome, message in statuses if outcome == "problem")
    assert "d_model=2304; the SAE is of tiny-gemma2-it, with 128" in said


def test_an_instruct_twin_is_of_the_saes_shape() -> None:
    statuses = status(model=INSTRUCT, d_in_model="google/gemma-2-2b", name="hub")
    assert [outcome for outcome, _ in statuses] == ["unknown"]


def test_invented_facts_are_no_questions_for_a_real_model() -> None:
    (said,) = (message for outcome, message in status(model=INSTRUCT) if outcome == "problem")
    assert "invented facts that google/gemma-2-2b-it cannot know" in said


def test_sequences_longer_than_the_context_are_a_problem() -> None:
    (said,) = (message for outcome, message in status(seq_len=300) if outcome == "problem")
    assert said == "seq_len is 300; tiny-gemma2-it takes at most 256 tokens."
