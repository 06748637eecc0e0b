"""csae_bench/engines/autointerp/judges/local.py, on models that are there."""

from __future__ import annotations

import pytest
from transformer_lens import HookedTransformer

from csae_bench import models
from csae_bench.engines.autointerp.judges import Judge, LocalJudge, Opening
from csae_bench.errors import EvalError, ModelError
from csae_bench.models import smollm2

EXPLAINED = "Here is the explanation: this neuron fires on {}.\n\nHere are the examples:\n\n{}"
TEXTS = (
    "The cat and the dog slept by the fire.",
    "Interest rates rose by two percent this year.",
    "A horse ran past the cows in the field.",
    "The court will hear the case on Monday.",
)


def chat(content: str) -> list[dict[str, str]]:
    return [{"role": "system", "content": "..."}, {"role": "user", "content": content}]


def scoring(explanation: str) -> list[dict[str, str]]:
    numbered = "\n".join(f"{i}. {text}" for i, text in enumerate(TEXTS, start=1))
    return chat(EXPLAINED.format(explanation, numbered))


def judge_of(name: str, model: HookedTransformer) -> Judge:
    opening = Opening(model_name="any", load_model={name: model}.__getitem__)
    return LocalJudge(model=name).open(opening)


@pytest.fixture(scope="module")
def tiny() -> HookedTransformer:
    return models.load("tiny-gemma2-it")  # tinyworld asks whether it happened: Yes, or No


def test_examples_are_judged_by_the_logits_of_yes_and_no(tiny: HookedTransformer) -> None:
    judge = judge_of("tiny-gemma2-it", tiny)
    answers = {judge(scoring(explanation), 33) for explanation in ("a", "a", "a")}
    assert len(answers) == 1
    assert set(answers.pop().split(", ")) <= {"None", "1", "2", "3", "4"}


def test_an_explanation_is_as_long_as_granted(tiny: HookedTransformer) -> None:
    judge = judge_of("tiny-gemma2-it", tiny)
    written = judge(chat("The queen plays the piano."), 5)
    assert 0 < len(written.split()) <= 5


def test_a_chat_that_does_not_fit_the_judge_is_refused(tiny: HookedTransformer) -> None:
    with pytest.raises(EvalError, match="takes at most 256 tokens; SAE-Bench's prompt"):
        judge_of("tiny-gemma2-it", tiny)(chat("word " * 300), 30)


def test_a_tokenizer_without_a_token_for_yes_is_refused(
    tiny: HookedTransformer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("csae_bench.engines.autointerp.judges.local.YES", ("Yessir",))
    with pytest.raises(ModelError, match="no single token for 'Yessir'"):
        judge_of("tiny-gemma2-it", tiny)


@pytest.mark.real
@pytest.mark.slow
@pytest.mark.skipif(not smollm2.is_installed(), reason=smollm2.INSTALL)
def test_smollm2_tells_animals_from_none_and_always_says_the_same() -> None:
    judge = judge_of(smollm2.MODEL_NAME, models.load(smollm2.MODEL_NAME))
    answers = [judge(scoring("animals"), 33) for _ in range(2)]
    assert answers[0] == answers[1]
    assert set(answers[0].split(", ")) <= {"None", "1", "2", "3", "4"}
    written = judge(chat("The activating documents are given below:\n\n1. the<< cat>> slept"), 30)
    assert written
    assert written == judge(
        chat("The activating documents are given below:\n\n1. the<< cat>> slept"), 30
    )
