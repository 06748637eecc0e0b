"""Cached pairs of paraphrases are those of the source itself, to the bit."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch

from csae_bench.activations.cache import draws as module
from csae_bench.activations.cache.draws import DrawCache
from csae_bench.activations.cache.entry import CacheWarning, Entry
from csae_bench.activations.cache.folder import CacheFolder
from csae_bench.activations.sources import EpochWarning
from csae_bench.corpora import Paraphrases
from csae_bench.errors import DataError
from csae_bench.pairs import MinimalPairs, PairSource, ParaphrasePairs
from csae_bench.pairs.cached_text_pairs import CachedTextPairs
from csae_bench.paraphrases import TinyworldParaphrases
from tests.unit.pairs.sources import (
    MINIMAL,
    ReadTokens,
    collected,
    minimal_pairs,
    paraphrase_pairs,
)

TEXTS = collected(
    (" she saw the rocket", "We saw that she never saw the rocket", " the rocket by Mary"),
    ("We never saw a sail", " the queen and Anna never saw the sail"),
    (" a goal", " it is a goal", " goal", " the goal was not by Mary", " just a goal"),
)
"""Four pairs of texts in a pass: with two at once, a pass ends after two draws."""

ENDLESS = TinyworldParaphrases(seed=0)


@pytest.fixture(scope="module")
def tokens() -> ReadTokens:
    return ReadTokens()


@pytest.fixture(autouse=True)
def small_shards(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "SHARD_BYTES", 200)


class Opened:
    """Opens sources, and counts how often the cached ones open the one below them."""

    def __init__(self, tokens: ReadTokens, root: Path) -> None:
        self.n_opened, self.root = 0, root
        self._tokens, self._caches = tokens, list[DrawCache]()

    def plain(self, texts: Paraphrases = TEXTS, **settings: Any) -> ParaphrasePairs:
        return paraphrase_pairs(texts, model=self._tokens, batch_size_prompts=4, **settings)

    def cached(self, texts: Paraphrases = TEXTS, **settings: Any) -> CachedTextPairs:
        entry = Entry(CacheFolder(self.root), {"texts": repr(texts)}, max_bytes=2**30)
        self._caches.append(DrawCache(entry))

        def open_source() -> ParaphrasePairs:
            self.n_opened += 1
            return self.plain(texts, **settings)

        return CachedTextPairs(
            self._caches[-1],
            open_source,
            d_in=3,
            kind="paraphrase",
            dataset="tinyworld",
            dtype=torch.float32,
        )

    def close(self) -> None:
        while self._caches:
            self._caches.pop().close()
        self.n_opened = 0


@pytest.fixture
def opened(tokens: ReadTokens, tmp_path: Path) -> Iterator[Opened]:
    made = Opened(tokens, tmp_path)
    yield made
    made.close()


def _drawn(source: PairSource, n_draws: int) -> list[tuple[Any, ...]]:
    """All that can be told of each draw, warnings included."""
    seen: list[tuple[Any, ...]] = []
    for _ in range(n_draws):
        with warnings.catch_warnings(record=True) as said:
            warnings.simplefilter("always")
            pairs = source.next_pairs()
        told = [(one.category, str(one.message)) for one in said]
        values = tuple(None if part is None else part.tolist() for part in pairs)
        seen.append((values, told, source.state_dict(), source.epochs, source.rows_per_epoch))
    return seen


@pytest.mark.parametrize("texts", [TEXTS, ENDLESS])
def test_first_and_second_reading_are_the_source_s(opened: Opened, texts: Paraphrases) -> None:
    expected = _drawn(opened.plain(texts), 9)
    assert _drawn(opened.cached(texts), 9) == expected
    opened.close()
    assert _drawn(opened.cached(texts), 9) == expected
    assert opened.n_opened == 0


def test_it_is_a_source_of_pairs(opened: Opened) -> None:
    assert isinstance(opened.cached(), PairSource)


def test_warnings_and_passes_of_a_finite_dataset_are_the_same(opened: Opened) -> None:
    expected = _drawn(opened.plain(), 9)
    assert sum(category is EpochWarning for one in expected for category, _ in one[1]) == 4
    assert expected[-1][3:] == (4, expected[1][4])
    for n_draws in (3, 6, 9):
        assert _drawn(opened.cached(), n_draws) == expected[:n_draws]
        opened.close()


@pytest.mark.parametrize("texts", [TEXTS, ENDLESS])
@pytest.mark.parametrize("n_before", [0, 1, 2, 5])
@pytest.mark.parametrize("n_cached", [0, 3, 12])
def test_a_restored_source_continues_as_the_plain_one(
    opened: Opened, texts: Paraphrases, n_before: int, n_cached: int
) -> None:
    plain = opened.plain(texts)
    _drawn(plain, n_before)
    state = plain.state_dict()
    _drawn(opened.cached(texts), n_cached)
    opened.close()
    again, cached = opened.plain(texts), opened.cached(texts)
    again.load_state_dict(state)
    cached.load_state_dict(state)
    assert cached.state_dict() == state
    assert (cached.epochs, cached.rows_per_epoch) == (again.epochs, again.rows_per_epoch)
    assert _drawn(cached, 6) == _drawn(again, 6)


def test_what_a_restored_source_adds_is_what_the_first_would_have(opened: Opened) -> None:
    expected = _drawn(opened.plain(), 8)
    restored = opened.cached()
    restored.load_state_dict(expected[2][2])  # within a pass
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", EpochWarning)
        for _ in range(5):
            restored.next_pairs()
    opened.close()
    assert _drawn(opened.cached(), 8) == expected


def test_texts_that_give_no_pair_are_passed_over_in_the_same_way(opened: Opened) -> None:
    # some draws give none, so that one call may read beyond the end of a pass
    texts = collected(*(("<eos>", "<bos>") for _ in range(5)), (" a goal", " the goal"))
    expected = _drawn(opened.plain(texts), 6)
    assert max(len(one[1]) for one in expected) >= 1
    for _ in range(2):
        assert _drawn(opened.cached(texts), 6) == expected
        opened.close()


def test_a_broken_shard_is_drawn_again(opened: Opened) -> None:
    expected = _drawn(opened.plain(), 6)
    _drawn(opened.cached(), 6)
    opened.close()
    files = sorted(opened.root.glob("*/*.safetensors"))
    assert len(files) > 2
    files[1].unlink()
    read = _drawn(opened.cached(), 6)
    told = [one for draw in read for one in draw[1] if one[0] is CacheWarning]
    assert len(told) == 1
    assert "is missing" in told[0][1]
    assert [one[0] for one in read] == [one[0] for one in expected]


def test_no_pairs_at_all_is_the_same_error(opened: Opened) -> None:
    texts = collected(("<eos>", "<bos>"))
    with pytest.raises(DataError, match="No pairs in"):
        opened.cached(texts).next_pairs()


@pytest.mark.parametrize("with_paraphrases", [False, True])
def test_minimal_pairs_keep_their_values_and_their_paraphrases(
    tmp_path: Path, tokens: ReadTokens, with_paraphrases: bool
) -> None:
    n_opened = 0

    def plain() -> MinimalPairs:
        nonlocal n_opened
        n_opened += 1
        return minimal_pairs(
            MINIMAL, model=tokens, batch_size_prompts=4, with_paraphrases=with_paraphrases
        )

    expected = _drawn(plain(), 6)
    assert expected[0][0][3] is not None  # values
    for _ in range(2):
        entry = Entry(CacheFolder(tmp_path), {"texts": "minimal"}, max_bytes=2**30)
        draws = DrawCache(entry)
        cached = CachedTextPairs(
            draws, plain, d_in=3, kind="minimal", dataset="tinyworld", dtype=torch.float32
        )
        assert _drawn(cached, 6) == expected
        draws.close()
    assert n_opened == 2  # the second reading opens none
