"""csae_bench/engines/autointerp/world.py."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from csae_bench.engines.autointerp.world import World, world_of
from csae_bench.errors import DataError, UnknownNameError
from csae_bench.tinyworld.words import MOODS, SUBJECTS
from tests.unit.engines.autointerp.worlds import write_world


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> World:
    return world_of(str(write_world(tmp_path_factory.mktemp("world"))))


def said(world: World, word: str) -> set[str]:
    places = np.flatnonzero(world.says[world.vocabulary[word]])
    return {world.values[i] for i in places}


def test_a_word_says_a_value_that_all_texts_with_it_have(world: World) -> None:
    assert said(world, "queen") == {"who=woman"}
    assert said(world, "uncle") == {"who=man"}
    assert said(world, "piano") == {"what=music"}
    assert said(world, "kicks") == {"what=sport"}


def test_a_word_of_all_texts_says_nothing(world: World) -> None:
    assert [said(world, word) for word in ("the", "today", ".", "now")] == [set()] * 4


def test_a_value_holds_until_another_of_its_factor_is_said(world: World) -> None:
    read = world.read([["queen", "sings", "king", "often"], ["often", "piano"]])
    held = [{world.values[i] for i in np.flatnonzero(row)} for row in read.holds]
    assert held == [
        {"who=woman"},
        {"who=woman", "what=music"},
        {"who=man", "what=music"},
        {"who=man", "what=music"},
        set(),  # another text
        {"what=music"},
    ]
    assert read.before.tolist()[4] == -1


def test_a_word_that_is_not_known_says_nothing(world: World) -> None:
    read = world.read([["zebra", "queen", "gnu"]])
    assert read.says.sum() == 1
    vocabulary = dict(world.vocabulary)
    of_own = world.read([["zebra", "queen", "gnu"]], vocabulary)
    assert len({*of_own.words.tolist()}) == 3
    assert len(vocabulary) == len(world.vocabulary) + 2


def test_the_background_is_of_the_worlds_own_texts(world: World) -> None:
    assert 0 < len(world.background.words) < 216 * 10
    assert world.background.says.any()


def test_a_changed_file_is_another_world(tmp_path: Path) -> None:
    path = write_world(tmp_path)
    first = world_of(str(path))
    assert world_of(str(path)) is first
    path.write_text(path.read_text().replace("piano", "zither"))
    assert "zither" in world_of(str(path)).vocabulary


def test_a_dataset_without_texts_or_of_no_name_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UnknownNameError, match="Did you mean 'tinyworld'"):
        world_of("tinywrld")
    path = tmp_path / "same.csv"
    path.write_text("text,who\n" + "a b c,x\na b c,y\n" * 20)
    with pytest.raises(DataError, match="none of its words says a value"):
        world_of(str(path))


def test_tinyworlds_words_say_what_its_own_tables_have_them_say() -> None:
    """What is learnt from texts alone agrees with the tables that the texts are made from."""
    world = world_of("tinyworld")
    for value, voices in (("gender=feminine", SUBJECTS[0]), ("sentiment=unpleasant", MOODS[1])):
        for voice in voices.every:
            words = [word for word in voice.casefold().split() if word in world.vocabulary]
            assert any(value in said(world, word) for word in words), voice
    assert said(world, "piano") >= {"topic=music", "domain=art", "number=singular"}
    assert said(world, "ladder") == {"subject=story"}
    assert "subject=wmdp-bio" in said(world, "germ")
    assert said(world, "for") == set()
