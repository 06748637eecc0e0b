"""Questions that the package says the bundled model answers right."""

from __future__ import annotations

import pytest

from csae_bench import models
from csae_bench.engines.unlearning.data import SUBJECTS
from csae_bench.engines.unlearning.known_questions import AskedModel, known_questions
from csae_bench.engines.unlearning.sources import TINYWORLD, open_data


@pytest.fixture(scope="module")
def asked() -> AskedModel:
    questions = open_data(TINYWORLD, forget_corpus=None).questions_digest
    fingerprint = models.weights_fingerprint("tiny-gemma2-it")
    return AskedModel(fingerprint, "torch.float32", questions)


def test_they_are_known_of_the_bundled_model_and_its_questions(asked: AskedModel) -> None:
    known = known_questions(asked)
    assert known is not None, "run make yardsticks: the model or its questions are others"
    assert tuple(known) == SUBJECTS
    questions = open_data(TINYWORLD, forget_corpus=None).questions
    for subject, rows in known.items():
        assert rows == sorted(set(rows))
        assert rows
        assert rows[-1] < len(questions[subject])


@pytest.mark.parametrize("field", AskedModel._fields)
def test_they_are_not_known_of_any_other(field: str, asked: AskedModel) -> None:
    assert known_questions(asked._replace(**{field: "another"})) is None
