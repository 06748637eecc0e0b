from random import Random

import pytest

from csae_bench.tinyworld import grammar, words
from csae_bench.tinyworld.sentences import (
    combinations,
    draw_situation,
    draw_template,
    draw_values,
    follow_up,
    say,
)

CHECK = words.Verb("check", "checks", "checked", "checked")


def test_there_are_at_least_six_templates_and_half_of_them_are_reserved():
    assert len(grammar.TEMPLATES) >= 6
    assert len(grammar.RESERVED_TEMPLATES) == len(grammar.TRAIN_TEMPLATES)


@pytest.mark.parametrize("name", ["gender", "number", "tense", "polarity", "sentiment", "register"])
def test_each_value_of_a_factor_is_voiced_by_several_words_and_by_reserved_ones(name):
    voiced = {
        "gender": words.SUBJECTS,
        "number": words.DETERMINERS,
        "tense": words.TIMES,
        "polarity": words.ADVERBS,
        "sentiment": words.MOODS,
        "register": words.OPENERS,
    }[name]
    assert len(voiced) == len(words.FACTORS[name])
    for voices in voiced:
        assert len(voices.train) >= 4
        assert voices.reserved
        assert not set(voices.train) & set(voices.reserved)


def test_topics_are_a_tree_of_three_by_three():
    assert len(words.FACTORS["topic"]) == len(words.FACTORS["domain"]) * words.TOPICS_PER_DOMAIN
    assert {(v.domain, v.topic) for v in combinations()} == {(t // 3, t) for t in range(9)}


def test_the_full_factorial_has_every_combination_once():
    assert len(combinations()) == len(set(combinations())) == 2 * 2 * 3 * 2 * 2 * 2 * 9


@pytest.mark.parametrize(
    ("tense", "manner", "said"),
    [
        (grammar.PAST, "not", "did not check"),
        (grammar.PRESENT, "not", "does not check"),
        (grammar.FUTURE, "not", "will not check"),
        (grammar.PAST, "never", "never checked"),
        (grammar.PRESENT, "really", "really checks"),
        (grammar.PAST, "fail", "failed to check"),
        (grammar.FUTURE, "manage", "will manage to check"),
    ],
)
def test_active_phrase_conjugates_verb_and_polarity(tense, manner, said):
    assert grammar.active_phrase(CHECK, tense, manner) == said


def test_passive_phrase_agrees_in_number():
    assert grammar.passive_phrase(CHECK, grammar.PAST, True, "never") == "were never checked"
    assert grammar.passive_phrase(CHECK, grammar.PRESENT, False, "really") == "is really checked"
    assert grammar.passive_phrase(CHECK, grammar.FUTURE, True, "not") == "will not be checked"


@pytest.mark.parametrize("template", grammar.TEMPLATES)
def test_every_template_voices_the_gender_tense_and_topic_it_is_given(template):
    rng = Random(0)
    for values in rng.sample(combinations(), 100):
        text = say(draw_situation(rng, values), template, rng, reserved=True)
        assert "{" not in text
        assert any(s in text for s in words.SUBJECTS[values.gender].every)
        assert any(t in text for t in words.TIMES[values.tense].every)
        assert any(c in text for c in words.COMPANIONS[values.topic].every)


def test_a_sentence_holds_no_later_word_of_its_own_factors():
    rng = Random(0)
    for values in combinations():
        template = draw_template(rng, reserved=True)
        spoken = set(say(draw_situation(rng, values), template, rng, reserved=True).split())
        # tense shows in any verb; `it` stands in openers and in the cleft, for any number
        for factor in set(words.FACTORS) - {"tense"}:
            later = {word.strip() for word in follow_up(factor, values, rng).words} - {"it"}
            assert not spoken & later


def test_each_factor_determines_another_later_word_for_each_value():
    for factor, forms in grammar.FOLLOW_UPS.items():
        for form in forms:
            assert len(set(form.words)) == len(words.FACTORS[factor])


def test_a_follow_up_text_is_its_stem_its_later_word_and_the_rest():
    values = draw_values(Random(1), gender=0, tense=2)
    said = follow_up("gender", values, Random(1))
    assert said.words[said.answer] == " she"
    assert said.text == f"{said.stem} she{said.rest}"
    assert "will" in said.rest


def test_reserved_words_never_occur_in_training_sentences():
    rng = Random(0)
    reserved = {
        w for voices in (*words.SUBJECTS, *words.MOODS, *words.OPENERS) for w in voices.reserved
    }
    for values in combinations():
        text = say(
            draw_situation(rng, values), draw_template(rng, reserved=False), rng, reserved=False
        )
        assert not [w for w in reserved if w in text]
