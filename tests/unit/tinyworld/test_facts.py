from collections import Counter
from random import Random

import pytest

from csae_bench.tinyworld import facts, questions
from csae_bench.tinyworld.facts import running_text, statement
from csae_bench.tinyworld.questions import answered, prompt
from csae_bench.tinyworld.subjects import SUBJECTS


@pytest.mark.parametrize("subject", SUBJECTS)
def test_a_subject_has_at_least_a_hundred_facts(subject):
    known = facts(subject)
    assert len(known) >= 100
    assert len({(f.thing, f.relation) for f in known}) == len(known)


@pytest.mark.parametrize("subject", SUBJECTS)
def test_no_value_of_a_relation_is_likelier_than_another(subject):
    counts = Counter((f.relation, f.value) for f in facts(subject))
    assert set(counts.values()) == {2}


@pytest.mark.parametrize("subject", SUBJECTS)
def test_relations_have_distinct_values_enough_for_four_choices(subject):
    for relation in SUBJECTS[subject].relations:
        assert len(set(relation.values)) == len(relation.values) == 13


def test_things_are_named_differently_in_every_subject():
    names = [{f.thing for f in facts(s)} for s in SUBJECTS]
    assert len(set.union(*names)) == sum(map(len, names))


def test_a_statement_names_the_thing_and_its_value():
    for fact in facts("human_aging"):
        said = statement(fact, Random(0))
        assert fact.thing in said
        assert fact.answer in said
        assert "{" not in said


def test_running_text_names_as_many_things_as_asked_for():
    text = running_text("wmdp-bio", Random(0), n_things=3)
    assert len({f.thing for f in facts("wmdp-bio") if f.thing in text}) == 3


def test_an_unknown_subject_is_an_error_that_names_the_subjects():
    with pytest.raises(ValueError, match="Unknown subject 'astrology'"):
        facts("astrology")


@pytest.mark.parametrize("subject", SUBJECTS)
def test_each_question_has_four_different_choices_and_one_right_answer(subject):
    for fact, row in zip(facts(subject), questions(subject), strict=True):
        assert len(set(row.choices)) == 4
        assert row.choices[row.answer] == fact.answer
        assert fact.thing in row.question


def test_right_answers_are_spread_over_the_letters():
    counts = Counter(q.answer for s in SUBJECTS for q in questions(s))
    assert min(counts.values()) > 0.2 * sum(counts.values())


def test_questions_are_the_same_each_time():
    assert questions("wmdp-bio") == questions("wmdp-bio")


def test_an_answered_question_is_its_prompt_and_the_right_letter():
    row = questions("human_aging")[0]
    said = answered("human_aging", row)
    assert said.startswith(prompt("human_aging", row))
    assert said.endswith(f"({'ABCD'[row.answer]}) {row.choices[row.answer]}<end_of_turn>")
