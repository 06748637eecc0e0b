from random import Random

import torch

from csae_bench.tinyworld.facts import facts
from csae_bench.tinyworld.guidance import find_questions
from csae_bench.tinyworld.questions import answered, draw_question
from csae_bench.tinyworld.token_stream import contexts
from csae_bench.tinyworld.tokenizer import build_tokenizer


def test_a_questions_bracket_answer_and_choice_are_found():
    tokenizer = build_tokenizer()
    question = draw_question(facts("wmdp-bio")[3], Random(0))
    encoding = tokenizer.encode(answered("wmdp-bio", question))
    tokens = torch.tensor([encoding.ids])
    is_answer = torch.zeros_like(tokens, dtype=torch.bool)
    (letter,) = (
        i for i, t in enumerate(encoding.tokens) if t in "ABCD" and encoding.tokens[i - 1] == " ("
    )
    is_answer[0, letter] = True
    asked = find_questions(tokens, is_answer)
    assert asked.bracket.tolist() == [letter - 1]
    right = f" {question.choices[question.answer]}"
    assert encoding.tokens[asked.choice[0]] == right
    assert encoding.tokens[asked.choice[0] - 2] == "ABCD"[question.answer]
    assert tokenizer.id_to_token(int(asked.answer[0])) == right


def test_a_question_that_the_context_cuts_off_is_left_out():
    tokens = torch.tensor([[5, 6, 7, 8]])
    is_answer = torch.tensor([[False, False, True, False]])
    assert len(find_questions(tokens, is_answer).row) == 0


def test_questions_are_found_in_packed_contexts():
    packed = next(contexts(build_tokenizer(), "lm", 128, 16, whole=True))
    asked = find_questions(torch.from_numpy(packed.tokens), torch.from_numpy(packed.is_answer))
    assert len(asked.row) > 4
    tokens = torch.from_numpy(packed.tokens)
    assert torch.equal(tokens[asked.row, asked.choice], asked.answer)
    assert (asked.choice < asked.bracket).all()
