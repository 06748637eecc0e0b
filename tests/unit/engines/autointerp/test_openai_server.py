"""csae_bench/engines/autointerp/judges/openai_server.py, against a server on this machine."""

from __future__ import annotations

import logging
import traceback
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from pydantic import ValidationError

from csae_bench.engines.autointerp.judges import OpenAiJudge, Opening
from csae_bench.errors import ConfigError, EvalError
from tests.judge_server import JudgeServer, Reply, completion, error, serving

KEY = "sk-secret-of-this-test-4711"
ENV = "A_JUDGES_KEY"
MESSAGES = [{"role": "system", "content": "Explain."}, {"role": "user", "content": "1. <<a>> b"}]


def never_loaded(name: str) -> Any:
    raise AssertionError(f"{name} was loaded")


OPENING = Opening(model_name="tiny-gemma2-it", load_model=never_loaded)


@pytest.fixture(autouse=True)
def _key(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(ENV, KEY)


def settings(server: JudgeServer, **more: Any) -> OpenAiJudge:
    values = {"base_url": server.base_url, "model": "m", "api_key_env": ENV, "max_retries": 1}
    return OpenAiJudge.model_validate(values | more)


def answered(reply: Reply, **more: Any) -> tuple[str, JudgeServer]:
    with serving(lambda _: reply) as server:
        return settings(server, **more).open(OPENING)(MESSAGES, 30), server


def refused(reply: Reply, delay: float = 0, **more: Any) -> tuple[str, JudgeServer]:
    """The error, which has nothing of the key anywhere."""
    with serving(lambda _: reply, delay) as server:
        judge = settings(server, **more).open(OPENING)
        with pytest.raises(EvalError) as caught:
            judge(MESSAGES, 30)
    told = "".join(traceback.format_exception(caught.value))
    assert KEY not in told
    assert caught.value.__cause__ is None
    assert caught.value.__context__ is None
    return str(caught.value), server


def test_it_asks_as_sae_bench_does_but_for_address_and_model() -> None:
    answer, server = answered(completion("This neuron activates on a"))
    assert answer == "This neuron activates on a"
    (asked,) = server.requests
    assert asked == {
        "model": "m",
        "messages": MESSAGES,
        "n": 1,
        "max_tokens": 30,
        "stream": False,
    }
    assert server.authorizations == [f"Bearer {KEY}"]


def test_a_judge_that_gives_no_answer_in_time_fails_after_so_many_attempts() -> None:
    said, server = refused(completion("late"), delay=1.0, timeout=0.2)
    assert "gave no answer in 0.2 s, after 2 attempts; raise evals.autointerp.judge.timeout" in said
    assert said.endswith("Nothing of this eval is kept.")
    assert len(server.requests) == 2


@pytest.mark.parametrize(
    ("status", "n_attempts", "remedy"),
    [
        (400, 1, "see the log of the server"),
        (401, 1, f"check judge.api_key_env, which is {ENV}"),
        (403, 1, f"check that the key in {ENV} may use this model"),
        (404, 1, "check evals.autointerp.judge.model and base_url"),
        (429, 2, "ask less at once"),
        (500, 2, "see the log of the server"),
    ],
)
def test_a_judge_that_refuses_is_asked_again_so_often_and_not_more(
    status: int, n_attempts: int, remedy: str
) -> None:
    said, server = refused(error(status, f"Incorrect API key provided: {KEY}"))
    assert f"answered with status {status}" in said
    assert remedy in said
    assert len(server.requests) == n_attempts
    assert ("after 2 attempts" in said) == (n_attempts == 2)


def test_what_a_server_says_of_a_refused_key_is_not_shown() -> None:
    said, _ = refused(error(401, f"Incorrect API key provided: {KEY[:5]}***{KEY[-4:]}"))
    assert KEY[-4:] not in said


def test_a_refusal_that_passes_is_no_failure() -> None:
    replies = iter([error(429, "slow down"), completion("1, 2")])
    with serving(lambda _: next(replies)) as server:
        assert settings(server).open(OPENING)(MESSAGES, 30) == "1, 2"


def test_a_server_that_is_not_there_is_named() -> None:
    judge = OpenAiJudge(
        base_url="http://127.0.0.1:9/v1", model="m", api_key_env=ENV, max_retries=0
    ).open(OPENING)
    with pytest.raises(EvalError, match=r"http://127\.0\.0\.1:9/v1 cannot be reached") as caught:
        judge(MESSAGES, 30)
    assert KEY not in "".join(traceback.format_exception(caught.value))


@pytest.mark.parametrize("body", ["<html>", '"text"', "{}", '{"choices": []}', "", "[1]"])
def test_an_answer_that_is_no_chat_completion_is_an_error(body: str) -> None:
    assert "answered with no chat completion" in refused((200, body))[0]


def test_an_answer_without_text_is_one_that_cannot_be_parsed() -> None:
    assert answered(completion(None))[0] == "[no content]"


def test_a_server_that_repeats_the_key_does_not_spread_it(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.DEBUG):
        answer, _ = answered(completion(f"your key is {KEY}"))
    assert answer == "your key is [key]"
    assert KEY not in caplog.text


@pytest.mark.parametrize("concurrency", [1, 3])
def test_as_many_requests_are_made_at_once_as_is_set(concurrency: int) -> None:
    with serving(lambda _: completion("None"), delay=0.05) as server:
        judge = settings(server, concurrency=concurrency).open(OPENING)
        with ThreadPoolExecutor(10) as threads:
            list(threads.map(lambda _: judge(MESSAGES, 5), range(10)))
    assert server.most_at_once <= concurrency
    assert len(server.requests) == 10


@pytest.mark.parametrize("value", [None, "", "  "])
def test_a_key_that_is_missing_is_named(value: str | None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(ENV) if value is None else monkeypatch.setenv(ENV, value)
    judge = OpenAiJudge(api_key_env=ENV)
    (problem,) = judge.problems()
    assert problem.startswith(f"judge.api_key_env is {ENV}, and this environment variable is not")
    with pytest.raises(ConfigError, match=f"evals.autointerp.judge.api_key_env is {ENV}"):
        judge.open(OPENING)


def test_a_server_that_asks_for_no_key_gets_none_of_the_environment() -> None:
    answer, server = answered(completion("None"), api_key_env=None)
    assert answer == "None"
    assert server.authorizations == ["Bearer none"]
    assert OpenAiJudge(api_key_env=None).problems() == ()


def test_a_key_in_place_of_its_variable_is_neither_shown_nor_kept() -> None:
    judge = OpenAiJudge(api_key_env=KEY)
    assert KEY not in repr(judge)
    assert KEY not in judge.model_dump_json()
    (problem,) = judge.problems()
    assert "must be the name of an environment variable" in problem
    assert KEY not in problem


@pytest.mark.parametrize(
    "url", ["ftp://host/v1", "localhost:8000", "http://user:pass@host/v1", "http://host/v1?key=1"]
)
def test_an_address_with_a_secret_or_without_a_host_is_refused(url: str) -> None:
    with pytest.raises(ValidationError, match="base_url"):
        OpenAiJudge(base_url=url)


def test_the_judge_is_called_by_model_and_address_and_never_by_its_key() -> None:
    judge = OpenAiJudge(api_key_env=ENV)
    assert judge.called("any") == "gpt-4o-mini at https://api.openai.com/v1"
    assert judge.n_control == 0
    assert KEY not in judge.model_dump_json()
