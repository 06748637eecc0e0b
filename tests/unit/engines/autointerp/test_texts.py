"""csae_bench/engines/autointerp/texts.py and settings.py."""

from __future__ import annotations

from itertools import islice
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from csae_bench.engines.autointerp.judges import AutoJudge, LocalJudge, OpenAiJudge, RuleJudge
from csae_bench.engines.autointerp.settings import AutointerpConfig
from csae_bench.engines.autointerp.texts import Text, chosen_judge, chosen_text
from tests.unit.engines.autointerp.worlds import write_world

TINY, REAL = "tiny-gemma2-it", "google/gemma-2-2b"


def config(**values: Any) -> AutointerpConfig:
    return AutointerpConfig.model_validate(values)


@pytest.mark.parametrize(
    ("judge", "model", "text", "factors"),
    [
        (AutoJudge(), TINY, "tinyworld", "tinyworld"),
        (RuleJudge(), TINY, "tinyworld", "tinyworld"),
        (AutoJudge(), REAL, "factors:english", "english"),
        (RuleJudge(factors="tinyworld"), REAL, "tinyworld", "tinyworld"),
        (RuleJudge(factors="english"), TINY, "factors:english", "english"),
        (LocalJudge(), TINY, "tinyworld", "tinyworld"),
        (OpenAiJudge(), REAL, "sae_probes", None),
    ],
)
def test_the_text_suits_judge_and_model(
    judge: Any, model: str, text: str, factors: str | None
) -> None:
    chosen = chosen_text("auto", judge, model)
    assert (chosen.name, chosen.factors) == (text, factors)
    assert chosen.usual_tokens == (2_000_000 if factors is None else 200_000)


def test_any_judge_can_read_the_sentences_of_a_factor_dataset() -> None:
    assert chosen_text("factors", OpenAiJudge(), REAL).name == "factors:english"


def test_auto_is_the_rule_judge_where_factors_are_known_and_else_says_what_to_set() -> None:
    known = Text(dataset="tinyworld", is_of_factors=False)
    assert chosen_judge(AutoJudge(), known, TINY) == RuleJudge()
    needs = config(dataset="sae_probes").needs(REAL)
    assert needs.skip is not None
    assert "no factors are known of the text sae_probes" in needs.skip
    assert "evals.autointerp.judge.kind to openai" in needs.skip


def test_the_rule_judge_is_refused_on_text_whose_factors_it_does_not_know() -> None:
    needs = config(judge={"kind": "rule"}, dataset="sae_probes").needs(REAL)
    (problem,) = needs.problems
    assert "knows the factors of english alone; set evals.autointerp.dataset=auto" in problem


def test_documents_of_factors_are_some_sentences_each(tmp_path: Path) -> None:
    text = Text(dataset=str(write_world(tmp_path)), is_of_factors=True)
    documents = [row["text"] for row in islice(text.rows(), 1000)]
    assert len(documents) == 36
    assert documents[0].count(".") == 6
    assert documents == [row["text"] for row in text.rows()]


def test_each_input_is_named_once() -> None:
    kinds = [one.kind for one in config().needs(REAL).inputs]
    assert kinds == ["factors"]
    assert [one.kind for one in config().needs(TINY).inputs] == ["factors", "corpus"]
    local = config(judge={"kind": "local", "model": TINY}).needs(TINY)
    assert [one.kind for one in local.inputs] == ["judge", "corpus"]


def test_a_local_judge_that_no_table_knows_is_a_problem() -> None:
    (of_judge, _) = config(judge={"kind": "local", "model": "tiny-gema"}).needs(TINY).inputs
    ((outcome, message),) = of_judge.status()
    assert outcome == "problem"
    assert "Unknown model 'tiny-gema'" in message


def test_a_context_that_the_model_does_not_take_is_a_problem() -> None:
    (problem,) = config(llm_context_size=512).needs(TINY).problems
    assert problem == "llm_context_size is 512; tiny-gemma2-it takes at most 256."


@pytest.mark.parametrize(
    ("values", "fault"),
    [
        ({"llm_context_size": 20}, "llm_context_size is 20; it must be at least 21"),
        ({"judge": {"kind": "rules"}}, "does not match any of the expected tags"),
        ({"judge": {"kind": "openai", "timeout": 0}}, "greater than 0"),
        ({"judge": {"kind": "openai", "concurrency": 11}}, "less than or equal to 10"),
        ({"judge": {"kind": "openai", "api_key": "k"}}, "Extra inputs are not permitted"),
        ({"n_latents": 0}, "greater than or equal to 1"),
    ],
)
def test_a_setting_with_a_fault_is_refused(values: dict[str, Any], fault: str) -> None:
    with pytest.raises(ValidationError, match=fault):
        config(**values)


def test_known_latents_are_judged_where_that_costs_nothing() -> None:
    assert config().n_control_of(RuleJudge()) == 20
    assert config().n_control_of(OpenAiJudge()) == 0
    assert config(n_control=3).n_control_of(OpenAiJudge()) == 3
