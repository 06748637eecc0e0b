"""What decides activations is in the keys of the cache, and nothing else."""

from __future__ import annotations

import json
from collections.abc import Callable
from functools import partial
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch

from csae_bench.config import ModelActivations, RunConfig
from csae_bench.corpora import NAMED_CORPORA
from csae_bench.pair_texts import PAIR_TEXTS
from csae_bench.training import cache_keys
from csae_bench.training.cache_keys import sequences_key, text_pairs_key

Key = Callable[..., dict[str, Any]]

TEXT_KEYS: dict[str, Key] = {kind: partial(text_pairs_key, kind) for kind in PAIR_TEXTS}
EVERY_KEY = (sequences_key, *TEXT_KEYS.values())


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


@pytest.mark.parametrize("make", EVERY_KEY)
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


@pytest.mark.parametrize("make", EVERY_KEY)
@pytest.mark.parametrize(
    "change",
    [
        {"activations": {"cache_gib": 5}},
        {"activations": {"pairs_in_buffer": 4096}},
        {"sae": {"d_sae": 64, "k": 3}},
        {"training": {"n_tokens": 409_600, "learning_rate": 1e-3}},
        {"pairs": {"paraphrase": {"weight": 2}, "same_sequence": {"min_distance": 2}}},
        {"pairs": {"minimal": {"weight": 1, "shuffled": True}, "shuffled": True}},
        {"threads": 3},
        {"device": "cpu"},
    ],
)
def test_what_trains_on_them_is_not(make: Key, change: dict[str, Any]) -> None:
    assert _key(make, **change) == _key(make)


@pytest.mark.parametrize(
    ("kind", "change"),
    [
        ("paraphrase", {"positions": "last"}),
        ("paraphrase", {"text_column": "t"}),
        ("paraphrase", {"group_column": "g"}),
        ("minimal", {"positions": "after_change"}),
        ("minimal", {"changed_column": "c"}),
        ("minimal", {"factors": ["tense"]}),
        ("minimal", {"with_paraphrases": True}),
    ],
)
def test_settings_of_a_kind_are_in_its_key_alone(kind: str, change: dict[str, Any]) -> None:
    changed = {"pairs": {kind: {"weight": 1, **change}}}
    for one in EVERY_KEY:
        assert (_key(one, **changed) != _key(one)) == (one is TEXT_KEYS[kind])


def test_no_two_kinds_share_a_key() -> None:
    keys = [json.dumps(_key(one), sort_keys=True) for one in EVERY_KEY]
    assert len(set(keys)) == len(keys)


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


@pytest.mark.parametrize(
    ("kind", "name"), [(kind, name) for kind, texts in PAIR_TEXTS.items() for name in texts.named]
)
def test_named_texts_are_known_by_name(
    kind: str, name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / name).mkdir()
    monkeypatch.chdir(tmp_path)
    key = _key(TEXT_KEYS[kind], pairs={kind: {"weight": 1, "dataset": name}})
    assert key["dataset"] == name


def test_other_versions_have_another_key(monkeypatch: pytest.MonkeyPatch) -> None:
    before = _key()
    monkeypatch.setattr(cache_keys, "version", lambda _: "99")
    assert _key() != before


def test_a_key_is_the_same_after_a_round_trip_through_json() -> None:
    for make in EVERY_KEY:
        assert json.loads(json.dumps(_key(make))) == _key(make)


@pytest.mark.parametrize("kind", PAIR_TEXTS)
def test_how_many_of_the_pairs_are_kept_is_not_in_the_key(kind: str) -> None:
    assert _key(TEXT_KEYS[kind], pairs={kind: {"n_pairs": 64}}) == _key(TEXT_KEYS[kind])
