"""A cached source gives what the source itself gives, to the bit, with and without a cache."""

from __future__ import annotations

import json
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from threading import Event
from typing import TYPE_CHECKING, Any

import pytest
import torch

from csae_bench import models
from csae_bench.activations.cache import draws as module
from csae_bench.activations.cache.draws import ActivationCache
from csae_bench.activations.cache.entry import CacheWarning
from csae_bench.activations.sources import ActivationSource, EpochWarning
from csae_bench.config import RunConfig
from csae_bench.errors import DataError, ModelError
from csae_bench.training.data import activation_source

if TYPE_CHECKING:
    from transformer_lens import HookedTransformer

GIB = 2**30
Open = Callable[..., ActivationSource]


@pytest.fixture(scope="module")
def model() -> HookedTransformer:
    return models.load("tiny-gemma2-it")


@pytest.fixture(autouse=True)
def small_shards(monkeypatch: pytest.MonkeyPatch) -> None:
    """Shards of three draws of the windows below."""
    monkeypatch.setattr(module, "SHARD_BYTES", 3 * 4 * 32 * 128 * 4)


@pytest.fixture
def folder(tmp_path: Path) -> str:
    """Five texts, which fill a few windows of 32 tokens."""
    from csae_bench.tinyworld import documents

    (tmp_path / "text").mkdir()
    rows = [json.dumps({"text": text}) + "\n" for text in documents("sae", 5)]
    (tmp_path / "text" / "a.jsonl").write_text("".join(rows))
    return str(tmp_path / "text")


class Opened:
    """Opens sources of the bundled model, and counts what the model does."""

    def __init__(self, model: HookedTransformer, root: Path) -> None:
        self._model, self._root = model, root
        self._caches: list[ActivationCache] = []
        self.n_passes = self.n_texts = 0

    def plain(self, **activations: Any) -> ActivationSource:
        return activation_source(_config(**activations), self._model)

    def cached(self, *, seed: int = 0, **activations: Any) -> ActivationSource:
        self._caches.append(ActivationCache(self._root, max_bytes=GIB))
        config = _config(**activations).model_copy(update={"seed": seed})
        return activation_source(config, self._model, cache=self._caches[-1])

    def close(self) -> None:
        while self._caches:
            self._caches.pop().close()


def _config(**activations: Any) -> RunConfig:
    small = {"context_size": 32, "batch_size_prompts": 4, **activations}
    return RunConfig.model_validate({"activations": small})


@pytest.fixture
def opened(
    model: HookedTransformer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Opened]:
    made = Opened(model, tmp_path / "cache")
    run, tokenize = model.run_with_cache, model.to_tokens

    def counted(*arguments: Any, **options: Any) -> Any:
        made.n_passes += 1
        return run(*arguments, **options)

    def counted_texts(*arguments: Any, **options: Any) -> Any:
        made.n_texts += 1
        return tokenize(*arguments, **options)

    monkeypatch.setattr(model, "run_with_cache", counted)
    monkeypatch.setattr(model, "to_tokens", counted_texts)
    yield made
    made.close()


def _drawn(source: ActivationSource, n_draws: int) -> list[tuple[Any, ...]]:
    """All that can be told of each draw, warnings included."""
    seen: list[tuple[Any, ...]] = []
    for _ in range(n_draws):
        with warnings.catch_warnings(record=True) as said:
            warnings.simplefilter("always")
            acts, usable, ids = source.next_sequences()
        told = [(one.category, str(one.message)) for one in said]
        state = source.state_dict(), source.epochs, source.windows_per_epoch
        assert acts.dtype == torch.float32
        seen.append((acts.numpy().tobytes(), usable.tolist(), ids.tolist(), told, state))
    return seen


def test_first_and_second_reading_give_the_model_s_sequences(opened: Opened) -> None:
    expected = _drawn(opened.plain(), 8)
    opened.n_passes = opened.n_texts = 0
    assert _drawn(opened.cached(), 8) == expected
    assert opened.n_passes == 8
    assert opened.n_texts > 0
    opened.close()
    opened.n_passes = opened.n_texts = 0
    assert _drawn(opened.cached(), 8) == expected
    assert (opened.n_passes, opened.n_texts) == (0, 0)


def test_the_model_continues_where_the_cache_ends(opened: Opened) -> None:
    _drawn(opened.cached(), 5)
    opened.close()
    opened.n_passes = 0
    longer = _drawn(opened.cached(), 9)
    assert opened.n_passes == 4
    opened.close()
    opened.n_passes = 0
    assert _drawn(opened.cached(), 9) == longer
    assert opened.n_passes == 0
    assert longer == _drawn(opened.plain(), 9)


@pytest.mark.parametrize("n_cached", [0, 4, 40])
def test_passes_over_a_finite_dataset_and_their_warnings_are_the_same(
    n_cached: int, opened: Opened, folder: str
) -> None:
    expected = _drawn(opened.plain(dataset=folder), 40)
    told = [category for one in expected for category, _ in one[3]]
    assert told.count(EpochWarning) == expected[-1][4][1] >= 2
    _drawn(opened.cached(dataset=folder), n_cached)
    opened.close()
    assert _drawn(opened.cached(dataset=folder), 40) == expected


@pytest.mark.parametrize("batch", [1, 64])
def test_several_passes_in_one_draw_are_the_same(batch: int, opened: Opened, folder: str) -> None:
    settings = {"dataset": folder, "batch_size_prompts": batch}
    expected = _drawn(opened.plain(**settings), 3)
    assert batch == 1 or len(expected[0][3]) >= 2
    for _ in range(2):
        assert _drawn(opened.cached(**settings), 3) == expected
        opened.close()


@pytest.mark.parametrize("n_before", [0, 1, 5, 13])
@pytest.mark.parametrize("n_cached", [0, 6, 20])
def test_a_restored_source_continues_as_the_plain_one(
    n_before: int, n_cached: int, opened: Opened, folder: str
) -> None:
    plain = opened.plain(dataset=folder)
    _drawn(plain, n_before)
    state = plain.state_dict()
    _drawn(opened.cached(dataset=folder), n_cached)
    opened.close()
    again, cached = opened.plain(dataset=folder), opened.cached(dataset=folder)
    with warnings.catch_warnings():
        warnings.simplefilter("error")  # reading again what was read before is no news
        again.load_state_dict(state)
        cached.load_state_dict(state)
    assert cached.state_dict() == state
    assert (cached.epochs, cached.windows_per_epoch) == (again.epochs, again.windows_per_epoch)
    assert _drawn(cached, 10) == _drawn(again, 10)


def test_a_gap_is_filled_and_read_again_after_it(opened: Opened) -> None:
    expected = _drawn(opened.plain(), 9)
    _drawn(opened.cached(), 9)
    opened.close()
    second = sorted((opened._root).glob("*/*.safetensors"))[1]
    second.write_bytes(b"broken")
    opened.n_passes = 0
    read = _drawn(opened.cached(), 9)
    assert [category for one in read for category, _ in one[3]] == [CacheWarning]
    assert opened.n_passes == 3
    assert [one[:3] + one[4:] for one in read] == [one[:3] + one[4:] for one in expected]
    opened.close()
    opened.n_passes = 0
    assert _drawn(opened.cached(), 9) == expected
    assert opened.n_passes == 0


def test_seeds_share_text_that_is_the_same_for_all(opened: Opened, folder: str) -> None:
    _drawn(opened.cached(dataset=folder), 3)
    _drawn(opened.cached(), 3)
    opened.close()
    opened.n_passes = 0
    _drawn(opened.cached(dataset=folder, seed=1), 3)
    assert opened.n_passes == 0
    _drawn(opened.cached(seed=1), 3)
    assert opened.n_passes == 3


@pytest.mark.parametrize("change", [{"context_size": 16}, {"batch_size_prompts": 2}])
def test_what_decides_bits_is_another_entry(change: dict[str, int], opened: Opened) -> None:
    _drawn(opened.cached(), 2)
    opened.close()
    assert _drawn(opened.cached(**change), 2) == _drawn(opened.plain(**change), 2)


def test_changed_text_is_read_anew(opened: Opened, folder: str) -> None:
    before = _drawn(opened.cached(dataset=folder), 2)
    opened.close()
    file = Path(folder) / "a.jsonl"
    lines = file.read_text().splitlines()
    file.write_text("".join(f"{line}\n" for line in [lines[-1], *lines[:-1]]))
    assert _drawn(opened.cached(dataset=folder), 2) != before


def test_errors_of_the_data_are_those_of_the_plain_source(opened: Opened, tmp_path: Path) -> None:
    text = tmp_path / "broken"
    text.mkdir()
    (text / "a.jsonl").write_text('{"text": "The farmer"}\n{"tex\n')
    with pytest.raises(DataError, match=r"a\.jsonl, line 2: is not JSON"):
        opened.cached(dataset=str(text)).next_sequences()


def test_an_unknown_hook_is_an_error_at_once(model: HookedTransformer, tmp_path: Path) -> None:
    config = RunConfig.model_validate({"hook_name": "blocks.2.hook_resid_pots"})
    cache = ActivationCache(tmp_path, max_bytes=GIB)
    with pytest.raises(ModelError, match=r"Did you mean 'blocks\.2\.hook_resid_post'"):
        activation_source(config, model, cache=cache)
    assert list(tmp_path.iterdir()) == []


def test_a_bfloat16_model_is_kept_in_bfloat16(tmp_path: Path) -> None:
    half = models.load("tiny-gemma2-it", dtype="bfloat16")
    expected = _drawn(activation_source(_config(), half), 4)
    for _ in range(2):
        cache = ActivationCache(tmp_path, max_bytes=GIB)
        assert _drawn(activation_source(_config(), half, cache=cache), 4) == expected
        cache.close()
    (manifest,) = tmp_path.glob("*/manifest.json")
    assert json.loads(manifest.read_text())["key"]["dtype"] == "bfloat16"
    size = sum(file.stat().st_size for file in tmp_path.glob("*/*.safetensors"))
    assert size < 1.2 * 4 * 4 * 32 * 128 * 2


def _cached(opened: Opened) -> list[tuple[Any, ...]]:
    """Fill the cache with seven draws, and return them as they are read from there."""
    _drawn(opened.cached(), 7)
    opened.close()
    drawn = _drawn(opened.cached(), 7)
    opened.close()
    return drawn


def test_rows_for_a_gpu_are_read_ahead_and_are_the_same(
    opened: Opened, monkeypatch: pytest.MonkeyPatch
) -> None:
    expected = _cached(opened)
    pinned: list[torch.Tensor] = []
    monkeypatch.setattr(module, "pinned", lambda tensor: (pinned.append(tensor), tensor)[1])
    monkeypatch.setattr("csae_bench.activations.cached_source.is_gpu", lambda device: True)
    source, drawn = opened.cached(), list[tuple[Any, ...]]()
    for _ in range(7):
        drawn += _drawn(source, 1)
        module._AHEAD.submit(int).result()  # by then it has read what it was asked for
    assert drawn == expected
    assert len(pinned) == 6 * 3  # each draw after the first, three tensors each


def test_rows_that_are_asked_for_before_they_are_read_ahead_are_the_same(
    opened: Opened, monkeypatch: pytest.MonkeyPatch
) -> None:
    expected = _cached(opened)
    monkeypatch.setattr("csae_bench.activations.cached_source.is_gpu", lambda device: True)
    begin, source = Event(), opened.cached()
    module._AHEAD.submit(begin.wait)  # the thread is busy until all is drawn
    assert _drawn(source, 7) == expected
    begin.set()
    opened.close()  # waits for the thread, which finds nothing left to read
