"""The table of executors: each row can be built, and says what it needs."""

from __future__ import annotations

from dataclasses import fields
from pathlib import Path

import pytest

from csae_bench.errors import UnknownNameError, UsageError
from csae_bench.executors.table import EXECUTORS, ExecutorOptions, executor_settings
from csae_bench.runs.plan import plan
from csae_bench.runs.request import RunRequest

VALUES = {"workers": 2, "ray_address": "10.0.0.1:6379", "collect": True}


@pytest.mark.parametrize("name", EXECUTORS)
def test_an_executor_is_built_from_its_options(name: str, tmp_path: Path) -> None:
    row = EXECUTORS[name]
    settings = executor_settings(name, ExecutorOptions(**{key: VALUES[key] for key in row.options}))
    request = RunRequest(source="random", results=tmp_path, evals=("mig",))
    planned = settings.adjusted(plan(settings.prepared([request])))
    assert not planned.problems
    assert callable(settings.build(planned, train_only=False).run)


@pytest.mark.parametrize(
    ("name", "option"),
    [
        (name, option.name)
        for name, row in EXECUTORS.items()
        for option in fields(ExecutorOptions)
        if option.name not in row.options
    ],
)
def test_an_option_of_another_executor_is_a_mistake(name: str, option: str) -> None:
    with pytest.raises(UsageError, match=f"--{option.replace('_', '-')} is for --executor "):
        executor_settings(name, ExecutorOptions(**{option: VALUES[option]}))


def test_an_unknown_executor_is_a_mistake() -> None:
    with pytest.raises(UnknownNameError, match="Did you mean 'ray'"):
        executor_settings("rai", ExecutorOptions())
