"""csae_bench/yardsticks/floors.py."""

from __future__ import annotations

import numpy as np
import pytest

from csae_bench.factors import FactorDataset, Pooling
from csae_bench.yardsticks.floors import value_codes, word_codes

PROMPTS = ("red, red sky.", "blue sky. blue")


def _dataset(marks: tuple[int, ...] | None = None) -> FactorDataset:
    return FactorDataset(
        name="colours",
        factors=np.array([[0, 1], [1, 1]]),
        names=("colour", "place"),
        value_names=(("red", "blue"), ("sea", "sky")),
        templates=("a", "b"),
        split="test",
        prompts=PROMPTS,
        marks=marks,
        pooling="last" if marks is None else "marked",
    )


@pytest.mark.parametrize(
    ("pooling", "codes"),
    [
        # red , sky . blue
        ("mean", [[2 / 5, 1 / 5, 1 / 5, 1 / 5, 0], [0, 0, 1 / 4, 1 / 4, 2 / 4]]),
        ("max", [[1, 1, 1, 1, 0], [0, 0, 1, 1, 1]]),
        ("last", [[1, 1, 1, 1, 0], [0, 0, 1, 1, 1]]),
    ],
)
def test_a_word_is_its_share_of_the_prompt_or_whether_it_was_there(
    pooling: Pooling, codes: list[list[float]]
) -> None:
    np.testing.assert_allclose(word_codes(_dataset(), pooling).toarray(), codes, rtol=1e-6)


def test_at_a_marked_token_later_words_are_not_known() -> None:
    codes = word_codes(_dataset(marks=(1, PROMPTS[1].index("sky"))), "marked")
    np.testing.assert_array_equal(codes.toarray(), [[1, 0, 0], [0, 1, 1]])  # red, blue, sky


def test_each_value_has_a_latent_that_fires_on_it_alone() -> None:
    np.testing.assert_array_equal(value_codes(_dataset()).toarray(), [[1, 0, 0, 1], [0, 1, 0, 1]])
