"""What decides activations is in the keys of the cache, and nothing else."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch

from csae_bench.config import ModelActivations, RunConfig
from csae_bench.corpora import NAMED_CORPORA
from csae_bench.paraphrases import NAMED_PARAPHRASES
from csae_bench.training import cache_keys
from csae_bench.training.cache_keys import paraphrases_key, sequences_key

Key = Callable[..., dict[str, Any]]


def _key(
    make: Key = sequences_key,
    *,
    dtype: torch.dtype = torch.float32,
    hook_name: str = "blocks.2.hook_resid_post",
    device: str = "cpu",
    **changes: Any,
) -> dict[str, Any]:
    config = RunConfig.model_validate(changes)
    assert isinstance(config.activations, ModelActivations)
    model = SimpleNamespace(cfg=SimpleNamespace(dtype=dtype))
    return make(config, config.activations, model, hook_name=hook_name, device=device)


@pytest.mark.parametrize("make", [sequences_key, paraphrases_key])
@pytest.mark.parametrize(
    "change",
    [
        {"dtype": torch.bfloat16},
        {"hook_name": "blocks.1.hook_resid_post"},
        {"device": "cuda"},
        {"seed": 1},
        {"activations": {"context_size": 64}},
        {"activations": {"batch_size_prompts": 16}},
    ],
)
def test_what_decides_activations_is_in_the_key(make: Key, change: dict[str, Any]) -> None:
    assert _key(make, **change) != _key(make)


@pytest.mark.parametrize("make", [sequences_key, paraphrases_key])
@pytest.mark.parametrize(
    "change",
    [
        {"activations": {"cache_gib": 5}},
        {"activations": {"pairs_in_buffer": 4096}},
        {"sae": {"d_sae": 64, "k": 3}},
        {"training": {"n_tokens": 409_600, "learning_rate": 1e-3}},
        {"pairs": {"paraphrase": {"weight": 2}, "same_sequence": {"min_distance": 2}}},
        {"threads": 3},
        {"device": "cpu"},
    ],
)
def test_what_trains_on_them_is_not(make: Key, change: dict[str, Any]) -> None:
    assert _key(make, **change) == _key(make)


@pytest.mark.parametrize(
    "change", [{"positions": "last"}, {"text_column": "t"}, {"group_column": "g"}]
)
def test_settings_of_paraphrases_are_in_their_key_alone(change: dict[str, str]) -> None:
    changed = {"pairs": {"paraphrase": {"weight": 1, **change}}}
    assert _key(paraphrases_key, **changed) != _key(paraphrases_key)
    assert _key(sequences_key, **changed) == _key(sequences_key)


def test_text_and_paraphrases_never_share_a_key() -> None:
    assert _key(sequences_key) != _key(paraphrases_key)


def test_files_are_known_by_absolute_path_size_and_time_whatever_the_seed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "text"
    folder.mkdir()
    (folder / "a.jsonl").write_text('{"text": "a"}\n')
    monkeypatch.chdir(tmp_path)
    key = _key(activations={"dataset": "./text"})
    assert key["dataset"] == str(folder)
    assert key == _key(activations={"dataset": str(folder)}, seed=7)
    (folder / "a.jsonl").write_text('{"text": "another"}\n')
    assert key != _key(activations={"dataset": str(folder)})


@pytest.mark.parametrize("name", NAMED_CORPORA)
def test_text_of_a_named_corpus_is_known_by_name_and_seed(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / name).mkdir()  # a folder of that name is another thing
    monkeypatch.chdir(tmp_path)
    key = _key(activations={"dataset": name})
    assert (key["dataset"], key["seed"]) == (name, 0)
    assert key != _key(activations={"dataset": name}, seed=7)


@pytest.mark.parametrize("name", NAMED_PARAPHRASES)
def test_named_paraphrases_are_known_by_name(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / name).mkdir()
    monkeypatch.chdir(tmp_path)
    key = _key(paraphrases_key, pairs={"paraphrase": {"weight": 1, "dataset": name}})
    assert key["dataset"] == name


def test_other_versions_have_another_key(monkeypatch: pytest.MonkeyPatch) -> None:
    before = _key()
    monkeypatch.setattr(cache_keys, "version", lambda _: "99")
    assert _key() != before


def test_a_key_is_the_same_after_a_round_trip_through_json() -> None:
    for make in (sequences_key, paraphrases_key):
        assert json.loads(json.dumps(_key(make))) == _key(make)
