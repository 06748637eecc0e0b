"""csae_bench/engines/autointerp/rules.py and rule_search.py."""

from __future__ import annotations

from random import Random

import numpy as np
import pytest

from csae_bench.engines.autointerp.messages import MarkedText
from csae_bench.engines.autointerp.rule_search import explain
from csae_bench.engines.autointerp.rules import Condition, Rule, fits, parsed_rule, rule_text
from csae_bench.engines.autointerp.world import World, world_of
from tests.unit.engines.autointerp.worlds import WHAT, WHEN, WHO, write_world

MUSIC = Condition("says", "what=music")
WOMAN = Condition("holds", "who=woman")


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> World:
    return world_of(str(write_world(tmp_path_factory.mktemp("world"))))


@pytest.mark.parametrize(
    "rule",
    [
        ((MUSIC,),),
        ((MUSIC, WOMAN),),
        ((Condition("word", '"'),), (Condition("after", ";"),)),
        ((Condition("word", "."), WOMAN), (MUSIC,), (Condition("holds", "a=b c (d)"),)),
        ((Condition("says", 'who=the "queen"'), WOMAN),),
    ],
)
def test_a_rule_is_read_back_from_its_words(rule: Rule) -> None:
    text = rule_text(rule)
    assert parsed_rule(text) == rule
    assert text == text.split("activates on")[-1].rstrip(".").strip()  # as SAE-Bench parses it


def test_a_text_that_is_no_rule_fits_nothing(world: World) -> None:
    assert rule_text(()) == "nothing in particular"
    assert parsed_rule("nothing in particular") == ()
    assert parsed_rule("words about royalty") == ()
    read = world.read([["queen"]])
    assert not fits((), read, world, world.vocabulary).any()
    assert not fits(((Condition("says", "who=child"),),), read, world, world.vocabulary).any()


def test_a_part_wants_all_its_conditions_and_a_rule_one_of_its_parts(world: World) -> None:
    words = ["king", "sings", "queen", "sings", "a", "song"]
    read = world.read([words])
    fitting = fits(((MUSIC, WOMAN), (Condition("word", "king"),)), read, world, world.vocabulary)
    assert [w for w, f in zip(words, fitting, strict=True) if f] == ["king", "sings", "song"]


def examples(rule: Rule, world: World, n: int = 15, seed: int = 0) -> list[MarkedText]:
    """Texts in which a rule fits a word, active where it does."""
    rng, made = Random(seed), list[MarkedText]()
    while len(made) < n:
        who, what = rng.choice([*WHO]), rng.choice([*WHAT])
        text = f"now the {rng.choice(WHO[who])} {rng.choice(WHAT[what])} {rng.choice(WHEN)} ."
        words = tuple(text.split())
        fitting = fits(rule, world.read([words]), world, world.vocabulary)
        if fitting.any():
            made.append(MarkedText(words, tuple(fitting.tolist())))
    return made


@pytest.mark.parametrize(
    "rule",
    [
        ((MUSIC,),),
        ((Condition("word", "ball"),),),
        ((Condition("word", "."), WOMAN),),
        ((Condition("says", "who=man"),),),
        ((Condition("after", "the"), Condition("word", "queen")),),
        ((Condition("word", "ball"),), (Condition("word", "song"),)),
    ],
)
def test_the_rule_by_which_words_are_active_is_recovered(rule: Rule, world: World) -> None:
    explained = explain(examples(rule, world), world)
    texts = [example.words for example in examples(rule, world, n=200, seed=1)]
    read = world.read(texts)
    right = fits(rule, read, world, world.vocabulary)
    assert np.array_equal(fits(explained, read, world, world.vocabulary), right)


def test_examples_of_one_value_alone_are_not_taken_for_all_values(world: World) -> None:
    """Every full stop shown stands in a text about music: full stops in general would be a chance
    of 1 in 2**15."""
    rule = ((Condition("word", "."), Condition("holds", "what=music")),)
    assert explain(examples(rule, world), world) == rule


def test_nothing_is_explained_where_no_word_is_active(world: World) -> None:
    assert explain([MarkedText(("a", "queen"), (False, False))], world) == ()
    assert explain([], world) == ()


def test_a_rule_stays_short_whatever_fires(world: World) -> None:
    rng = Random(0)
    noise = [
        MarkedText(e.words, tuple(rng.random() < 0.2 for _ in e.words))
        for e in examples(((MUSIC,),), world)
    ]
    explained = explain(noise, world)
    assert len(explained) <= 3
    assert all(len(part) <= 2 for part in explained)
