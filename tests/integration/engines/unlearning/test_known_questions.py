"""What the package ships is what the bundled model answers."""

from __future__ import annotations

import json

import pytest

from csae_bench.engines.unlearning.known_questions import AskedModel, known_questions
from csae_bench.yardsticks.right_questions import find_right_questions


@pytest.mark.slow
def test_the_model_asked_again_answers_the_shipped_questions_right() -> None:
    asked_again = json.loads(find_right_questions())
    assert asked_again["ids"] == known_questions(AskedModel(**asked_again["asked"]))
