"""Minimal pairs by name: what holds for every set that has one."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from csae_bench.config.pairs import MinimalSettings
from csae_bench.errors import DataError
from csae_bench.minimal_pairs import (
    NAMED_MINIMAL_PAIRS,
    MinimalPair,
    MinimalPairTexts,
    minimal_pair_fingerprint,
    minimal_pair_status,
    open_minimal_pairs,
)
from tests.unit.minimal_pairs.opened import assert_problem, minimal_settings
from tests.unit.pairs.sources import write_jsonl

ROWS = (
    {"group": "a", "text": "I see"},
    {"group": "a", "text": "I saw", "changed": "tense"},
    {"group": "b", "text": "I go"},
    {"group": "b", "text": "I went", "changed": "tense"},
)


def _opened(name: str, seed: int = 0, **options: Any) -> MinimalPairTexts:
    return open_minimal_pairs(minimal_settings(name, **options), seed=seed)


def _first(texts: MinimalPairTexts, n: int = 100) -> Iterator[MinimalPair]:
    return (pair for group in range(n) for pair in texts.pairs(group))


@pytest.mark.parametrize("name", NAMED_MINIMAL_PAIRS)
def test_a_named_set_has_pairs_that_are_always_the_same(name: str) -> None:
    texts = _opened(name, 3)
    assert isinstance(texts, MinimalPairTexts)
    first = [texts.pairs(group) for group in range(50)]
    again = _opened(name, 3)
    assert [again.pairs(group) for group in reversed(range(50))] == first[::-1]
    other = _opened(name, 4)
    assert not {pair.anchor for pair in _first(other)} & {pair.anchor for pair in _first(texts)}


@pytest.mark.parametrize("name", NAMED_MINIMAL_PAIRS)
def test_a_named_set_s_pairs_are_whole_and_without_end(name: str) -> None:
    texts = _opened(name)
    assert texts.n_groups is None
    assert len(set(texts.value_names)) == len(texts.value_names) > 10
    for pair in _first(texts):
        assert pair.factor is not None
        assert pair.values is not None
        assert len({pair.anchor, pair.changed, pair.paraphrase, None}) == 4
        names = [texts.value_names[number] for number in pair.values]
        assert len(set(names)) == 2
        assert all(each.startswith(f"{pair.factor}=") for each in names)


@pytest.mark.parametrize("name", NAMED_MINIMAL_PAIRS)
def test_factors_that_are_not_named_are_held_out(name: str) -> None:
    texts = _opened(name, factors=["tense", "gender"])
    assert {pair.factor for pair in _first(texts)} == {"tense", "gender"}
    assert texts.value_names == _opened(name).value_names


@pytest.mark.parametrize("name", NAMED_MINIMAL_PAIRS)
def test_an_unknown_factor_is_an_error_that_suggests_the_nearest(name: str) -> None:
    message = (
        f"pairs.minimal.factors has 'tens', which is no factor of {name}. Did you mean 'tense'"
    )
    assert_problem(name, message, factors=["tense", "tens"])
    assert_problem(name, "pairs.minimal.factors is empty; name at least one", factors=[])


def test_tinyworld_s_factors_are_the_world_s_and_english_s_have_the_language() -> None:
    assert_problem("tinyworld", "sentiment, register, domain, topic.", factors=["language"])
    assert_problem("english", "topic, register, language.", factors=["domain"])


def test_tinyworld_is_the_default() -> None:
    texts = open_minimal_pairs(MinimalSettings(), seed=0)
    assert texts == _opened("tinyworld")


def test_status_of_a_named_set_says_what_it_is_and_what_may_differ() -> None:
    assert minimal_pair_status(MinimalSettings()) == ("ok", "tinyworld's minimal pairs")
    assert minimal_pair_status(minimal_settings("english", factors=["tense", "language"])) == (
        "ok",
        "minimal pairs and translations of the grid `english`, in its training templates and "
        "words, which differ in tense, language",
    )


def test_a_name_that_is_not_there_suggests_the_nearest() -> None:
    assert minimal_pair_status(minimal_settings("englsh")) == (
        "unknown",
        "pairs.minimal.dataset 'englsh' is on the hub: not checkable here. Did you mean 'english'?",
    )
    with pytest.raises(DataError, match="Did you mean 'tinyworld'"):
        _opened("tinywrld")


def test_fingerprint_changes_with_the_file_and_the_name_and_not_with_settings(
    tmp_path: Path,
) -> None:
    file = write_jsonl(tmp_path / "a.jsonl", *ROWS)
    before = minimal_pair_fingerprint(minimal_settings(file))
    assert minimal_pair_fingerprint(minimal_settings(file, factors=["tense"])) == before
    write_jsonl(file, *ROWS[:2])
    seen = {before, minimal_pair_fingerprint(minimal_settings(file))}
    seen |= {minimal_pair_fingerprint(minimal_settings(n)) for n in (*NAMED_MINIMAL_PAIRS, "a/b")}
    assert len(seen) == 3 + len(NAMED_MINIMAL_PAIRS)
    assert minimal_pair_fingerprint(minimal_settings(tmp_path / "nowhere.jsonl"))


def test_looking_at_minimal_pairs_imports_neither_torch_nor_datasets(tmp_path: Path) -> None:
    file = write_jsonl(tmp_path / "a.jsonl", *ROWS)
    table = tmp_path / "a.csv"
    table.write_text("entity,f\nA,x\nB,y\n")
    names = (*NAMED_MINIMAL_PAIRS, str(file), str(table), "owner/name")
    code = (
        "import sys\n"
        "from csae_bench.config.pairs import MinimalSettings\n"
        "from csae_bench.minimal_pairs import minimal_pair_fingerprint, minimal_pair_status\n"
        f"for name in {names!r}:\n"
        "    settings = MinimalSettings(dataset=name, templates=('{entity}',))\n"
        "    assert minimal_pair_status(settings)[0] != 'problem'\n"
        "    minimal_pair_fingerprint(settings)\n"
        "sys.exit(len({'torch', 'datasets'} & sys.modules.keys()))"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
