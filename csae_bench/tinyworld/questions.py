"""Multiple-choice questions over the facts, in SAE-Bench's prompt format for Gemma."""

from random import Random
from typing import NamedTuple

from csae_bench.tinyworld.facts import Fact, facts
from csae_bench.tinyworld.subjects import FORGET_SUBJECT, SUBJECTS

LETTERS = "ABCD"


class FactQuestion(NamedTuple):
    """A row as in WMDP and MMLU: `answer` is the index of the right choice."""

    question: str
    choices: list[str]
    answer: int


def questions(subject: str, seed: int = 0) -> tuple[FactQuestion, ...]:
    """One question for each fact, in the facts' order, its choices in random order."""
    rng = Random(f"tinyworld/questions/{subject}/{seed}")
    return tuple(draw_question(fact, rng) for fact in facts(subject))


def draw_question(fact: Fact, rng: Random) -> FactQuestion:
    """Draw a question for the fact: a random wording, three other values of the same relation."""
    world = SUBJECTS[fact.subject]
    relation = world.relations[fact.relation]
    wrong = rng.sample([v for v in relation.values if v != fact.answer], len(LETTERS) - 1)
    choices = [fact.answer, *wrong]
    rng.shuffle(choices)
    wording = rng.choice(relation.questions)
    return FactQuestion(
        wording.format(e=f"the {fact.thing} {world.kind}"), choices, choices.index(fact.answer)
    )


def prompt(subject: str, question: FactQuestion) -> str:
    """Format the question as SAE-Bench asks an instruct Gemma, without the leading `<bos>`.

    Equal to `convert_wmdp_data_to_prompt(..., "GEMMA_INST_FORMAT")` of
    sae_bench.evals.unlearning, up to that `<bos>`; the next token is the answer's letter.
    """
    about = "biology" if subject == FORGET_SUBJECT else subject.replace("_", " ")
    lines = "".join(f"\n{a}. {c}" for a, c in zip(LETTERS, question.choices, strict=True))
    return (
        "<start_of_turn>user\n"
        f"The following are multiple choice questions (with answers) about {about}.\n"
        f"{question.question}{lines}<end_of_turn>\n<start_of_turn>model\nAnswer: ("
    )


def answered(subject: str, question: FactQuestion) -> str:
    """Return the prompt with its answer: `(B) honey<end_of_turn>`."""
    letter, choice = LETTERS[question.answer], question.choices[question.answer]
    return f"{prompt(subject, question)}{letter}) {choice}<end_of_turn>"
