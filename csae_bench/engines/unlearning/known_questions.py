"""Questions that the bundled model answers right in all orders of their choices, shipped as data.

Finding them takes as long as all the rest of the eval, and no SAE takes part in it. They hold for
the model, its dtype and the questions that they were found with (`make yardsticks`); with any other
they are found by asking.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from functools import cache
from importlib.resources import files
from typing import NamedTuple

FILE = "known_questions.json"


class AskedModel(NamedTuple):
    """All that decides which questions are answered right."""

    model: str
    """Fingerprint of the weights."""
    dtype: str
    questions: str
    """Digest of the questions of all subjects."""


def known_questions(asked: AskedModel) -> Mapping[str, list[int]] | None:
    """Return rows of the questions of each subject that are answered right; None: not known."""
    shipped = _shipped()
    return shipped["ids"] if shipped["asked"] == asked._asdict() else None


def to_json(asked: AskedModel, ids: Mapping[str, list[int]]) -> str:
    """Return the text of the shipped file."""
    return json.dumps({"asked": asked._asdict(), "ids": dict(ids)}) + "\n"


@cache
def _shipped() -> dict[str, dict[str, list[int]]]:
    return json.loads(
        files("csae_bench.engines.unlearning").joinpath(FILE).read_text(encoding="utf-8")
    )
