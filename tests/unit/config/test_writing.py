"""csae_bench/config/writing.py."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml
from pydantic import BaseModel

from csae_bench.config import RunConfig
from csae_bench.config.loading import load_config
from csae_bench.config.writing import checked, config_text, raw_of, with_architecture
from csae_bench.errors import ConfigError, UnknownNameError
from csae_bench.evals import get_eval
from csae_bench.support.named_configs import config_names


def _text(config: RunConfig, *, all_keys: bool = False) -> str:
    evals: dict[str, tuple[str, BaseModel]] = {}
    for name, settings in config.evals.items():
        spec = get_eval(name)
        evals[name] = spec.summary, spec.config.model_validate(settings)
    return config_text(config, head="mine", evals=evals, all_keys=all_keys)


def _without_evals(config: RunConfig) -> dict[str, Any]:
    return config.model_dump(exclude={"evals"})


@pytest.mark.parametrize("all_keys", [False, True])
@pytest.mark.parametrize("name", config_names())
def test_a_written_configuration_reads_back_as_the_same(name: str, all_keys: bool) -> None:
    config = load_config(name).config
    back = RunConfig.model_validate(yaml.safe_load(_text(config, all_keys=all_keys)))
    assert _without_evals(back) == _without_evals(config)
    for eval_name, settings in config.evals.items():
        model = get_eval(eval_name).config
        assert model.model_validate(back.evals[eval_name]) == model.model_validate(settings)


@pytest.mark.parametrize("all_keys", [False, True])
@pytest.mark.parametrize("name", config_names())
def test_every_key_has_a_comment_but_for_those_of_further_items(name: str, all_keys: bool) -> None:
    lines = _text(load_config(name).config, all_keys=all_keys).splitlines()[2:]
    in_further_item = False
    for before, line in zip(["#", *lines], lines, strict=False):
        if line.lstrip().startswith("#"):
            in_further_item = False
            continue
        is_item = line.lstrip().startswith("- ")
        in_further_item = in_further_item or (is_item and not before.lstrip().startswith("#"))
        assert before.lstrip().startswith("#") or in_further_item, line
    assert max(map(len, lines)) <= 100 or any("datasets:" in line for line in lines)


def test_a_comment_is_the_fields_docstring() -> None:
    assert "# Tokens in a sequence, `<bos>` included.\n  context_size: 128" in _text(
        load_config("custom_sae").config
    )


def test_defaults_are_left_out_unless_all_are_asked_for() -> None:
    config = load_config("topk").config
    assert "adam_beta1" not in _text(config)
    assert "adam_beta1: 0.9" in _text(config, all_keys=True)


def test_what_a_reader_looks_for_is_there_even_where_it_has_its_default() -> None:
    written = yaml.safe_load(_text(RunConfig()))
    assert written["model"] == "tiny-gemma2-it"
    assert written["seed"] == 0


def test_another_architecture_keeps_what_both_have() -> None:
    raw = raw_of(load_config("custom_sae").config)
    changed = with_architecture(raw, "topk")
    assert changed["sae"] == {"architecture": "topk", "d_sae": 1024, "k": 18}
    assert "curriculum" not in changed["training"]
    contrastive = with_architecture(raw, "contrastive_topk")
    assert contrastive["sae"]["losses"] == raw["sae"]["losses"]
    assert contrastive["training"] == raw["training"]


def test_an_unknown_architecture_is_an_error_with_a_suggestion() -> None:
    with pytest.raises(UnknownNameError, match="Did you mean 'topk'"):
        with_architecture({}, "topkk")


def test_a_wrong_value_is_a_problem_of_the_file() -> None:
    with pytest.raises(ConfigError, match=r"mine.yaml.*model_dtype"):
        checked({"model_dtype": "float8"}, Path("mine.yaml"))
